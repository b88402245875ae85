"""Libraries for language models."""
