"""Speed comparisons under pytest-benchmark, run only on request."""
