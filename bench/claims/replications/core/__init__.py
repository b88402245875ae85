"""What every replication of a paper shares: arms, predictions, verdicts and the page."""
