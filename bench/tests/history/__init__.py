"""Tests of the history over torch releases."""
