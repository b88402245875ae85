"""Every twin of a torch scheduler in 50-digit arithmetic, written from the documented formula alone.

As in oracle.py, each entry draws random parameters and returns an `Exact`.
The error factors, in units of 4 ulp (8 roundings), are derived as follows:

* powers: gamma and the exponent are exact, so gamma^t has one rounding for every t: factor 1.
* `blended`: in start·share + end·(1 − share) the error of 1 − share is absolute: factor end/value.
* `corner`: a corner of OneCycleLR at pct_start·T − 1 has an error of T·u (u: half an ulp of 1): factor T/length of
  the phase.
* a product of n rounded factors: n + 1.
* a cumulative pass: up to 19 roundings per step (16 for two ratios of rounded values, then two products and a sum),
  which is less than 3 units per step.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from reference import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    ReduceLROnPlateau,
    SequentialLR,
    chain,
    sequential,
)
from reference.tests.exact import SQUARE, Exact, Random, Refusals, base_of, half_wave, small, steps_of
from reference.tests.twin_cycles import CYCLE_REFUSALS, CYCLES
from reference.tests.twin_factors import FACTOR_REFUSALS, FACTORS, LONG, decay_rate, flat, mpf, ramp


def _chain_product(draw: Random) -> Exact:
    s, w, n, base = small(draw), steps_of(draw), steps_of(draw), base_of(draw)
    gamma = decay_rate(draw, LONG)
    return Exact(
        chain(LinearLR(s, 1.0, w), CosineAnnealingLR(n), ExponentialLR(gamma)),
        base,
        lambda t: base * ramp(s, 1.0, w, t) * half_wave(mpf(t) / n) * mpf(gamma) ** t,
        flat(1 + SQUARE + 1),
        n - 1,
    )


def _chain_pass(draw: Random) -> Exact:
    """Warmup and annealing to eta_min, by the recursion in the docstring of CosineAnnealingLR."""
    s, w, n, base = (
        float(draw.uniform(0.01, 0.5)),
        int(draw.integers(1, 1500)),
        int(draw.integers(10, 2000)),
        base_of(draw),
    )
    low = base * s * float(draw.uniform(0.01, 0.9))

    @functools.cache
    def rates() -> list[Any]:
        lrs = [base * mpf(s)]
        for t in range(1, n + 1):
            ratio = half_wave(mpf(t) / n) / half_wave(mpf(t - 1) / n)
            warmed = lrs[-1] * ramp(s, 1.0, w, t) / ramp(s, 1.0, w, t - 1)
            lrs.append(ratio * (warmed - low) + low)
        return lrs

    schedule = chain(LinearLR(s, 1.0, w), CosineAnnealingLR(n, low))
    return Exact(schedule, base, lambda t: rates()[t], lambda t: 3.0 * (t + 1), n - 1)


def _chain_overwritten(draw: Random) -> Exact:
    """LambdaLR overwrites the parts before it; those after it act once per step: a ratio of two powers, 1 + 2."""
    first, second, third, base = *(float(draw.uniform(0.99, 1)) for _ in range(3)), base_of(draw)
    return Exact(
        chain(ExponentialLR(first), LambdaLR(ExponentialLR(second)), ExponentialLR(third)),
        base,
        lambda t: base * mpf(second) ** t * (mpf(third) if t else 1),
        flat(3),
        20_000,
    )


def _sequence(draw: Random) -> Exact:
    """Warmup, a middle phase and annealing; the middle phase is a chain that contains a sequence."""
    s, low_share, base = small(draw), small(draw), base_of(draw)
    w, mid, n = steps_of(draw), steps_of(draw), steps_of(draw)
    half, gamma = max(mid // 2, 1), decay_rate(draw, LONG)
    inner = chain(sequential(ConstantLR(0.7, half), LinearLR(0.3, 0.9, mid), milestones=[half]), ExponentialLR(gamma))
    schedule = sequential(LinearLR(s, 1.0, w), inner, CosineAnnealingLR(n, base * low_share), milestones=[w, w + mid])

    def value(t: int) -> Any:
        if t < w:
            return base * ramp(s, 1.0, w, t)
        if t < w + mid:
            k = t - w
            return base * mpf(gamma) ** k * (mpf(0.7) if k < half else ramp(0.3, 0.9, mid, k - half))
        return base * low_share + (base - mpf(base * low_share)) * half_wave(mpf(t - w - mid) / n)

    # The largest factor of any part: a product of two factors (1 + 1), or the half cosine.
    return Exact(schedule, base, value, flat(SQUARE), w + mid + n)


KINDS: dict[str, Callable[[Random], Exact]] = {
    **FACTORS,
    **CYCLES,
    "ChainedScheduler-product": _chain_product,
    "ChainedScheduler-pass": _chain_pass,
    "ChainedScheduler-overwritten": _chain_overwritten,
    "SequentialLR": _sequence,
}

HALF = ExponentialLR(0.5)
PLATEAU = ReduceLROnPlateau((1.0,))

#: See `exact.Refusals`.
REFUSALS: list[Refusals] = [
    *FACTOR_REFUSALS,
    *CYCLE_REFUSALS,
    (LRScheduler, {}, []),
    (
        SequentialLR,
        {"schedulers": (HALF, HALF), "milestones": (4,)},
        [
            ("schedulers", HALF, "must be a list or tuple"),
            ("schedulers", (), "must contain at least one"),
            ("schedulers", (HALF, 0.5), "must be a schedule"),
            ("schedulers", (HALF, PLATEAU), "must be used on its own"),
            ("milestones", (), "must have one entry fewer"),
            ("milestones", (4, 9), "must have one entry fewer"),
            ("milestones", (4.5,), "must be an integer"),
            ("milestones", (-1,), "must be >= 0"),
        ],
    ),
    (
        ChainedScheduler,
        {},
        [
            ("schedulers", HALF, "must be a list or tuple"),
            ("schedulers", (), "must contain at least one"),
            ("schedulers", (HALF, None), "must be a schedule"),
            ("schedulers", (PLATEAU,), "must be used on its own"),
        ],
    ),
]
