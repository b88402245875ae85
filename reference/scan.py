"""Cumulative evaluation of lr(t) = A(t)·lr(t−1) + B(t) over all steps at once."""

from __future__ import annotations

import numpy as np

from .check import Rates


def affine_scan(a: Rates, b: Rates, start: float) -> Rates:
    """Iterate lr ← a[t]·lr + b[t] from `start`; return the lr after each step.

    The n steps are split into about √n blocks of √n steps. The maps within each block are composed
    (all blocks in parallel), then a short loop carries the lr from block to block:
    2·√n vector operations instead of n scalar ones.
    There is no division, so slopes of 0 (schedulers that overwrite) need no special case.
    """
    n = a.size
    width = max(1, int(np.sqrt(n)))
    rows = -(-n // width)
    pad = rows * width - n
    # One row per block, padded with the identity map.
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
