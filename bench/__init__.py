"""Measures what a warmup costs and buys, and diagnoses runs that went wrong."""
