"""Speed comparisons with pytest-benchmark, run only on request."""
