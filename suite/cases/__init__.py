"""Which compositions are checked, crossed with which axes."""
