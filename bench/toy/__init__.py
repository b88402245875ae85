"""The toy task, its Transformer, and two trainers: one run at a time, or many replicas at once."""
