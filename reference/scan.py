"""The cumulative pass: lr(t) = A(t)·lr(t−1) + B(t) for all t at once."""

from __future__ import annotations

import numpy as np

from .check import Rates


def affine_scan(a: Rates, b: Rates, start: float) -> Rates:
    """Run lr ← a[t]·lr + b[t] from `start` and return every lr.

    The steps are cut into about √n blocks of √n steps.
    Each block is first run as a map (slope and offset) with all blocks side by side,
    then the blocks are joined by one short loop: 2·√n vector operations instead of n scalar ones.
    Slopes of 0 (schedulers that overwrite) need no special case, because nothing is divided.
    """
    n = a.size
    width = max(1, int(np.sqrt(n)))
    rows = -(-n // width)
    pad = rows * width - n
    # One row per block; padding with the identity map changes nothing.
    slope = np.concatenate([a, np.ones(pad)]).reshape(rows, width).T.copy()
    offset = np.concatenate([b, np.zeros(pad)]).reshape(rows, width).T.copy()
    for k in range(1, width):
        offset[k] += slope[k] * offset[k - 1]
        slope[k] *= slope[k - 1]
    entering = np.empty(rows)
    lr = start
    for r in range(rows):
        entering[r] = lr
        lr = slope[-1, r] * lr + offset[-1, r]
    return np.asarray((slope * entering + offset).T.reshape(-1)[:n])
