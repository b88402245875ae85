"""The toy task, its Transformer, and the two trainers: one run at a time, and many replicas at once."""
