"""Untuned warmups: their length follows from Adam's β2 instead of being chosen.

The convention's `start` does not apply to them, and the factor is w(t) at every step, even past the nominal length.
`warmup_steps` is that nominal length; with the prefix clock the decay starts there.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import ClassVar

import numpy as np

from .check import Rates, Steps, integer, real
from .schedule import arg, schedule
from .slug import register
from .warmup import Warmup


class UntunedWarmup(Warmup):
    """Base class of warmups whose length follows from `beta2`."""

    beta2: float
    _obeys_start: ClassVar[bool] = False

    def _check(self) -> None:
        self._set("beta2", real("beta2", self.beta2, above=0.0, below=1.0))

    @property
    def warmup_steps(self) -> int:
        """The nominal length: the effective period, rounded up to an integer."""
        return math.ceil(self._deficit())

    @property
    def start_factor(self) -> float:
        """w(0)."""
        return float(self._weights(np.zeros(1, np.int64), "affine")[0])

    def _weights(self, t: Steps, start: str) -> Rates:
        return self._at_count(t.astype(np.float64) + 1.0)

    def _at_count(self, s: Rates) -> Rates:
        """w as a function of the step count from 1, s = t + 1."""
        raise NotImplementedError


@schedule
class UntunedLinearWarmup(UntunedWarmup):
    """w(t) = min(1, (t+1)·(1−β2)/2): linear over 2/(1−β2) steps.

    β2: `beta2` in (0, 1). `warmup_steps` is ⌈2/(1−β2)⌉ for the decimal value of β2:
    0.9 gives 20, although the nearest binary fraction would give 21.
    Raises ValueError outside the range. Source: Ma & Yarats 2021, section 5.

    >>> w = UntunedLinearWarmup(beta2=0.75)
    >>> w(range(9)).tolist(), w.warmup_steps
    ([0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.0], 8)
    """

    slug_name = "untunedlinear"
    beta2: float = arg("b", default=0.999)

    @property
    def warmup_steps(self) -> int:
        """⌈2/(1−β2)⌉."""
        return math.ceil(2 / (1 - Fraction(repr(self.beta2))))

    def _at_count(self, s: Rates) -> Rates:
        return np.minimum(1.0, s * (1.0 - self.beta2) / 2)

    def _deficit(self) -> float:
        c = (1.0 - self.beta2) / 2
        n = math.floor(1 / c)  # the steps s = 1 … n have s·c <= 1
        return n - c * n * (n + 1) / 2


@schedule
class UntunedExponentialWarmup(UntunedWarmup):
    """w(t) = 1 − exp(−(1−β2)(t+1)): approaches 1 but never reaches it.

    β2: `beta2` in (0, 1). `warmup_steps` is the effective period 1/(e^(1−β2) − 1), rounded up.
    Raises ValueError outside the range. Source: Ma & Yarats 2021, section 5.

    >>> w = UntunedExponentialWarmup()
    >>> w([0, 1]).round(9).tolist(), w.warmup_steps
    ([0.0009995, 0.001998001], 1000)
    """

    slug_name = "untunedexponential"
    beta2: float = arg("b", default=0.999)

    def _at_count(self, s: Rates) -> Rates:
        return np.asarray(-np.expm1(-(1.0 - self.beta2) * s))

    def _deficit(self) -> float:
        return 1.0 / math.expm1(1.0 - self.beta2)  # a geometric series


@schedule
class RAdamWarmup(UntunedWarmup):
    """RAdam's rectification term as a warmup of Adam's LR.

    s = t+1, ρ∞ = 2/(1−β2) − 1, ρ_s = ρ∞ − 2sβ2^s/(1−β2^s),
    w = sqrt((ρ_s−4)(ρ_s−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρ_s)) where ρ_s > `threshold`, else 0.

    β2: `beta2` <= 0.99999, large enough that ρ∞ > threshold; `threshold`: 4 (the paper) or 5 (torch).
    `warmup_steps` is the effective period Σ(1 − w), rounded up.

    Why 0: while ρ_s is too small RAdam takes a plain momentum step instead of an adaptive one.
    Without the division by √v that step has a different unit, so no factor of the adaptive LR can express it.
    A run with Adam and this warmup therefore makes no progress in those steps.
    Raises ValueError outside the ranges. Source: Liu et al. 2019 (RAdam), section 4, algorithm 2.

    >>> RAdamWarmup()([0, 3, 4]).round(6).tolist()
    [0.0, 0.0, 0.017312]
    """

    slug_name = "radam"
    beta2: float = arg("b", default=0.999)
    threshold: int = arg("t", default=4)

    def _check(self) -> None:
        # Above 0.99999, computing the nominal length would sum many millions of terms.
        self._set("beta2", real("beta2", self.beta2, high=0.99999, above=0.0))
        self._set("threshold", integer("threshold", self.threshold))
        if self.threshold not in (4, 5):
            raise ValueError(f"threshold={self.threshold} must be 4 or 5")
        if Fraction(repr(self.beta2)) <= 1 - Fraction(2, self.threshold + 1):
            least = f"1 - 2/{self.threshold + 1}"
            raise ValueError(f"beta2={self.beta2!r} must be > {least}, otherwise no step is rectified")

    def _at_count(self, s: Rates) -> Rates:
        # With a = −ln β2 and the Langevin function L(y) = coth y − 1/y:
        #   ρ∞ = 2/a + L(a/2)   and   ρ_s = L(a/2) + s·(1 − L(as/2)).
        # The formula in the docstring subtracts two numbers of size 2/(1−β2) to get one of size s.
        a = -math.log(self.beta2)
        first = float(langevin(np.array([a / 2]))[0])
        limit = 2 / a + first
        rho = np.minimum(first + s * one_minus_langevin(a * s / 2), limit)
        rectified = rho > self.threshold
        rho = np.where(rectified, rho, limit)
        ratio = (rho - 4) / (limit - 4) * ((rho - 2) / (limit - 2)) * (limit / rho)
        return np.where(rectified, np.sqrt(ratio), 0.0)

    def _deficit(self) -> float:
        return _radam_deficit(self)


@functools.lru_cache(maxsize=256)
def _radam_deficit(warmup: RAdamWarmup) -> float:
    # 1 − w falls like a·s·e^(−as) with a = −ln β2; beyond as = 50 it is negligible in float64.
    last = math.ceil(50 / -math.log(warmup.beta2))
    blocks = (np.arange(k, min(k + 2**16, last)) for k in range(0, last, 2**16))
    return math.fsum(float(np.sum(1.0 - warmup._weights(t, "affine"))) for t in blocks)


def langevin(y: Rates) -> Rates:
    """L(y) = coth y − 1/y for 0 < y <= 1, with full relative accuracy.

    Evaluates the continued fraction y/(3 + y²/(5 + y²/(7 + …))), whose terms are all positive: no cancellation.

    >>> langevin(np.array([3e-9])).tolist()
    [1e-09]
    """
    tail = np.full(y.shape, 23.0)  # with ten levels the error at y = 1 is below 1e-25
    for odd in range(21, 1, -2):
        tail = odd + y * y / tail
    return np.asarray(y / tail)


def one_minus_langevin(y: Rates) -> Rates:
    """1 − L(y) for y > 0, with full relative accuracy: 1/y − 2/(e^2y − 1) where y > 1.

    >>> one_minus_langevin(np.array([1e9])).tolist()
    [1e-09]
    """
    large = np.maximum(y, 1.0)
    with np.errstate(over="ignore"):  # if e^2y overflows, the term is 0
        rest = 1.0 / large - 2.0 / np.expm1(2.0 * large)
    return np.where(y <= 1.0, 1.0 - langevin(np.minimum(y, 1.0)), rest)


register(UntunedLinearWarmup, UntunedExponentialWarmup, RAdamWarmup)
