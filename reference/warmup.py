"""Warmups of a given length: a factor that rises to 1 over W steps.

On its own a warmup is a schedule that warms up with progress x = t/W, then stays at the base LR.
Joined with a decay it becomes a `WarmupDecay`, whose `Convention` defines x.
The code passes progress as two integers, x = num/den with 0 <= num <= den.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .check import Rates, Steps, integer, real
from .convention import progress
from .schedule import Schedule, arg, schedule
from .shapes import blend, half_cosine
from .slug import register

#: Up to here integers are exact as float64, so computing progress rounds only once, in its division.
MOST_STEPS = 2**53


def step_count(name: str, value: object, minimum: int = 0) -> int:
    """Return `value` as a number of steps; raise unless it is an integer >= `minimum` and <= 2**53."""
    steps = integer(name, value, minimum)
    if steps > MOST_STEPS:
        raise ValueError(f"{name}={steps} must be <= 2**53")
    return steps


class Warmup(Schedule):
    """Base class of warmups: a factor w(t) that rises to 1."""

    if TYPE_CHECKING:  # a field in most subclasses, computed in the untuned ones

        @property
        def warmup_steps(self) -> int: ...

        @property
        def start_factor(self) -> float: ...

    #: Whether the warmup can start at a factor of 0; geometric ones cannot.
    _has_zero: ClassVar[bool] = False
    #: Whether the warmup follows the convention's `start`; untuned warmups do not.
    _obeys_start: ClassVar[bool] = True

    def _check(self) -> None:
        self._set("warmup_steps", step_count("warmup_steps", self.warmup_steps))
        if self._has_zero:
            self._set("start_factor", real("start_factor", self.start_factor, 0.0, 1.0))
        else:
            self._set("start_factor", real("start_factor", self.start_factor, high=1.0, above=0.0))

    def _values(self, t: Steps, base: float) -> Rates:
        return np.asarray(base * self._weights(t, "affine"))

    def _weights(self, t: Steps, start: str) -> Rates:
        """w(t) under a convention's `start`; with W = 0 the warmup is over before it starts."""
        steps = self.warmup_steps
        if steps == 0:
            return np.ones(t.shape)
        num, den = progress(start, np.minimum(t, steps - 1), steps)
        return np.where(t < steps, self._factor(num, den), 1.0)

    def _factor(self, num: Steps, den: int) -> Rates:
        """The factor at progress num/den."""
        raise NotImplementedError

    def _deficit(self) -> float:
        """Σ_t (1 − w(t)) for x = t/W; subclasses with a closed form override this sum."""
        return math.fsum(1.0 - self._weights(np.arange(self.warmup_steps), "affine"))


@schedule
class ConstantWarmup(Warmup):
    """Stay at a small LR for W steps, then jump to the base LR: w(t) = s for t < W.

    W: `warmup_steps` (steps), s: `start_factor` in (0, 1].
    The convention's `start` has no effect, because the factor does not depend on progress.
    Raises ValueError outside these ranges. Source: He et al. 2016, section 4.2; torch ConstantLR.

    >>> ConstantWarmup(2)([0, 1, 2]).tolist()
    [0.1, 0.1, 1.0]
    """

    slug_name = "constant"
    warmup_steps: int = arg()
    start_factor: float = arg("s", default=0.1)

    def _factor(self, num: Steps, den: int) -> Rates:
        return np.full(num.shape, self.start_factor)

    def _deficit(self) -> float:
        return self.warmup_steps * (1.0 - self.start_factor)


@schedule
class LinearWarmup(Warmup):
    """Rise linearly: w = s + (1−s)·x.

    W: `warmup_steps` (steps), s: `start_factor` in [0, 1], x: progress, t/W without a decay.
    Raises ValueError outside these ranges. Source: Goyal et al. 2017, section 2.2.

    >>> LinearWarmup(4)([0, 1, 4, 9]).tolist()
    [0.0, 0.25, 1.0, 1.0]
    """

    slug_name = "linear"
    warmup_steps: int = arg()
    start_factor: float = arg("s", default=0.0)
    _has_zero = True

    def _factor(self, num: Steps, den: int) -> Rates:
        return blend(1.0, self.start_factor, num / den)

    def _deficit(self) -> float:
        # Σ (1−s)(1 − t/W) over t < W
        return (1.0 - self.start_factor) * (self.warmup_steps + 1) / 2 if self.warmup_steps else 0.0


@schedule
class ExponentialWarmup(Warmup):
    """Rise by a constant ratio per step: w = s^(1−x).

    W: `warmup_steps` (steps), s: `start_factor` in (0, 1], x: progress, t/W without a decay.
    Raises ValueError outside these ranges. Source: ViT warmup tutorial, section 3 (exp_warmup).

    >>> ExponentialWarmup(2, start_factor=0.25)([0, 1, 2]).tolist()
    [0.25, 0.5, 1.0]
    """

    slug_name = "exponential"
    warmup_steps: int = arg()
    start_factor: float = arg("s", default=0.01)

    def _factor(self, num: Steps, den: int) -> Rates:
        return np.power(self.start_factor, (den - num) / den)

    def _deficit(self) -> float:
        s, steps = self.start_factor, self.warmup_steps
        if steps == 0 or s == 1.0:
            return 0.0
        return steps - (1.0 - s) / math.expm1(-math.log(s) / steps)  # a geometric series of ratio s^(−1/W)


@schedule
class CosineWarmup(Warmup):
    """Rise along half a cosine: w = s + (1−s)·½(1 − cos πx).

    W: `warmup_steps` (steps), s: `start_factor` in [0, 1], x: progress, t/W without a decay.
    Raises ValueError outside these ranges. Source: Noam tutorial, types of warmup 4.

    >>> CosineWarmup(2)([0, 1, 2]).round(12).tolist()
    [0.0, 0.5, 1.0]
    """

    slug_name = "cosinewarmup"
    warmup_steps: int = arg()
    start_factor: float = arg("s", default=0.0)
    _has_zero = True

    def _factor(self, num: Steps, den: int) -> Rates:
        return blend(1.0, self.start_factor, half_cosine(den - num, den))  # ½(1−cos πx) = ½(1+cos π(1−x))

    def _deficit(self) -> float:
        # Σ ½(1 + cos πt/W) over t < W is (W+1)/2: the cosines of t and W−t cancel, leaving that of t = 0.
        return (1.0 - self.start_factor) * (self.warmup_steps + 1) / 2 if self.warmup_steps else 0.0


@schedule
class StepWarmup(Warmup):
    """Rise in L jumps by a factor g: w = g^(⌊L·x⌋ − L).

    W: `warmup_steps` (steps), L: `levels` >= 1 (levels below 1), g: `gamma` > 1, x: progress, t/W without a decay.
    ⌊L·x⌋ is an integer division, so rounding never moves a jump.
    Raises ValueError outside these ranges, or if g^−L is below the smallest normal float64.
    Source: ViT warmup tutorial, section 3 (StepLR with a ratio above 1).

    >>> StepWarmup(4, levels=2)([0, 1, 2, 3, 4]).tolist()
    [0.25, 0.25, 0.5, 0.5, 1.0]
    """

    slug_name = "stepwise"
    warmup_steps: int = arg()
    levels: int = arg("l", default=5)
    gamma: float = arg("g", default=2.0)

    def _check(self) -> None:
        self._set("warmup_steps", step_count("warmup_steps", self.warmup_steps))
        self._set("levels", integer("levels", self.levels, 1))
        self._set("gamma", real("gamma", self.gamma, above=1.0))
        if self.levels * self.warmup_steps >= 2**63:
            raise ValueError(f"levels={self.levels} must be < 2**63 / warmup_steps={self.warmup_steps}")
        if self.levels * math.log2(self.gamma) > 1022:  # g^−L < 2^−1022, the smallest normal float64
            raise ValueError(f"levels={self.levels} must be <= 1022 / log2(gamma={self.gamma:g})")

    @property
    def start_factor(self) -> float:
        """g^−L, the lowest factor."""
        return self.gamma**-self.levels

    def _factor(self, num: Steps, den: int) -> Rates:
        return np.power(self.gamma, (self.levels * num // den - self.levels).astype(np.float64))


@schedule
class PolynomialWarmup(Warmup):
    """Rise as a power of progress: w = s + (1−s)·x^power.

    W: `warmup_steps` (steps), `power` > 0, s: `start_factor` in [0, 1], x: progress, t/W without a decay.
    Raises ValueError outside these ranges. Source: Keras and transformers polynomial schedules, reversed.

    >>> PolynomialWarmup(4, power=2.0)([0, 1, 2, 4]).tolist()
    [0.0, 0.0625, 0.25, 1.0]
    """

    slug_name = "polynomialwarmup"
    warmup_steps: int = arg()
    power: float = arg("p", default=2.0)
    start_factor: float = arg("s", default=0.0)
    _has_zero = True

    def _check(self) -> None:
        super()._check()
        self._set("power", real("power", self.power, above=0.0))

    def _factor(self, num: Steps, den: int) -> Rates:
        return blend(1.0, self.start_factor, np.power(num / den, self.power))


@schedule
class LogWarmup(Warmup):
    """Rise like a logarithm, fast at first: w = s + (1−s)·ln(1+k)/ln(1+N).

    W: `warmup_steps` (steps), s: `start_factor` in [0, 1]; k of N steps of progress: t of W without a decay, and t of
    W−1 with start='linspace', which is DeepSpeed's ln(t+1)/ln(W).
    Raises ValueError outside these ranges.
    Source: DeepSpeed 0.19.8, deepspeed/runtime/lr_schedules.py, WarmupLR with warmup_type='log', its default; there
    the whole schedule is one step late (`Delayed`).

    >>> LogWarmup(3)([0, 1, 3]).tolist()
    [0.0, 0.5, 1.0]
    """

    slug_name = "logwarmup"
    warmup_steps: int = arg()
    start_factor: float = arg("s", default=0.0)
    _has_zero = True

    def _factor(self, num: Steps, den: int) -> Rates:
        return blend(1.0, self.start_factor, np.log1p(num) / math.log1p(den))


def effective_period(warmup: Warmup) -> float:
    """The number of full-LR steps that a warmup costs: Σ_t (1 − w(t)), without a decay.

    Computed in closed form where one exists, otherwise by summing all terms.
    Raises TypeError for anything that is not a warmup. Source: Ma & Yarats 2021, section 5.

    >>> effective_period(LinearWarmup(999))
    500.0
    """
    if not isinstance(warmup, Warmup):
        raise TypeError(f"warmup={warmup!r} must be a warmup such as LinearWarmup(500)")
    return float(warmup._deficit())


register(ConstantWarmup, LinearWarmup, ExponentialWarmup, CosineWarmup, StepWarmup, PolynomialWarmup, LogWarmup)
