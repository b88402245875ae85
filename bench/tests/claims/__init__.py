"""Tests of the published claims."""
