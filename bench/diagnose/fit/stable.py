"""A stable phase, then a decay of any shape: its level is the base LR, so that warmup and decay are independent."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from reference import StableDecay
from reference.check import Rates, Steps

from .decay_curves import DecayCurve, Floats
from .fit import Fit, LoggedLRs
from .grid import grid_fits
from .places import between
from .rise import short_decimals
from .warmups import joined, risen, starts, totals

#: Rows of a stable phase, and of a decay, at least.
STABLE_ROWS, FALLING_ROWS = 3, 2
#: Decays whose warmups are fitted.
DECAYS = 4
#: A cosine is at its top, to the digits of a log, for this share of its length.
FLAT = 0.03


def stable_fits(data: LoggedLRs) -> Iterator[Fit]:
    """Warmup, stable phase, decay."""
    y, tol = data.y, data.tol
    top = float(y.max())
    level = np.flatnonzero(np.abs(y - top) <= tol + float(tol[np.argmax(y)]))
    i, j = int(level[0]), int(level[-1])
    if level.size < STABLE_ROWS or j - i + 1 != level.size or y.size - 1 - j < FALLING_ROWS:
        return
    bases = [data.base] if data.base is not None else short_decimals(top, float(tol[i] / top))[:1]
    for base in bases:
        lengths = [0] if i == 0 else starts(data, i + 1)
        warmups = list(risen(data, lambda w, base=base: base, lengths))  # type: ignore[misc]  # a default binds it
        for decay_of, price in list(_falls(data, j, base))[:DECAYS]:
            for rise in warmups:
                w = rise.warmup.warmup_steps
                decay = decay_of(w)
                if decay is not None:
                    yield joined(data, rise, decay, base, price)


def _falls(data: LoggedLRs, j: int, base: float) -> Iterator[tuple[Callable[[int], StableDecay | None], float]]:
    """The decays behind row `j`, each as a function of the warmup's length."""
    t, y, tol = data.t[j:], data.y[j:], data.tol[j:]
    begins = between(int(t[0]), int(t[1]))
    for start, length, low in _geometric_ends(data, t, y, tol, base):

        def geometric(w: int, start: int = start, length: int = length, low: float = low) -> StableDecay | None:
            return StableDecay(start - w, length, "geometric", low) if start >= w else None

        yield geometric, 1.6
    for shape in ("linear", "cosine", "sqrt", "exponential"):
        early = begins
        if shape == "cosine":
            early = between(max(0, int(t[0] - FLAT * (data.last - t[0])) - 1), int(t[1]))
        curve = DecayCurve(_parts(shape), _decay(shape), 1.7)
        rows = data.t >= early[0]
        for fit in grid_fits(data.t[rows], data.y[rows], data.tol[rows], curve, early, totals(data), base):
            low = float(getattr(fit.decay, "min_lr", 0.0))

            def timed(
                w: int, start: int = fit.w, end: int = fit.total, shape: str = shape, low: float = low
            ) -> StableDecay | None:
                return StableDecay(start - w, end - start, shape, low) if start >= w else None

            yield timed, fit.price


def _decay(shape: str) -> Callable[[int, float], StableDecay]:
    return lambda d, m: StableDecay(0, d, shape, m)


def _parts(shape: str) -> Callable[[Floats], tuple[Floats, Floats]]:
    def parts(p: Floats) -> tuple[Floats, Floats]:
        p = np.clip(p, 0, 1)
        if shape == "cosine":
            share = 0.5 * (1 + np.cos(np.pi * p))
        elif shape == "linear":
            share = 1 - p
        elif shape == "sqrt":
            share = 1 - np.sqrt(p)
        else:
            share = 2 * 0.5**p - 1
        return share, 1 - share

    return parts


def _geometric_ends(
    data: LoggedLRs, t: Steps, y: Rates, tol: NDArray[np.float64], base: float
) -> Iterator[tuple[int, int, float]]:
    """Start, length and floor of a fall by equal factors; the floor is the LR at the end of the run."""
    if float(y.min()) <= 0:
        return
    moving = y < base - 2 * tol
    log = np.log(y / base)
    still = np.abs(y - y[-1]) <= 2 * tol
    end = t.size if still.sum() < 2 else int(np.argmax(still)) + 1
    use = moving & (np.arange(t.size) < end)
    if use.sum() < FALLING_ROWS:
        return
    weight = (y / tol)[use]
    columns = np.stack([t[use].astype(float), np.ones(int(use.sum()))], 1) * weight[:, None]
    (slope, level), *_ = np.linalg.lstsq(columns, log[use] * weight, rcond=None)
    if slope >= 0:
        return
    crossing = -level / slope
    near = [s for s in between(int(t[0]), int(t[1])) if abs(s - crossing) <= max(2.0, 0.02 * (data.last - crossing))]
    for start in sorted(near, key=lambda s: abs(s - crossing))[:12]:
        ends = totals(data) if end == t.size else between(int(t[end - 2]) + 1, int(t[end - 1]))
        for total in ends[:40]:
            rate = float(np.median(log[use] / np.maximum(t[use] - start, 1)))
            low = base * float(np.exp(rate * (total - start)))
            for m in short_decimals(low, 2e-3 if data.tol.max() > 1e-9 * base else 1e-9)[:2]:
                if 0 < m < base:
                    curve = StableDecay(0, total - start, "geometric", m)
                    if (np.abs(curve(np.maximum(t - start, 0), base) - y) <= 1.2 * tol).all():
                        yield start, total - start, m
