"""Measured answers to questions about warmup, one module per question; `python -m bench claim` publishes them."""
