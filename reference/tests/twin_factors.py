"""Twins of the schedulers that follow one formula of the step, in 50-digit arithmetic; bounds in twins.py."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import mpmath

from reference import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from reference.tests.exact import SQUARE, Exact, Random, base_of, half_wave, small, steps_of

mpf = mpmath.mpf
LONG = 10**6


def flat(amount: float) -> Callable[[int], float]:
    """A factor that is the same at every step."""
    return lambda t: amount


def decay_rate(draw: Random, steps: int) -> float:
    """A factor that leaves 1e-80 after `steps` steps at the least."""
    return float(1 - 10 ** draw.uniform(-4, 0) * min(0.9, 100 / steps))


def ramp(s: float, e: float, n: int, t: int) -> Any:
    """From s to e over n steps, then e."""
    return s + (mpf(e) - s) * min(t, n) / n


def _lambda(draw: Random) -> Exact:
    gamma, base = decay_rate(draw, LONG), base_of(draw)
    return Exact(LambdaLR(ExponentialLR(gamma)), base, lambda t: base * mpf(gamma) ** t, flat(1), LONG)


def _multiplicative(draw: Random) -> Exact:
    s, e, n, base = (
        float(draw.uniform(0.98, 1)),
        float(draw.uniform(0.98, 1)),
        int(draw.integers(1, 3000)),
        base_of(draw),
    )

    @functools.cache
    def products() -> list[Any]:
        found = [mpf(base)]
        for t in range(1, 4000):
            found.append(found[-1] * ramp(s, e, n, t))
        return found

    return Exact(MultiplicativeLR(LinearLR(s, e, n)), base, lambda t: products()[t], lambda t: t + 1, 4000 - 2)


def _step(draw: Random) -> Exact:
    size, base = steps_of(draw), base_of(draw)
    gamma = decay_rate(draw, max(LONG // size, 1))
    return Exact(StepLR(size, gamma), base, lambda t: base * mpf(gamma) ** (t // size), flat(1), LONG)


def _multistep(draw: Random) -> Exact:
    marks, gamma, base = tuple(steps_of(draw) for _ in range(6)), float(draw.uniform(0.05, 1.5)), base_of(draw)
    return Exact(
        MultiStepLR((*marks, marks[0]), gamma),
        base,
        lambda t: base * mpf(gamma) ** (sum(m <= t for m in marks) + (marks[0] <= t)),
        flat(1),
        marks[0],
    )


def _constant(draw: Random) -> Exact:
    n, f, base = steps_of(draw), small(draw), base_of(draw)
    return Exact(ConstantLR(f, n), base, lambda t: base * (mpf(f) if t < n else mpf(1)), flat(1), n)


def _linear(draw: Random) -> Exact:
    s, e, n, base = small(draw), small(draw), steps_of(draw), base_of(draw)
    return Exact(LinearLR(s, e, n), base, lambda t: base * ramp(s, e, n, t), flat(1), n)


def _exponential(draw: Random) -> Exact:
    gamma, base = decay_rate(draw, LONG), base_of(draw)
    return Exact(ExponentialLR(gamma), base, lambda t: base * mpf(gamma) ** t, flat(1), LONG)


def _polynomial(draw: Random) -> Exact:
    n, power, base = steps_of(draw), float(draw.uniform(0.2, 4)), base_of(draw)
    return Exact(
        PolynomialLR(n, power),
        base,
        lambda t: base * (1 - mpf(min(t, n)) / n) ** power,
        flat(1 + power),
        n,
    )


def _cosine(draw: Random) -> Exact:
    n, base = steps_of(draw), base_of(draw)
    low = base * small(draw) if draw.random() < 0.7 else 0.0
    return Exact(
        CosineAnnealingLR(n, low), base, lambda t: low + (mpf(base) - low) * half_wave(mpf(t) / n), flat(SQUARE), 3 * n
    )


def _restarts(mult: int) -> Callable[[Random], Exact]:
    def make(draw: Random) -> Exact:
        first, base = steps_of(draw), base_of(draw)
        low = base * small(draw)

        def value(t: int) -> Any:
            since, length = t, first
            if mult == 1:
                since %= first
            while since >= length:
                since, length = since - length, length * mult
            return low + (mpf(base) - low) * half_wave(mpf(since) / length)

        return Exact(CosineAnnealingWarmRestarts(first, mult, low), base, value, flat(SQUARE), 5 * first)

    return make


FACTORS: dict[str, Callable[[Random], Exact]] = {
    "LambdaLR": _lambda,
    "MultiplicativeLR": _multiplicative,
    "StepLR": _step,
    "MultiStepLR": _multistep,
    "ConstantLR": _constant,
    "LinearLR": _linear,
    "ExponentialLR": _exponential,
    "PolynomialLR": _polynomial,
    "CosineAnnealingLR": _cosine,
    **{f"CosineAnnealingWarmRestarts-{m}": _restarts(m) for m in (1, 2, 3)},
}
