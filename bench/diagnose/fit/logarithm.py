"""Logarithmic warmups: DeepSpeed's default, one step late, with any of its decays; and the same on time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.diagnose.hypotheses.evidence import common
from reference import ConstantDecay, Convention, Decay, Delayed, LogWarmup, WarmupDecay

from .decay_curves import plain_curves
from .fit import Fit, LoggedLRs
from .grid import grid_fits
from .places import integers_between
from .rise import short_decimals
from .warmups import compared, starts, totals

#: Rows on the rise, at least: two fit any logarithm.
ROWS = 3
#: How far the base LR that the decay tells may be from the one that the warmup tells, in units of the log's rounding.
APART = 4.0


def log_fits(data: LoggedLRs) -> Iterator[Fit]:
    """y = base·ln(n+1)/ln W for n < W, with n = max(t − 1, 0) or n = t."""
    if data.y[0] != 0 or data.t[0] != 0:
        return
    top = int(np.argmax(data.y >= data.y.max() - data.tol))
    for late in (1, 0):
        n = np.maximum(data.t - late, 0)
        rising = (n > 0) & (np.arange(n.size) < top)
        if rising.sum() < ROWS:
            continue
        log = np.log(n[rising] + 1.0)
        low, high = ((data.y + s * data.tol)[rising] / log for s in (-1, 1))
        slope = common(low, high)
        if slope is not None and slope > 0 and float(np.max(low)) <= float(np.min(high)) * (1 + 1e-9):
            yield from _with_decay(data, late, slope)


def _with_decay(data: LoggedLRs, late: int, slope: float) -> Iterator[Fit]:
    peak, error = float(data.y.max()), float(np.min(data.tol / np.maximum(data.y, data.tol)))
    bases = [data.base] if data.base is not None else short_decimals(peak, 2 * error)
    for base in bases:
        lengths = np.exp(base / slope * np.array([1 - APART * error, 1 + APART * error]))
        for w in integers_between(lengths[:1], lengths[1:]):
            yield _late(data, late, w, ConstantDecay(), "open", base, 1.0)
    first = starts(data)
    rows = data.t >= first[0]
    t, y, tol = data.t[rows], data.y[rows], data.tol[rows]
    for curve in plain_curves()[:2]:
        for fit in grid_fits(t, y, tol, curve, first, _ends(data, late), data.base):
            for end in ("open", "closed"):
                w = fit.w - late + (end == "closed")
                if w > 1 and abs(fit.base - slope * np.log(w)) <= APART * error * fit.base + 1e-9 * fit.base:
                    yield _late(data, late, w, fit.decay, end, fit.base, fit.price)


def _ends(data: LoggedLRs, late: int) -> list[int]:
    return sorted({end + k for end in totals(data) for k in (0, late)})


def _late(data: LoggedLRs, late: int, w: int, decay: Decay, end: str, base: float, price: float) -> Fit:
    pair = WarmupDecay(LogWarmup(w), decay, Convention("linspace", end))
    return compared(data, pair, base, price, Delayed(pair, late) if late else pair)
