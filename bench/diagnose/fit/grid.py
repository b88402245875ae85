"""One curve for every warmup length and total of a grid: y = base·u + floor·v, solved by least squares.

Rows many steps apart leave the end of the warmup and the end of the decay open by as many steps. The decay tells both,
and the base LR and the floor with them, while the few rows of the warmup tell nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.diagnosis import FITS
from bench.diagnose.hypotheses.evidence import misfit
from reference import (
    CosineDecay,
    CosineRestartsDecay,
    Decay,
    LinearDecay,
    PolynomialDecay,
    TanhDecay,
    WarmRestartsDecay,
)
from reference.check import Rates, Steps

from .rise import short_decimals

Floats = NDArray[np.float64]

#: A curve by least squares may be off by this much, in units of the log's rounding: rounded numbers come closer.
NEAR = 2.5
#: Rows at which the whole grid is compared, and curves that are then compared at every row.
ROWS, KEPT = 40, 48
#: Rows of a decay, at least: a base LR and a floor go through any two.
FEWEST_ROWS = 3
#: Values of one batch: 32 MB of float64.
BATCH = 4_000_000
#: A progress this far below an integer number of cycles is that number, missed by a rounding error.
ROUNDED = 1e-9
#: A floor below this share of the base LR is 0.
NO_FLOOR = 1e-6


@dataclasses.dataclass(frozen=True)
class DecayCurve:
    """A decay over D steps from progress p: `parts` gives u and v, `decay` the closed form with D and a floor.

    `absolute`: p counts from step 0 instead of from the end of the warmup; `price`: how much it assumes.
    """

    parts: Callable[[Floats], tuple[Floats, Floats]]
    decay: Callable[[int, float], Decay]
    price: float
    absolute: bool = False


@dataclasses.dataclass(frozen=True)
class GridFit:
    """A decay that fits the rows from `w` on, with its base LR."""

    w: int
    total: int
    base: float
    decay: Decay
    price: float


def _cosine(p: Floats) -> tuple[Floats, Floats]:
    share = 0.5 * (1 + np.cos(np.pi * np.minimum(p, 1)))
    return share, 1 - share


def _power(power: float) -> Callable[[Floats], tuple[Floats, Floats]]:
    def parts(p: Floats) -> tuple[Floats, Floats]:
        share = np.clip(1 - p, 0, 1) ** power
        return share, 1 - share

    return parts


def _tanh(lower: float, upper: float) -> Callable[[Floats], tuple[Floats, Floats]]:
    def parts(p: Floats) -> tuple[Floats, Floats]:
        share = np.where(p < 1, 0.5 * (1 - np.tanh(lower * (1 - p) + upper * p)), 0.0)
        return share, 1 - share

    return parts


def _equal_cycles(cycles: int) -> Callable[[Floats], tuple[Floats, Floats]]:
    def parts(p: Floats) -> tuple[Floats, Floats]:
        place = cycles * p - np.floor(cycles * p + ROUNDED)
        share = np.where(p < 1, 0.5 * (1 + np.cos(np.pi * place)), 0.0)
        return share, 1 - share

    return parts


def _cycles(growth: int, shrink: float) -> Callable[[Floats], tuple[Floats, Floats]]:
    def parts(p: Floats) -> tuple[Floats, Floats]:
        cycle = np.floor(p + ROUNDED if growth == 1 else np.log1p((p + ROUNDED) * (growth - 1)) / np.log(growth))
        start = cycle if growth == 1 else (growth**cycle - 1) / (growth - 1)
        share = 0.5 * (1 + np.cos(np.pi * (p - start) / growth**cycle))
        return shrink**cycle * share, shrink**cycle * (1 - share)

    return parts


def plain_curves() -> list[DecayCurve]:
    """The decays that have one fall after the warmup, commonest first."""

    def power(exponent: float) -> DecayCurve:
        return DecayCurve(_power(exponent), lambda d, m: PolynomialDecay(d, exponent, m), 1.5)

    curves = [DecayCurve(_cosine, CosineDecay, 1.0), DecayCurve(_power(1), LinearDecay, 1.0)]
    return [*curves, *map(power, (2.0, 0.9, 0.5, 3.0, 1.5))]


def absolute_curves() -> list[DecayCurve]:
    """The decays of libraries whose warmup leads to where the decay is then."""

    def tangent(lower: float, upper: float) -> DecayCurve:
        return DecayCurve(_tanh(lower, upper), lambda d, m: TanhDecay(d, lower, upper, m), 1.3, True)

    # timm's default since 2021, and before.
    curves = [tangent(-7.0, 3.0), tangent(-6.0, 4.0)]
    return [*curves, DecayCurve(_cosine, CosineDecay, 1.3, True), DecayCurve(_power(1), LinearDecay, 1.3, True)]


def equal_cycles(cycles: int) -> DecayCurve:
    """Cosines of equal length that end with the run."""
    return DecayCurve(_equal_cycles(cycles), lambda d, m: CosineRestartsDecay(d, cycles, m), 1.3)


def growing_cycles(growth: int, shrink: float) -> DecayCurve:
    """Cosines of growing length or shrinking height; D is the length of the first."""
    price = 1.4 + 0.2 * (growth > 1) + 0.2 * (shrink < 1)
    return DecayCurve(_cycles(growth, shrink), lambda d, m: WarmRestartsDecay(d, growth, shrink, m), price)


def grid_fits(
    t: Steps,
    y: Rates,
    tol: Floats,
    curve: DecayCurve,
    starts: Sequence[int],
    ends: Sequence[int],
    known: float | None = None,
) -> Iterator[GridFit]:
    """The decays that fit the rows from their start on, the numbers of fewest digits first.

    `starts`: steps at which the decay may start; `ends`: steps at which p is 1; `known`: the base LR, if it is.
    """
    if t.size < FEWEST_ROWS:
        return
    pairs = [(w, e) for w in starts for e in ends if w < e and w <= t[-FEWEST_ROWS]]
    few = np.unique(np.linspace(0, t.size - 1, ROWS).astype(np.int64)) if t.size > ROWS else np.arange(t.size)
    close = _closest(t[few], y[few], tol[few], curve, pairs)
    if few.size < t.size:
        close = _closest(t, y, tol, curve, close[: 4 * KEPT])
    seen = []
    for w, e in close[:KEPT]:
        inside = t >= w
        n, rest, near = t[inside] - (0 if curve.absolute else w), y[inside], tol[inside]
        length = e if curve.absolute else e - w
        u, v = curve.parts(n[None, :] / length)
        base, floor, _ = solved(u, v, rest, near)
        for b, m in _rounded(float(base[0]), float(floor[0]), u[0], v[0], rest, near, known):
            decay = curve.decay(length, m)
            if misfit(rest, decay(n, b), near) <= FITS:
                price = curve.price + 0.3 * (m > 0) + 0.02 * (digits(b) + digits(w) + (digits(m) if m else 0))
                seen.append(GridFit(w, e, b, decay, price))
    yield from sorted(seen, key=lambda g: g.price)


def _closest(
    t: Steps, y: Rates, tol: Floats, curve: DecayCurve, pairs: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The starts and ends whose curve by least squares is close at these rows, the closest first."""
    found: list[tuple[float, tuple[int, int]]] = []
    size = max(1, BATCH // max(t.size, 1))
    for i in range(0, len(pairs), size):
        chosen = pairs[i : i + size]
        w, e = (np.array(column, np.float64)[:, None] for column in zip(*chosen, strict=True))
        start = 0.0 if curve.absolute else w
        u, v = curve.parts(np.maximum(t[None, :] - start, 0) / (e - start))
        off = solved(u, v, y, np.where(t[None, :] >= w, tol, np.inf))[2]
        found += [(float(off[j]), chosen[int(j)]) for j in np.flatnonzero(off <= NEAR)]
    return [pair for _, pair in sorted(found)]


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


def digits(value: float) -> int:
    """The significant digits of a number, at most 9.

    >>> digits(3e-4), digits(1500), digits(0.0125)
    (1, 2, 3)
    """
    return len(f"{value:.8e}".split("e")[0].rstrip("0").replace(".", ""))
