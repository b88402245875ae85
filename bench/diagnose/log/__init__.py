"""Read a learning-rate trace from a log file or from a function that builds a scheduler."""
