"""Exact values of the twins that are one formula of the step; the error factors are derived in twins.py."""

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
from reference.tests.exact import INF, NAN, SQUARE, Exact, Random, Refusals, base_of, half_wave, small, steps_of

mpf = mpmath.mpf
LONG = 10**6


def flat(amount: float) -> Callable[[int], float]:
    """The same error factor at every step."""
    return lambda t: amount


def decay_rate(draw: Random, steps: int) -> float:
    """A factor per step whose product over `steps` steps is at least 1e-80."""
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
        rates = [mpf(base)]
        for t in range(1, 4000):
            rates.append(rates[-1] * ramp(s, e, n, t))
        return rates

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

#: See `exact.Refusals`.
FACTOR_REFUSALS: list[Refusals] = [
    (LambdaLR, {}, [("lr_lambda", 0.5, "must be a schedule"), ("lr_lambda", None, "must be a schedule")]),
    (MultiplicativeLR, {}, [("lr_lambda", abs, "must be a schedule")]),
    (
        StepLR,
        {"step_size": 3},
        [
            ("step_size", 0, "must be >= 1"),
            ("step_size", 2.5, "must be an integer"),
            ("step_size", True, "must be an integer"),
            ("gamma", NAN, "must be finite"),
            ("gamma", "0.1", "must be a real number"),
        ],
    ),
    (
        MultiStepLR,
        {"milestones": (2, 5)},
        [
            ("milestones", (0,), "must be >= 1"),
            ("milestones", (2, 2.5), "must be an integer"),
            ("gamma", INF, "must be finite"),
        ],
    ),
    (
        ConstantLR,
        {},
        [
            ("factor", -0.1, "must be >= 0"),
            ("factor", 1.1, "must be <= 1"),
            ("total_iters", -1, "must be >= 0"),
            ("total_iters", 4.5, "must be an integer"),
        ],
    ),
    (
        LinearLR,
        {},
        [
            ("start_factor", 0.0, "must be > 0"),
            ("start_factor", 1.1, "must be <= 1"),
            ("end_factor", -0.1, "must be >= 0"),
            ("end_factor", 1.1, "must be <= 1"),
            ("total_iters", -1, "must be >= 0"),
            ("total_iters", 5.0, "must be an integer"),
        ],
    ),
    (ExponentialLR, {}, [("gamma", NAN, "must be finite"), ("gamma", None, "must be a real number")]),
    (
        PolynomialLR,
        {},
        [
            ("total_iters", -1, "must be >= 0"),
            ("total_iters", 4.5, "must be an integer"),
            ("power", 0.0, "must be > 0"),
            ("power", -INF, "must be finite"),
        ],
    ),
    (
        CosineAnnealingLR,
        {"T_max": 5},
        [
            ("T_max", 0, "must be >= 1"),
            ("T_max", 4.5, "must be an integer"),
            ("eta_min", NAN, "must be finite"),
        ],
    ),
    (
        CosineAnnealingWarmRestarts,
        {"T_0": 5},
        [
            ("T_0", 0, "must be >= 1"),
            ("T_0", 2.5, "must be an integer"),
            ("T_mult", 0, "must be >= 1"),
            ("T_mult", 1.5, "must be an integer"),
            ("eta_min", INF, "must be finite"),
        ],
    ),
]
