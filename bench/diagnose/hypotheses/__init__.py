"""The LRs that each possible mistake would have produced, to compare with the log."""
