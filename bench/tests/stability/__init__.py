"""Tests of bench/stability."""
