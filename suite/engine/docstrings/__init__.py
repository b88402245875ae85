"""Docstrings of the schedulers compared with what the classes take and do, for any torch release."""
