"""Tests of the environments of torch releases on a CPU."""
