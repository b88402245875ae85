"""Tests of torch's schedulers against the reference."""
