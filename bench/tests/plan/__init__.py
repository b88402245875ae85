"""Tests of the plans that are read from live schedulers."""
