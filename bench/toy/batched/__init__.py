"""The batched trainer: many replicas at once, each trained exactly as if it were alone."""
