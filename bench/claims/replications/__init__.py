"""Statements of papers about warmup, put to the test: one module for each, its predictions written before its runs."""
