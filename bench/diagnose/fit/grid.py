"""One curve for every warmup length and total of a grid: y = base·u + floor·v, solved by least squares.

Rows many steps apart leave the end of the warmup and the end of the decay open by as many steps. The decay tells both,
and the base LR and the floor with them, while the few rows of the warmup tell nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from bench.diagnose.core.diagnosis import FITS
from bench.diagnose.hypotheses.evidence import misfit
from reference import Decay
from reference.check import Rates, Steps

from .decay_curves import DecayCurve, Floats
from .places import between, digits
from .rise import short_decimals

#: A curve by least squares may be off by this much, in units of the log's rounding: rounded numbers come closer.
NEAR = 2.5
#: Rows at which the grid is compared, then what is left of it; and curves that are compared with rounded numbers.
ROWS, KEPT = (10, 40), 48
#: A curve that is off by less is likely; one whose warmup is no line is off by this much more.
LIKELY, NOT_LINEAR = 1.6, 4.0
#: Rows of a decay, at least: a base LR and a floor go through any two.
FEWEST_ROWS = 3
#: A decay of D steps moves by up to this many times its base LR over D when it starts one step later.
STEEP = 4.0
#: Values of one batch: 32 MB of float64.
BATCH = 4_000_000
#: A floor below this share of the base LR is 0.
NO_FLOOR = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class Mesh:
    """Starts `w` and ends `e` of decays."""

    w: Steps
    e: Steps


@dataclasses.dataclass(frozen=True)
class WarmupLine:
    """A line through the first and the last logged row of a warmup."""

    start: int
    first: float
    slope: float
    error: float

    def missed(self, w: Floats, top: Floats) -> Floats:
        """How far it is from the top at the end of a warmup of w steps, or one step before, in units of `error`."""
        at = self.first + self.slope * (w - self.start)
        return np.minimum(np.abs(at - top), np.abs(at - self.slope - top)) / self.error


def line_through(t: Steps, y: Rates, tol: Floats) -> WarmupLine | None:
    """The line of a warmup with these rows; None where one row or none is left.

    >>> line_through(np.array([0, 10]), np.array([0.0, 0.5]), np.full(2, 0.01)).missed(np.array([20.0]), np.ones(1))
    array([0.])
    """
    if t.size < 2:
        return None
    return WarmupLine(int(t[0]), float(y[0]), float(y[-1] - y[0]) / int(t[-1] - t[0]), 4 * float(tol[-1]))


@dataclasses.dataclass(frozen=True)
class GridFit:
    """A decay that fits the rows from `w` on, with its base LR."""

    w: int
    total: int
    base: float
    decay: Decay
    price: float


def grid_fits(
    t: Steps,
    y: Rates,
    tol: Floats,
    curve: DecayCurve,
    starts: Sequence[int],
    ends: Sequence[int],
    known: float | None = None,
    line: WarmupLine | None = None,
) -> Iterator[GridFit]:
    """The decays that fit the rows from their start on, the numbers of fewest digits first.

    `starts`: steps at which the decay may start; `ends`: steps at which p is 1; `known`: the base LR, if it is;
    `line`: the warmup before them.
    """
    if t.size < FEWEST_ROWS:
        return
    close, likely = _zoomed(t, y, tol, curve, starts, ends, line), np.zeros(0)
    for rows in sorted({min(rows, t.size) for rows in (*ROWS, t.size)}):
        at = np.unique(np.linspace(0, t.size - 1, rows).astype(np.int64))
        close, likely = _closest(t[at], y[at], tol[at], curve, close, line)
    order = _best_first(close, likely, ends[0])
    fits = [fit for w, e in order[:KEPT] for fit in _at(t, y, tol, curve, w, e, known)]
    yield from sorted(fits, key=lambda fit: fit.price)


def _zoomed(
    t: Steps,
    y: Rates,
    tol: Floats,
    curve: DecayCurve,
    starts: Sequence[int],
    ends: Sequence[int],
    line: WarmupLine | None,
) -> Mesh:
    """Every start with every end and, where these are not all integers, those around the closest pair."""
    last = int(t[-FEWEST_ROWS])
    pairs = _pairs(starts, ends, last)
    at = np.unique(np.linspace(0, t.size - 1, min(ROWS[0], t.size)).astype(np.int64))
    gaps = [int(np.diff(steps).max(initial=1)) for steps in (starts, ends)]
    while pairs.w.size and max(gaps) > 1:
        close, off = _closest(t[at], y[at], tol[at], curve, pairs, line, np.inf)
        k = int(np.argmin(off))
        w, e = int(close.w[k]), int(close.e[k])
        if off[k] > NEAR + STEEP * max(gaps) / (e - w) * float((y[at] / tol[at]).max()):
            break
        near = [between(max(0, x - gap), x + gap) for x, gap in ((w, gaps[0]), (e, gaps[1]))]
        gaps = [int(np.diff(steps).max(initial=1)) for steps in near]
        finer = _pairs(near[0], near[1], last)
        pairs = Mesh(np.concatenate([pairs.w, finer.w]), np.concatenate([pairs.e, finer.e]))
    return pairs


def _at(t: Steps, y: Rates, tol: Floats, curve: DecayCurve, w: int, e: int, known: float | None) -> Iterator[GridFit]:
    """The decays from w to e that fit all rows, each with rounded numbers."""
    inside = t >= w
    n, rest, near = t[inside] - (0 if curve.absolute else w), y[inside], tol[inside]
    length = e if curve.absolute else e - w
    u, v = curve.parts(n[None, :] / length)
    base, floor, _ = solved(u, v, rest, near)
    for b, m in _rounded(float(base[0]), float(floor[0]), u[0], v[0], rest, near, known):
        decay = curve.decay(length, m)
        if misfit(rest, decay(n, b), near) <= FITS:
            price = curve.price + 0.3 * (m > 0) + 0.02 * (digits(b) + digits(w) + (digits(m) if m else 0))
            yield GridFit(w, e, b, decay, price)


def _pairs(starts: Sequence[int], ends: Sequence[int], last: int) -> Mesh:
    """Every start up to `last` with every end after it."""
    w, e = (grid.ravel() for grid in np.meshgrid(np.array(starts), np.array(ends), indexing="ij"))
    use = (w < e) & (w <= last)
    return Mesh(w[use], e[use])


def _closest(
    t: Steps, y: Rates, tol: Floats, curve: DecayCurve, pairs: Mesh, line: WarmupLine | None, most: float = NEAR
) -> tuple[Mesh, Floats]:
    """The pairs whose curve by least squares is close at these rows, and how far each is off, the line included."""
    kept, off = [], []
    size = max(1, BATCH // max(t.size, 1))
    for i in range(0, pairs.w.size, size):
        w, e = pairs.w[i : i + size, None].astype(float), pairs.e[i : i + size, None].astype(float)
        start = 0.0 if curve.absolute else w
        u, v = curve.parts(np.maximum(t[None, :] - start, 0) / (e - start))
        base, _, apart = solved(u, v, y, np.where(t[None, :] >= w, tol, np.inf))
        near = np.flatnonzero(apart <= most)
        kept.append(near + i)
        missed = 0.0 if line is None else line.missed(w[near, 0], base[near])
        off.append(apart[near] + np.minimum(missed, NOT_LINEAR))
    chosen = np.concatenate(kept) if kept else np.zeros(0, np.int64)
    return Mesh(pairs.w[chosen], pairs.e[chosen]), np.concatenate(off) if off else np.zeros(0)


def _best_first(pairs: Mesh, off: Floats, end: int) -> list[tuple[int, int]]:
    """Those that fit first, of them the ones with few digits or the end of the log; then the closest."""
    fitting = off <= LIKELY
    cost = np.array([digits(w) + min(digits(e), 2 if e == end else 9) for w, e in zip(pairs.w, pairs.e, strict=True)])
    order = np.lexsort((off, np.where(fitting, cost, 0), ~fitting))
    return [(int(pairs.w[k]), int(pairs.e[k])) for k in order]


def solved(u: Floats, v: Floats, y: Rates, tol: Floats) -> tuple[Floats, Floats, Floats]:
    """Base LR, floor and largest residual (in units of `tol`) of y = base·u + floor·v for each row of u and v.

    >>> u = np.array([[1.0, 0.5, 0.0]])
    >>> base, floor, off = solved(u, 1 - u, np.array([2.0, 1.5, 1.0]), np.full(3, 0.1))
    >>> base.round(9).tolist(), floor.round(9).tolist(), bool(off[0] < 1e-9)
    ([2.0], [1.0], True)
    """
    a, b, z = u / tol, v / tol, y / np.broadcast_to(tol, u.shape)
    aa, ab, bb, az, bz = (np.einsum("ij,ij->i", p, q) for p, q in ((a, a), (a, b), (b, b), (a, z), (b, z)))
    det = aa * bb - ab * ab
    sound = det > 1e-13 * aa * bb
    det = np.where(sound, det, 1.0)
    base = np.where(sound, (az * bb - bz * ab) / det, az / np.maximum(aa, np.finfo(float).tiny))
    floor = np.where(sound, (bz * aa - az * ab) / det, 0.0)
    return base, floor, np.abs(base[:, None] * a + floor[:, None] * b - z).max(axis=1)


def _rounded(
    base: float, floor: float, u: Floats, v: Floats, y: Rates, tol: Floats, known: float | None
) -> Iterator[tuple[float, float]]:
    """The base LR and the floor as a user would write them, without a floor first."""
    error = 4 * float(np.min(tol / np.maximum(y, tol)))
    for b in [known] if known is not None else short_decimals(base, max(error, 1e-12)):
        if b is None or b <= 0:
            continue
        yield b, 0.0
        weight = float(np.sum((v / tol) ** 2))
        low = float(np.sum((y - b * u) * v / tol**2)) / weight if weight > 0 else floor
        if NO_FLOOR * b < low <= b:
            for m in dict.fromkeys((*short_decimals(low, 20 * float(tol.min()) / low), *short_decimals(low, 1e-3))):
                if 0 < m <= b:
                    yield b, m
