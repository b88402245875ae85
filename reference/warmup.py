"""Warmups of a chosen length: a factor that rises to 1 over W steps.

A warmup alone is a schedule: it warms up with x = t/W, then holds the base LR.
With a decay it becomes a `WarmupDecay`, whose `Convention` says what x is.
The progress x arrives as two whole numbers, x = num/den with 0 <= num <= den.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .check import Rates, Steps, integer, real
from .convention import progress
from .schedule import Schedule, arg, schedule
from .shapes import between, half_cosine
from .slug import register

#: Numbers of steps up to here are exact as float64, so progress is rounded only by its one division.
MOST_STEPS = 2**53


def span(name: str, value: object, minimum: int = 0) -> int:
    """Return a number of steps; raise unless it is whole, >= `minimum` and <= 2**53."""
    steps = integer(name, value, minimum)
    if steps > MOST_STEPS:
        raise ValueError(f"{name}={steps} must be <= 2**53")
    return steps


class Warmup(Schedule):
    """A factor w(t) that rises to 1: base class of every warmup."""

    if TYPE_CHECKING:  # a field in most subclasses, computed in the untuned ones

        @property
        def warmup_steps(self) -> int: ...

        @property
        def start_factor(self) -> float: ...

    #: A factor of 0 is a possible start; geometric kinds have none.
    _has_zero: ClassVar[bool] = False
    #: The kind obeys the convention's `start`; the untuned kinds have a rule of their own.
    _obeys_start: ClassVar[bool] = True

    def _check(self) -> None:
        self._set("warmup_steps", span("warmup_steps", self.warmup_steps))
        if self._has_zero:
            self._set("start_factor", real("start_factor", self.start_factor, 0.0, 1.0))
        else:
            self._set("start_factor", real("start_factor", self.start_factor, high=1.0, above=0.0))

    def _values(self, t: Steps, base: float) -> Rates:
        return np.asarray(base * self._weights(t, "affine"))

    def _weights(self, t: Steps, start: str) -> Rates:
        """w(t) under a convention's `start`; W = 0 is over before it starts."""
        steps = self.warmup_steps
        if steps == 0:
            return np.ones(t.shape)
        num, den = progress(start, np.minimum(t, steps - 1), steps)
        return np.where(t < steps, self._factor(num, den), 1.0)

    def _factor(self, num: Steps, den: int) -> Rates:
        """The factor at progress num/den."""
        raise NotImplementedError

    def _deficit(self) -> float:
        """Σ_t (1 − w(t)) for x = t/W: the sum itself, unless a subclass knows it in closed form."""
        return math.fsum(1.0 - self._weights(np.arange(self.warmup_steps), "affine"))


@schedule
class ConstantWarmup(Warmup):
    """Hold a small LR for W steps, then jump: w(t) = s for t < W.

    W: `warmup_steps` (steps), s: `start_factor` in (0, 1].
    The convention's `start` changes nothing: there is no progress to count.
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
    """Rise by equal steps: w = s + (1−s)·x.

    W: `warmup_steps` (steps), s: `start_factor` in [0, 1], x: progress, t/W when alone.
    Raises ValueError outside these ranges. Source: Goyal et al. 2017, section 2.2.

    >>> LinearWarmup(4)([0, 1, 4, 9]).tolist()
    [0.0, 0.25, 1.0, 1.0]
    """

    slug_name = "linear"
    warmup_steps: int = arg()
    start_factor: float = arg("s", default=0.0)
    _has_zero = True

    def _factor(self, num: Steps, den: int) -> Rates:
        return between(1.0, self.start_factor, num / den)

    def _deficit(self) -> float:
        # Σ (1−s)(1 − t/W) over t < W
        return (1.0 - self.start_factor) * (self.warmup_steps + 1) / 2 if self.warmup_steps else 0.0


@schedule
class ExponentialWarmup(Warmup):
    """Rise by equal ratios: w = s^(1−x).

    W: `warmup_steps` (steps), s: `start_factor` in (0, 1], x: progress, t/W when alone.
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
        return steps - (1.0 - s) / math.expm1(-math.log(s) / steps)  # a geometric sum of ratio s^(−1/W)


@schedule
class CosineWarmup(Warmup):
    """Rise along half a cosine: w = s + (1−s)·½(1 − cos πx).

    W: `warmup_steps` (steps), s: `start_factor` in [0, 1], x: progress, t/W when alone.
    Raises ValueError outside these ranges. Source: Noam tutorial, types of warmup 4.

    >>> CosineWarmup(2)([0, 1, 2]).round(12).tolist()
    [0.0, 0.5, 1.0]
    """

    slug_name = "cosinewarmup"
    warmup_steps: int = arg()
    start_factor: float = arg("s", default=0.0)
    _has_zero = True

    def _factor(self, num: Steps, den: int) -> Rates:
        return between(1.0, self.start_factor, half_cosine(den - num, den))  # ½(1−cos πx) = ½(1+cos π(1−x))

    def _deficit(self) -> float:
        # Σ ½(1 + cos πt/W) over t < W is (W+1)/2: the cosines cancel in pairs but for t = 0
        return (1.0 - self.start_factor) * (self.warmup_steps + 1) / 2 if self.warmup_steps else 0.0


@schedule
class StepWarmup(Warmup):
    """Rise in treads, each a factor g above the last: w = g^(⌊L·x⌋ − L).

    W: `warmup_steps` (steps), L: `levels` >= 1 (treads below 1), g: `gamma` > 1, x: progress, t/W when alone.
    ⌊L·x⌋ is a division of whole numbers, so no rounding moves a tread.
    Raises ValueError outside these ranges or where g^−L is no normal number.
    Source: ViT warmup tutorial, section 3 (StepLR with a ratio above 1).

    >>> StepWarmup(4, levels=2)([0, 1, 2, 3, 4]).tolist()
    [0.25, 0.25, 0.5, 0.5, 1.0]
    """

    slug_name = "stepwise"
    warmup_steps: int = arg()
    levels: int = arg("l", default=5)
    gamma: float = arg("g", default=2.0)

    def _check(self) -> None:
        self._set("warmup_steps", span("warmup_steps", self.warmup_steps))
        self._set("levels", integer("levels", self.levels, 1))
        self._set("gamma", real("gamma", self.gamma, above=1.0))
        if self.levels * self.warmup_steps >= 2**63:
            raise ValueError(f"levels={self.levels} must be < 2**63 / warmup_steps={self.warmup_steps}")
        if self.levels * math.log2(self.gamma) > 1022:  # below the smallest normal float64
            raise ValueError(f"levels={self.levels} must be <= 1022 / log2(gamma={self.gamma:g})")

    @property
    def start_factor(self) -> float:
        """g^−L, the factor of the lowest tread."""
        return self.gamma**-self.levels

    def _factor(self, num: Steps, den: int) -> Rates:
        return np.power(self.gamma, (self.levels * num // den - self.levels).astype(np.float64))


@schedule
class PolynomialWarmup(Warmup):
    """Rise along a power: w = s + (1−s)·x^power.

    W: `warmup_steps` (steps), `power` > 0, s: `start_factor` in [0, 1], x: progress, t/W when alone.
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
        return between(1.0, self.start_factor, np.power(num / den, self.power))


def effective_period(warmup: Warmup) -> float:
    """How many full-size steps a warmup holds back: Σ_t (1 − w(t)), for the warmup alone.

    A closed form where there is one, else the sum of all its terms.
    Raises TypeError for anything that is not a warmup. Source: Ma & Yarats 2021, section 5.

    >>> effective_period(LinearWarmup(999))
    500.0
    """
    if not isinstance(warmup, Warmup):
        raise TypeError(f"warmup={warmup!r} must be a warmup such as LinearWarmup(500)")
    return float(warmup._deficit())


register(ConstantWarmup, LinearWarmup, ExponentialWarmup, CosineWarmup, StepWarmup, PolynomialWarmup)
