"""Constant levels behind a warmup, each lower than the one before by a factor of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from reference import PiecewiseDecay

from .fit import Fit, LoggedLRs
from .places import between, digits
from .rise import short_decimals
from .warmups import joined, risen, starts

#: Drops at most, rows of a level at least, and the largest factor of a drop: a slower fall in stairs is a curve that
#: is stepped once per epoch.
DROPS, ROWS, FACTOR = 3, 2, 0.7


def level_fits(data: LoggedLRs) -> Iterator[Fit]:
    """lr = base·f after each drop; between two rows the drop is at the step with the fewest digits."""
    y, tol = data.y, data.tol
    first = int(np.argmax(y >= y.max() - tol))
    drops = np.flatnonzero(y[1:] < y[:-1] - tol[1:] - tol[:-1]) + 1
    edges = [first, *drops.tolist(), y.size]
    if not 0 < drops.size <= DROPS or drops[0] <= first or (np.diff(edges) < ROWS).any():
        return
    levels = [float(np.median(y[a:b])) for a, b in itertools.pairwise(edges)]
    if y[first:].min() <= 0 or max(b / a for a, b in itertools.pairwise(levels)) > FACTOR:
        return
    base = data.base if data.base is not None else short_decimals(levels[0], float(tol[first] / levels[0]))[0]
    error = float(np.max(tol[first:] / y[first:]))
    factors = tuple(short_decimals(level / base, 2 * error)[0] for level in levels[1:])
    marks = [min(between(int(data.t[i - 1]) + 1, int(data.t[i])), key=lambda m: (digits(m), -m)) for i in drops]
    lengths = [0] if first == 0 else starts(data, first + 1)
    for rise in risen(data, lambda w: base, lengths):
        w = rise.warmup.warmup_steps
        if w < marks[0]:
            yield joined(data, rise, PiecewiseDecay(tuple(m - w for m in marks), factors), base, 1.7)
