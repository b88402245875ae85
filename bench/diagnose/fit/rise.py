"""Fit warmups of W steps to learning rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.diagnosis import FITS
from bench.diagnose.hypotheses.evidence import common, misfit
from reference import (
    ConstantDecay,
    ConstantWarmup,
    Convention,
    CosineWarmup,
    ExponentialWarmup,
    LinearWarmup,
    PolynomialWarmup,
    StepWarmup,
    Warmup,
    WarmupDecay,
)
from reference.check import Rates, Steps

#: A start factor below this counts as 0.
ZERO = 1e-7


@dataclasses.dataclass(frozen=True)
class Rise:
    """A warmup with its start and the base LR at its end; `cost` counts the numbers that were fitted."""

    warmup: Warmup
    start: str
    base: float
    cost: float

    def at(self, t: Steps) -> Rates:
        """The LRs of the warmup, then the base LR."""
        return WarmupDecay(self.warmup, ConstantDecay(), Convention(self.start))(t, self.base)


def short_decimals(value: float, error: float) -> list[float]:
    """The shortest decimal within a relative error of a value, and the value itself."""
    for digits in range(1, 13):
        short = float(f"{value:.{digits}g}")
        if abs(short - value) <= error * abs(value):
            return [short, value] if short != value else [value]
    return [value]


def _progress(start: str, t: Steps, w: int) -> Rates:
    if start == "first":
        return (t + 1) / w
    return t / max(w - 1, 1) if start == "linspace" else t / w


def rises(t: Steps, y: Rates, tol: NDArray[np.float64], w: int, base: float | None) -> list[Rise]:
    """The warmups of W steps that fit these LRs, simplest first; with any base LR if none is given."""
    inside = t < w
    if w == 0 or not inside.any():
        return []
    t, y, tol = t[inside], y[inside], tol[inside]
    fitting: list[Rise] = []
    for rise in _candidates(t, y, tol, w, base):
        if rise.warmup.start_factor > 0.999:
            continue  # it does not rise
        known = any(type(r.warmup) is type(rise.warmup) and r.start == rise.start and _near(r, rise) for r in fitting)
        if not known and misfit(y, rise.at(t), tol) <= FITS:
            fitting.append(rise)
    return sorted(fitting, key=lambda r: r.cost)


def _near(a: Rise, b: Rise) -> bool:
    """Whether the numbers are equal up to the rounding of a log: then the shorter ones come first."""
    return abs(a.base - b.base) <= 1e-4 * a.base and abs(a.warmup.start_factor - b.warmup.start_factor) <= 1e-4


def _candidates(t: Steps, y: Rates, tol: NDArray[np.float64], w: int, base: float | None) -> Iterator[Rise]:
    for start, price in (("affine", 0.0), ("first", 0.0), ("linspace", 0.3)):
        x = _progress(start, t, w)
        yield from _straight(LinearWarmup, x, y, tol, w, base, start, price)
        yield from _straight(CosineWarmup, 0.5 * (1 - np.cos(np.pi * x)), y, tol, w, base, start, price + 0.5)
        if ((y > 0).all() and start != "linspace") or (x < 1).all():
            yield from _ratios(x, y, tol, w, base, start, price + 0.5)
        if base is not None:
            yield from _powers(x, y, tol, w, base, start, price + 0.8)
    if base is not None and 0 < y[0] <= base:
        yield Rise(ConstantWarmup(w, float(y[0] / base)), "affine", base, 0.3)
        yield from _treads(y, tol, w, base)


def _straight(
    kind: type[LinearWarmup | CosineWarmup],
    f: Rates,
    y: Rates,
    tol: NDArray[np.float64],
    w: int,
    base: float | None,
    start: str,
    price: float,
) -> Iterator[Rise]:
    """y = base·(s + (1−s)·f), linear in f."""
    if base is None:
        if y.size < 2:
            return
        scale = 1 / tol if float(tol.max()) < np.inf else np.ones(tol.shape)
        columns = np.stack([1 - f, f], axis=1) * scale[:, None]
        (low, high), *_ = np.linalg.lstsq(columns, y * scale, rcond=None)
        bases = short_decimals(float(high), 2e-9 if tol.max() < 1e-9 * y.max() else 2e-4)
        # With s = 0 the line passes through the origin: one number less.
        origin = common(*_interval(y, f, tol))
        bases += short_decimals(origin, 2e-5) if origin is not None else []
        ends = [(b, float(low) / b) for b in bases if b > 0] + [(b, 0.0) for b in bases if b > 0]
    else:
        left = 1 - f
        use = left > 1e-9
        s = common(*_interval(y - base * f, base * left, tol)) if use.any() else None
        ends = [(base, 0.0)] + ([(base, s)] if s is not None else [])
    for b, s in ends:
        for factor in [0.0] if abs(s) < ZERO else short_decimals(s, 1e-9 if tol.max() < 1e-9 * b else 1e-4):
            if not 0 <= factor <= 1 or misfit(y, b * (factor + (1 - factor) * f), tol) > FITS:
                continue
            zero = factor == 0.0
            name = "zero" if zero and start == "affine" else start
            yield Rise(kind(w, factor), name, b, price + (0.0 if zero else 0.3 + 0.7 * (start == "first")))


def _interval(y: Rates, f: Rates, tol: NDArray[np.float64]) -> tuple[Rates, Rates]:
    use = f > 1e-9 * float(np.abs(f).max(initial=1e-300))
    return (y[use] - tol[use]) / f[use], (y[use] + tol[use]) / f[use]


def _ratios(
    x: Rates, y: Rates, tol: NDArray[np.float64], w: int, base: float | None, start: str, price: float
) -> Iterator[Rise]:
    """y = base·s^(1−x), linear in the logarithm."""
    left = 1 - x
    if (y <= 0).any() or not (left > 0).any():
        return
    log = np.log(y)
    if base is None:
        if y.size < 2:
            return
        scale = y / tol
        (slope, top), *_ = np.linalg.lstsq(np.stack([left, np.ones(left.shape)], 1) * scale[:, None], log * scale, None)
        pairs = [(b, float(slope)) for b in short_decimals(float(np.exp(top)), 2e-5)]
    else:
        use = left > 0
        low, high = (np.log(np.maximum(y + sign * tol, 1e-300) / base)[use] / left[use] for sign in (-1, 1))
        middle = common(np.minimum(low, high), np.maximum(low, high))
        pairs = [] if middle is None else [(base, middle)]
    for b, power in pairs:
        s = float(np.exp(min(power, 0.0)))
        for factor in short_decimals(s, 1e-3):
            if 0 < factor < 1 and misfit(y, b * factor**left, tol) <= FITS:
                yield Rise(ExponentialWarmup(w, factor), "zero" if start == "affine" else start, b, price)


def _powers(
    x: Rates, y: Rates, tol: NDArray[np.float64], w: int, base: float, start: str, price: float
) -> Iterator[Rise]:
    """y = base·(s + (1−s)·x^p), with s from the first LR if that is at x = 0."""
    starts = {0.0, float(y[0] / base)} if x[0] == 0 else {0.0}
    for s in starts:
        if not 0 <= s < 1:
            continue
        share = (y / base - s) / (1 - s)
        use = (x > 0) & (x < 1) & (share > 0)
        if not use.any():
            continue
        power = float(np.median(np.log(share[use]) / np.log(x[use])))
        for p in short_decimals(power, 5e-3):
            if p > 0 and abs(p - 1) > 1e-3 and misfit(y, base * (s + (1 - s) * x**p), tol) <= FITS:
                name = "zero" if s == 0 and start == "affine" else start
                yield Rise(PolynomialWarmup(w, p, s), name, base, price + 0.3 * (s > 0))


def _treads(y: Rates, tol: NDArray[np.float64], w: int, base: float) -> Iterator[Rise]:
    up = np.flatnonzero(y[1:] - y[:-1] > tol[1:] + tol[:-1])
    if up.size == 0 or y[0] <= 0 or y[up[0]] <= 0:
        return
    gamma = float(y[up[0] + 1] / y[up[0]])
    levels = round(float(np.log(base / y[0]) / np.log(gamma))) if gamma > 1.0001 else 0
    if 1 <= levels <= 64:
        for g in (g for g in short_decimals(gamma, 1e-3) if g > 1):  # a rise by 0.04 % rounds to none
            yield Rise(StepWarmup(w, levels, g), "affine", base, 0.9)
