"""Measured answers to questions about warmup, one module each; `python -m bench claim` publishes them."""
