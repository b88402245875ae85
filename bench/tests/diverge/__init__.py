"""Tests of the divergence analysis."""
