"""Healthy schedules of public libraries that are no warmup to the base LR with one decay behind it.

Tried where `fits` finds nothing: 1/√t behind a constant LR, logarithmic warmups, restarts, a stable phase before any
decay, a warmup that meets a decay which counts from step 0, and rows so far apart that only the decay tells the warmup.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bench.diagnose.core.diagnosis import FITS
from reference.check import Rates, Steps
from reference.restarts import SHRINKS as WHAT

from .decay_curves import DecayCurve, absolute_curves, equal_cycles, growing_cycles, plain_curves
from .fit import Fit, LoggedLRs
from .grid import grid_fits, line_through
from .levels import level_fits
from .logarithm import log_fits
from .places import between
from .roots import root_fits
from .stable import stable_fits
from .warmups import joined, risen, starts, totals

#: Decays of one curve whose warmups are fitted.
DECAYS = 12
#: Factors by which each cosine may be lower than the one before.
SHRINKS = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
#: Cycles at most; more are an oscillation.
CYCLES = 40
#: Rows of a cycle on average, at least: the rows of two or three groups in turn are no restarts.
CYCLE_ROWS = 4
#: Each cosine may be as long as the one before, or this many times as long.
GROWTHS = (1, 2, 3)
#: Rows that are fewer than this tell no shape.
FEWEST_ROWS = 8


def library_fits(data: LoggedLRs) -> list[Fit]:
    """The schedules that fit, the simplest first; the first kind that fits ends the search."""
    if data.t.size < FEWEST_ROWS or float(data.y.max()) <= 0 or float(data.y.min()) < 0:
        return []
    for kind in (root_fits, log_fits, _restarts, level_fits, stable_fits, _plain, _meeting):
        fits = sorted((f for f in kind(data) if f.misfit <= FITS), key=lambda f: (round(f.cost, 3), f.misfit))
        if fits:
            return fits[:3]
    return []


def _behind(data: LoggedLRs, curves: Sequence[DecayCurve], first: list[int], last: list[int]) -> Iterator[Fit]:
    """Decays behind a warmup, the warmup by the base LR that the decay tells."""
    edge = data.t >= first[0]
    t, y, tol = data.t[edge], data.y[edge], data.tol[edge]
    line = line_through(data.t[~edge], data.y[~edge], data.tol[~edge])
    for curve in curves:
        for fit in list(grid_fits(t, y, tol, curve, first, last, data.base, line))[:DECAYS]:
            for rise in risen(data, lambda w, base=fit.base: base, [fit.w]):  # type: ignore[misc]  # a default binds it
                yield joined(data, rise, fit.decay, fit.base, fit.price)


def _plain(data: LoggedLRs) -> Iterator[Fit]:
    """One decay behind a warmup whose end is between two rows."""
    for curve in plain_curves():
        fits = [fit for fit in _behind(data, [curve], starts(data), totals(data)) if fit.misfit <= FITS]
        yield from fits
        if fits:
            return


def _meeting(data: LoggedLRs) -> Iterator[Fit]:
    """Decays that count from step 0, and warmups that lead to where they are then."""
    top = int(np.argmax(data.y))
    if top == 0 or top + FEWEST_ROWS > data.t.size:
        return
    t, y, tol = data.t[top + 1 :], data.y[top + 1 :], data.tol[top + 1 :]
    for curve in absolute_curves():
        for fit in list(grid_fits(t, y, tol, curve, [0], totals(data), data.base))[:DECAYS]:
            decayed = {w: float(fit.decay(w, fit.base)) for w in starts(data)}
            for rise in risen(data, decayed.__getitem__, list(decayed)):
                yield joined(data, rise, fit.decay, fit.base, fit.price, clock="meeting")


def _restarts(data: LoggedLRs) -> Iterator[Fit]:
    """Cosines one after the other: of equal length until the run ends, or ever longer or lower."""
    y, tol = data.y, data.tol
    rising = y[1:] > y[:-1] + tol[1:] + tol[:-1]
    falling = y[1:] < y[:-1] - tol[1:] - tol[:-1]
    if not falling.any():
        return
    ups = np.flatnonzero(rising) + 1
    ups = ups[ups > int(np.argmax(falling))]
    if not 0 < ups.size < CYCLES or (np.diff(ups) < 2).any() or y.size < CYCLE_ROWS * (ups.size + 1):
        return
    first = starts(data, int(ups[0]))
    low, high = data.t[ups - 1], data.t[ups]
    yield from _behind(data, [equal_cycles(ups.size + 1)], first, totals(data))
    drop = float(y[ups[0] :].max() / y[: ups[0]].max())
    shrinks = [1.0, *sorted(SHRINKS, key=lambda r: abs(r - drop))[:3]] if drop < 0.98 else [1.0]
    for growth in GROWTHS:
        for shrink in shrinks:
            for what in WHAT if shrink < 1 else WHAT[:1]:
                yield from _growing(data, growing_cycles(growth, shrink, what), first, low, high, growth)


def _growing(
    data: LoggedLRs, curve: DecayCurve, first: list[int], low: Steps, high: Steps, growth: int
) -> Iterator[Fit]:
    """The first length follows from the rows around each restart: the i-th is after 1 + g + … of them."""
    count = np.arange(1, low.size + 1)
    times: Rates = count.astype(float) if growth == 1 else (float(growth) ** count - 1) / (growth - 1)
    for w in first:
        least, most = float(np.max((low + 1 - w) / times)), float(np.min((high - w) / times))
        lengths = between(int(np.ceil(least)), int(np.floor(most))) if most >= least else []
        if lengths and lengths[0] > 0:
            yield from _behind(data, [curve], [w], [w + d for d in lengths])
