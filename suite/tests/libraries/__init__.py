"""Tests of the matrix of other libraries."""
