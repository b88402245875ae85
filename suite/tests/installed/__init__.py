"""Tests of what is installed elsewhere: the package `warmup_bench`."""
