"""Sweeps of the toy model over LR, warmup, decay, norm placement and seed, with tables and pictures."""
