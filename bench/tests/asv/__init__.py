"""Tests of the asv benchmarks."""
