"""The schedules of a sweep: a kind of warmup with a length, and a decay, together T steps.

All follow the reference's default convention, family A: at step t < W the progress of the warmup is t/W
(a linear or cosine one starts with LR 0), the decay starts at step W with the base LR,
ends one step after the last, and stays at its final value.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from reference import (
    ConstantDecay,
    ConstantWarmup,
    CosineDecay,
    CosineWarmup,
    Decay,
    ExponentialWarmup,
    InverseSqrtDecay,
    LinearDecay,
    LinearWarmup,
    PolynomialWarmup,
    StepWarmup,
    Warmup,
    WarmupDecay,
    effective_period,
)
from reference.check import integer, one_of, real

#: The name of a warmup of length 0, whatever its kind.
NONE = "none"
KINDS: dict[str, Callable[[int], Warmup]] = {
    NONE: lambda steps: LinearWarmup(0),
    "constant": ConstantWarmup,
    "linear": LinearWarmup,
    "exponential": ExponentialWarmup,
    "cosine": CosineWarmup,
    "stepwise": StepWarmup,
    "polynomial": PolynomialWarmup,
}
#: Functions of the lengths of decay and warmup; only the inverse square root needs the second.
DECAYS: dict[str, Callable[[int, int], Decay]] = {
    "cosine": lambda steps, warmup: CosineDecay(steps),
    "linear": lambda steps, warmup: LinearDecay(steps),
    "hold": lambda steps, warmup: ConstantDecay(),
    "invsqrt": lambda steps, warmup: InverseSqrtDecay(max(warmup, 1)),
}


def warmup_of(kind: str, steps: int) -> Warmup:
    """The warmup of a kind with length W in steps; at W = 0 all kinds are the same.

    Raises ValueError for an unknown kind or a negative length.

    >>> warmup_of("cosine", 20).slug, warmup_of("cosine", 0).slug
    ('cosinewarmup20', 'linear0')
    """
    make = KINDS[one_of("kind", kind, tuple(KINDS))]
    return make(steps) if integer("warmup_steps", steps) else KINDS[NONE](0)


def pair(kind: str, warmup_steps: int, decay: str, total_steps: int) -> WarmupDecay:
    """A warmup of W steps and a decay of T − W; raises ValueError for unknown names, or W > T.

    >>> pair("linear", 20, "cosine", 200).slug
    'linear20+cosine180'
    """
    rest = integer("total_steps", total_steps) - integer("warmup_steps", warmup_steps)
    if rest < 0:
        raise ValueError(f"warmup_steps={warmup_steps} must be <= total_steps={total_steps}")
    return WarmupDecay(warmup_of(kind, warmup_steps), DECAYS[one_of("decay", decay, tuple(DECAYS))](rest, warmup_steps))


def matching_length(kind: str, period: float, most: int) -> int:
    """The length W in 0 … `most` whose effective period Σ(1−w(t)) is nearest to `period`, in steps.

    Lengths are integers, so periods agree to about half a step: the table shows the actual period.
    Raises ValueError for an unknown kind or a period that is not finite and >= 0.

    >>> matching_length("exponential", effective_period(LinearWarmup(100)), most=200)
    64
    """
    real("period", period, low=0.0)
    if kind == NONE:
        return 0

    def period_of(steps: int) -> float:
        return effective_period(warmup_of(kind, steps))

    above = bisect_left(range(most), period, key=period_of)
    return min((max(above - 1, 0), above), key=lambda steps: abs(period_of(steps) - period))
