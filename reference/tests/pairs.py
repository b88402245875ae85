"""One warmup and one decay of every kind, and every convention, for the tests of all their combinations."""

from __future__ import annotations

import itertools

from reference.convention import CLOCKS, ENDS, PAST_ENDS, STARTS, Convention
from reference.decay import (
    ConstantDecay,
    Decay,
    ExponentialDecay,
    InverseSqrtDecay,
    MultiStepDecay,
    PiecewiseDecay,
    StepDecay,
)
from reference.restarts import CosineRestartsDecay, WarmRestartsDecay
from reference.timed_decay import CosineDecay, LinearDecay, PolynomialDecay, StableDecay, TanhDecay
from reference.untuned import RAdamWarmup, UntunedExponentialWarmup, UntunedLinearWarmup
from reference.warmup import (
    ConstantWarmup,
    CosineWarmup,
    ExponentialWarmup,
    LinearWarmup,
    LogWarmup,
    PolynomialWarmup,
    StepWarmup,
    Warmup,
)

WARMUPS: tuple[Warmup, ...] = (
    ConstantWarmup(5, 0.3),
    LinearWarmup(5),
    LinearWarmup(5, 0.1),
    ExponentialWarmup(5, 1e-6),
    CosineWarmup(5),
    CosineWarmup(5, 0.2),
    StepWarmup(5, levels=3, gamma=1.5),
    PolynomialWarmup(5, 0.5),
    LogWarmup(5),
    LogWarmup(5, 0.2),
    UntunedLinearWarmup(0.75),
    UntunedExponentialWarmup(0.8),
    RAdamWarmup(0.9, 5),
)

DECAYS: tuple[Decay, ...] = (
    ConstantDecay(),
    LinearDecay(7, 1e-05),
    CosineDecay(7),
    CosineDecay(0, 0.25),
    PolynomialDecay(7, 2.0, 0.125),
    PolynomialDecay(7, 1.5),
    ExponentialDecay(gamma=0.9),
    ExponentialDecay(7, 1e-3),
    StepDecay(3, 0.5),
    MultiStepDecay((2, 2, 6)),
    PiecewiseDecay((2, 6), (0.316, 0.1)),
    InverseSqrtDecay(4),
    InverseSqrtDecay(4, 3, 0.01),
    TanhDecay(7, -3.0, 2.0, 0.01),
    CosineRestartsDecay(7, 3, 0.01),
    WarmRestartsDecay(3, 2, 0.5, min_lr=0.01),
    WarmRestartsDecay(3, 1, 0.5, "range", 0.01),
    WarmRestartsDecay(3, 1, 0.5, "top", 0.01),
    StableDecay(3, 4),
    StableDecay(3, 4, "sqrt", 0.01),
    StableDecay(3, 4, "cosine"),
    StableDecay(3, 4, "exponential", 0.01),
    StableDecay(3, 4, "geometric", 0.01),
)

CONVENTIONS: tuple[Convention, ...] = tuple(
    Convention(*choice) for choice in itertools.product(STARTS, ENDS, CLOCKS, PAST_ENDS)
)
