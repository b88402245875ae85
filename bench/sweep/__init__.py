"""Sweeps: many runs of the toy model over LR, warmup, decay, norm placement and seed, as tables and pictures."""
