"""Fit decays that start from the base LR at n = 0 to learning rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.diagnosis import FITS
from bench.diagnose.hypotheses.evidence import common, misfit, mixture
from reference import (
    ConstantDecay,
    CosineDecay,
    Decay,
    ExponentialDecay,
    InverseSqrtDecay,
    LinearDecay,
    MultiStepDecay,
    PolynomialDecay,
    StableDecay,
    StepDecay,
)
from reference.check import Rates, Steps

from .effort import Effort
from .rise import short_decimals

#: Lengths that are tried for the decays that take longest to fit.
LENGTHS = 12
Timed = CosineDecay | LinearDecay | PolynomialDecay | StableDecay


@dataclasses.dataclass(frozen=True)
class Fall:
    """A decay from a base LR; `cost` counts the numbers that were fitted."""

    decay: Decay
    cost: float


def falls(
    n: Steps,
    y: Rates,
    tol: NDArray[np.float64],
    base: float,
    lengths: Iterable[int],
    timescale: int,
    bent: bool,
    effort: Effort,
) -> list[Fall]:
    """The decays from `base` at n = 0 that fit these LRs, simplest first.

    `lengths`: possible lengths of the decay; `timescale`: the expected k of 1/√(n/k + 1);
    `bent`: try polynomial and stable decays too if nothing simpler fits; `effort`: what that may cost.
    """
    if not n.size or float(y.max()) > base * (1 + 1e-6) + float(tol.max()):
        return []
    tried = list(dict.fromkeys(d for d in lengths if d > 0))
    stages = [_simple(n, y, tol, base, tried, timescale, effort)]
    if bent:
        stages.append(_bent(n, y, tol, base, tried[:LENGTHS], effort))
    for stage in stages:
        fitting = [fall for fall in stage if _fits(fall.decay, n, y, tol, base)]
        if fitting:
            return sorted(fitting, key=lambda f: f.cost)
    return []


def _fits(decay: Decay, n: Steps, y: Rates, tol: NDArray[np.float64], base: float) -> bool:
    """Whether a decay fits; a few steps first, because most candidates are wrong everywhere."""
    if not 0 <= getattr(decay, "min_lr", 0.0) <= base:
        return False
    few = slice(None, None, max(1, n.size // 8))
    return all(misfit(y[part], decay(n[part], base), tol[part]) <= FITS for part in (few, slice(None)))


def _simple(
    n: Steps, y: Rates, tol: NDArray[np.float64], base: float, lengths: list[int], timescale: int, effort: Effort
) -> Iterator[Fall]:
    yield Fall(ConstantDecay(), 0.0)
    extra = 0.0
    for d in lengths:
        for kind, price in ((CosineDecay, 1.0), (LinearDecay, 1.0)):
            yield from floored(kind(d), n, y, tol, base, price + extra, effort)
        extra = min(extra + 0.001, 0.2)
    if (y > 0).all():
        yield from _ratios(n, y, tol, base)
        yield from _roots(n, y, base, timescale)
    yield from _drops(n, y, tol)


def _bent(
    n: Steps, y: Rates, tol: NDArray[np.float64], base: float, lengths: list[int], effort: Effort
) -> Iterator[Fall]:
    for d in lengths:
        if not effort.spend():
            return
        yield from _powers(d, n, y, tol, base, effort)
        yield from _stable(d, n, y, tol, base, effort)
        if y[-1] > 0 and n[-1] > 0:
            low = float(base * np.power(y[-1] / base, d / min(int(n[-1]), d)))
            for m in short_decimals(low, 1e-3):
                if 0 < m <= base:
                    yield Fall(ExponentialDecay(d, m), 1.3)


def floored(
    decay: Timed, n: Steps, y: Rates, tol: NDArray[np.float64], base: float, price: float, effort: Effort
) -> Iterator[Fall]:
    """The decay without a floor, and with the floor that fits best (the LR is linear in it)."""
    if not effort.spend():
        return
    share = decay(n, 1.0)
    if misfit(y, base * share, tol) <= FITS:
        yield Fall(decay, price)
    low = mixture(y, base * share, np.full(y.shape, base), tol)
    if low is not None and 1e-7 < low <= 1:
        for m in short_decimals(low * base, 1e-3):
            if m <= base and misfit(y, m + (base - m) * share, tol) <= FITS:
                yield Fall(dataclasses.replace(decay, min_lr=m), price + 0.3)


def _ratios(n: Steps, y: Rates, tol: NDArray[np.float64], base: float) -> Iterator[Fall]:
    use = n > 0
    if not use.any():
        return
    slopes = common(*(np.log(np.maximum(y + s * tol, 1e-300) / base)[use] / n[use] for s in (-1, 1)))
    if slopes is not None and slopes < 0:
        for g in short_decimals(float(np.exp(slopes)), 1e-5 / float(n.max())):
            if 0 < g < 1:
                yield Fall(ExponentialDecay(gamma=g), 1.2)


def _roots(n: Steps, y: Rates, base: float, timescale: int) -> Iterator[Fall]:
    if timescale > 0:
        yield Fall(InverseSqrtDecay(timescale), 1.0)
    over = (base / y) ** 2 - 1
    use = (n > 0) & (over > 1e-6)
    if use.any():
        k = round(float(np.median(n[use] / over[use])))
        for scale in range(max(1, k - 2), k + 3):
            if scale < 2**50:
                yield Fall(InverseSqrtDecay(scale), 1.4)


def _drops(n: Steps, y: Rates, tol: NDArray[np.float64]) -> Iterator[Fall]:
    """Equal ratios at a few steps, evenly spaced or not."""
    down = np.flatnonzero(y[:-1] - y[1:] > tol[1:] + tol[:-1]) + 1
    if down.size == 0 or down.size > 64 or (y <= 0).any():
        return
    ratios = y[down] / y[down - 1]
    low, high = n[down - 1], n[down]  # each drop is after low, up to high
    # Two drops between two logged steps look like one by the square of the factor.
    for g in dict.fromkeys(g for r in (np.max(ratios), np.median(ratios)) for g in short_decimals(float(r), 2e-4)):
        if not 0 < g < 1:
            continue
        count = np.arange(1, down.size + 1)
        least, most = int(np.max(low // count)) + 1, int(np.min(high // count))
        for size in range(least, min(most, least + 40) + 1):
            yield Fall(StepDecay(size, g), 1.2)
        times = np.rint(np.log(ratios) / np.log(g)).astype(int)
        if (times >= 1).all() and times.max() < 9:
            marks = tuple(int(m) for m in np.repeat(high, times))
            yield Fall(MultiStepDecay(marks, g), 1.5)


def _powers(d: int, n: Steps, y: Rates, tol: NDArray[np.float64], base: float, effort: Effort) -> Iterator[Fall]:
    left = 1 - n / d
    powers = {0.5, 1.5, 2.0, 3.0}
    floors = {0.0, float(y[n >= d].min()) if (n >= d).any() else float(y.min())}
    for low in floors:
        share = (y - low) / (base - low) if base > low else np.zeros(y.shape)
        use = (left > 0.05) & (left < 0.95) & (share > 0)
        if use.any():
            powers.update(short_decimals(float(np.median(np.log(share[use]) / np.log(left[use]))), 5e-3))
    for p in powers:
        if 0 < p < 50 and abs(p - 1) > 1e-3:
            yield from floored(PolynomialDecay(d, p), n, y, tol, base, 1.5, effort)


def _stable(d: int, n: Steps, y: Rates, tol: NDArray[np.float64], base: float, effort: Effort) -> Iterator[Fall]:
    """Constant, then down to the end: the constant part ends where the curve of the decay starts."""
    below = np.flatnonzero(base - y > 2 * tol)
    if below.size < 2 or below[0] == 0:
        return
    tail = below[(y[below] < base) & (n[below] < d)]
    before, first = int(n[below[0] - 1]), int(n[below[0]])
    if tail.size < 1:
        return
    for shape in ("linear", "cosine", "sqrt"):
        constant_steps = {before, first}
        for low in {0.0, float(y.min())}:
            share = np.clip((y[tail] - low) / (base - low), 1e-9, 1 - 1e-12) if base > low else None
            if share is None:
                continue
            if shape == "linear":
                p = 1 - share
            elif shape == "cosine":
                p = np.arccos(2 * share - 1) / np.pi
            else:
                p = (1 - share) ** 2
            use = p < 0.9
            if use.any():  # (n − S)/(d − S) = p
                s = round(float(np.median((n[tail][use] - p[use] * d) / (1 - p[use]))))
                constant_steps.update(range(s - 2, s + 3))
        for s in sorted(constant_steps):
            if 0 < s < d:
                yield from floored(StableDecay(s, d - s, shape), n, y, tol, base, 1.7, effort)


def cosine_lengths(n: Steps, y: Rates, base: float) -> list[int]:
    """Possible lengths of a cosine, from its curvature; its floor is fitted along with it."""
    use = (n > 0) & (y < base * (1 - 1e-6))
    if use.sum() < 3:
        return []
    steps, lrs = n[use].astype(np.float64), y[use]
    lengths: list[int] = []
    for low in (0.0, float(lrs.min())):
        share = np.clip((lrs - low) / (base - low) if base > low else np.zeros(lrs.shape), 1e-9, 1 - 1e-9)
        theta = np.arccos(2 * share - 1) / steps
        good = (share > 0.1) & (share < 0.9)
        if not good.any():
            continue
        rate, floor = float(np.median(theta[good])), low
        for _ in range(12):  # Gauss–Newton in the rate and the floor
            c = 0.5 * (1 + np.cos(rate * steps))
            columns = np.stack([-(base - floor) * 0.5 * np.sin(rate * steps) * steps, 1 - c], axis=1)
            step, *_ = np.linalg.lstsq(columns, lrs - (floor + (base - floor) * c), rcond=None)
            rate, floor = rate + float(step[0]), floor + float(step[1])
            if not 1e-9 < rate < 4 or not np.isfinite(rate):
                break
        else:
            length = round(np.pi / rate)
            lengths += list(range(max(1, length - 2), length + 3))
    return list(dict.fromkeys(lengths))


def line_length(n: Steps, y: Rates, base: float) -> list[int]:
    """Possible lengths of a linear decay to 0, or to the plateau at its end."""
    use = (n > 0) & (y < base)
    slope = common((base - y[use]) / n[use], (base - y[use]) / n[use]) if use.any() else None
    if slope is None or slope <= 0:
        return []
    steep = float(np.median((base - y[use]) / n[use]))
    ends = {base, base - float(y.min())}
    estimates = {round(e / steep) for e in ends} | {round(e / slope) for e in ends}
    return sorted(d for e in estimates for d in (e - 1, e, e + 1) if 0 < d < 2**50)
