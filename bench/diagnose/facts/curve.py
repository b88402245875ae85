"""Which curve a stretch of a trace is: a line, a cosine, 1/√t, equal factors, or just faster or slower."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from reference.check import Rates

#: A curve fits when nothing is off by more than this share of the stretch's range: a log with three digits is off by
#: half a per cent, and a line differs from half a cosine wave by ten.
CLOSE = 0.006
#: Changes below this share of the peak are none.
STILL = 5e-4
#: Rows that a curve must have: with fewer any would fit.
FEWEST_ROWS = 5
#: Rows that a long stretch is first compared at.
FEW = 60
#: Parts of half a wave that a stretch can be: a grid, and the finer ones around the best.
PARTS = np.linspace(0.2, 1.0, 33)
FINER = np.linspace(-1.0, 1.0, 9)
#: Half a mesh of the grid moves a wave by 0.02 of its range, which is three times what is allowed.
NEAR = 7.0

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class CurveFit:
    """A curve through a stretch: its name, its largest residual (up to 1 it fits), and how much of a wave it is.

    Where no curve has a name: '' (too few rows), faster, slower or unevenly.
    """

    name: str
    off: float
    part: float = 1.0


def best_curve(t: Floats, y: Rates, tol: Floats, peak: float) -> CurveFit | None:
    """The simplest curve within `CLOSE` of a stretch; None where it turns.

    >>> t = np.arange(50.0)
    >>> best_curve(t, np.cos(np.pi * t / 49), np.full(50, 1e-12), 1.0).name
    'cosine'
    """
    low, high = float(y.min()), float(y.max())
    if high - low <= max(float(tol.max()) * 2.5, STILL * peak):
        return CurveFit("hold", 0.0)
    if y.size < 3:
        return CurveFit("", 0.0)
    allowed = np.maximum(2.5 * tol, CLOSE * (high - low))
    x = (t - t[0]) / (t[-1] - t[0])
    line = float(_residuals(x[None, :], y, allowed)[0])
    if line <= 1:
        return CurveFit("linear", line)
    if not _one_way(y, allowed):
        return None
    if y.size < FEWEST_ROWS:
        return CurveFit("", 1.0)
    few = np.unique(np.linspace(0, y.size - 1, FEW).astype(np.int64)) if y.size > 2 * FEW else np.arange(y.size)
    candidates = sorted(_curves(t[few], x[few], y[few], allowed[few]), key=lambda curve: curve.off)
    for candidate in candidates[:2]:
        if candidate.off > 1:
            break
        if few.size == y.size:
            return candidate
        fitting = [c for c in _curves(t, x, y, allowed, candidate.name) if c.off <= 1]
        if fitting:
            return min(fitting, key=lambda curve: curve.off)
    return _bent(x, y)


def _bent(x: Floats, y: Rates) -> CurveFit:
    """Whether a stretch without a name moves ever faster or ever more slowly."""
    ahead = np.sign(y[-1] - y[0]) * (y - y[0] - (y[-1] - y[0]) * x)
    over, under = float(ahead.max()), float(-ahead.min())
    if over > 4 * under:
        return CurveFit("slower", 1.0)
    return CurveFit("faster" if under > 4 * over else "unevenly", 1.0)


def _one_way(y: Rates, allowed: Floats) -> bool:
    """Whether the values never turn back by more than what is allowed."""
    way = 1.0 if y[-1] >= y[0] else -1.0
    return bool((np.maximum.accumulate(way * y) - way * y <= 2 * allowed).all())


def _curves(t: Floats, x: Floats, y: Rates, allowed: Floats, only: str = "") -> Iterator[CurveFit]:
    falls = y[-1] < y[0]
    bases = [("sqrt", np.sqrt(x)), ("sqrt", np.sqrt(1 - x)), ("square", x**2), ("square", (1 - x) ** 2)]
    bases.append(("cube", (1 - x) ** 3))
    if not falls:
        bases += [("log", np.log1p(t)), ("log", np.log1p(t - t[0]))]
    tried = [(name, basis) for name, basis in bases if only in ("", name)]
    if tried:
        off = _residuals(np.stack([basis for _, basis in tried]), y, allowed)
        yield from (CurveFit(name, float(o)) for (name, _), o in zip(tried, off, strict=True))
    if (y > 0).all():
        if only in ("", "exponential"):
            yield _transformed("exponential", x, y, allowed)
        if falls and only in ("", "rsqrt"):
            yield _transformed("rsqrt", x, y, allowed)
    if only in ("", "cosine"):
        yield _wave(x, y, allowed, from_start=True)
        yield dataclasses.replace(_wave(x, y, allowed, from_start=False), part=1.0)


def _residuals(bases: Floats, y: Rates, allowed: Floats) -> Floats:
    """The largest residual of y = a + b·basis for each row of `bases`."""
    centred = bases - (bases.sum(axis=1) / y.size)[:, None]
    level = y - y.sum() / y.size
    norms = np.maximum(np.einsum("ij,ij->i", centred, centred), np.finfo(float).tiny)
    centred *= (centred @ level / norms)[:, None]
    return np.asarray((np.abs(level - centred) / allowed).max(axis=1))


def _transformed(name: str, x: Floats, y: Rates, allowed: Floats) -> CurveFit:
    """A line through log y, or through 1/y² with the weights that make the residuals those of y."""
    z, weight = (np.log(y), y) if name == "exponential" else ((y[0] / y) ** 2, 0.5 * y**3 / y[0] ** 2)
    w = (weight / weight.max()) ** 2
    total = w.sum()
    mean, middle = float(w @ x / total), float(w @ z / total)
    slope = float(w @ ((x - mean) * (z - middle)) / max(float(w @ (x - mean) ** 2), np.finfo(float).tiny))
    line = middle + slope * (x - mean)
    if name == "exponential":
        fit = np.exp(np.minimum(line, 700.0))
    elif (line > 0).all():
        fit = y[0] / np.sqrt(line)
    else:
        return CurveFit(name, float("inf"))
    return CurveFit(name, float(np.max(np.abs(y - fit) / allowed)))


def _wave(x: Floats, y: Rates, allowed: Floats, *, from_start: bool) -> CurveFit:
    """Half a cosine wave, or one that ends early (from its start), or one that starts late (to its end)."""
    parts, width = PARTS, float(PARTS[1] - PARTS[0])
    for _ in range(3):
        angles = parts[:, None] * x if from_start else 1 - parts[:, None] * (1 - x)
        off = _residuals(np.cos(np.pi * angles), y, allowed)
        best = int(np.argmin(off))
        found = CurveFit("cosine", float(off[best]), float(parts[best]))
        if found.off > NEAR:  # no finer part would fit
            break
        parts, width = np.clip(found.part + width * FINER, PARTS[0], 1.0), width / 4
    return found
