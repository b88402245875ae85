"""What each possible mistake would have produced, held against the log."""
