"""Closed forms that a library has to itself, written out beside its declaration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reference import Convention, Decay, LinearWarmup, Schedule, WarmupDecay
from reference.check import Rates, Steps, real
from reference.decay import checked_floor
from reference.schedule import arg, schedule
from reference.shapes import blend
from reference.warmup import step_count

#: A schedule, or any function of the steps and the base LR.
RateFunction = Callable[[Steps, float], Rates]


@schedule
class Formula(Schedule):
    """Any function of the steps and the base LR.

    >>> Formula(lambda t, base: base / (t + 1.0))([0, 1, 3], base_lr=2.0).tolist()
    [2.0, 1.0, 0.5]
    """

    formula: RateFunction = arg()

    def _values(self, t: Steps, base: float) -> Rates:
        return np.asarray(self.formula(t, base), dtype=np.float64)


@schedule
class ShapedDecay(Decay):
    """S steps at the base LR, then a fall along any curve: lr = m + (base−m)·f(p), p = (n−S)/D; m from p = 1 on.

    D: `decay_steps`, f: `shape`, a function of an array of p in [0, 1); m: `min_lr` (a learning rate),
    S: `stable_steps`.

    >>> ShapedDecay(4, lambda p: 1 - p**2, stable_steps=1)([0, 1, 3, 5]).tolist()
    [1.0, 1.0, 0.75, 0.0]
    """

    decay_steps: int = arg()
    shape: Callable[[Rates], Rates] = arg("h")
    min_lr: float = arg("m", default=0.0, absolute=True)
    stable_steps: int = arg("s", default=0)

    def _check(self) -> None:
        self._set("decay_steps", step_count("decay_steps", self.decay_steps))
        self._set("min_lr", real("min_lr", self.min_lr, low=0.0))
        self._set("stable_steps", step_count("stable_steps", self.stable_steps))

    def _length(self) -> int | None:
        return self.stable_steps + self.decay_steps

    def _at(self, n: Steps, base: float) -> Rates:
        k = np.maximum(n - self.stable_steps, 0)
        over = n >= self.stable_steps + self.decay_steps
        shares = self.shape(np.where(over, 0, k) / max(self.decay_steps, 1))
        return blend(base, checked_floor(self.min_lr, base), np.where(over, 0.0, shares))


def rising_from(start_lr: float, base_lr: float, warmup_steps: int, decay: Decay) -> WarmupDecay:
    """Family E, or A where `start_lr` is 0: a linear warmup from an LR, where libraries take one, then a decay.

    >>> from reference import LinearDecay
    >>> rising_from(0.5, 2.0, 2, LinearDecay(2))([0, 1, 2, 3], base_lr=2.0).tolist()
    [0.5, 1.25, 2.0, 1.0]
    """
    return WarmupDecay(LinearWarmup(warmup_steps, start_lr / base_lr), decay, Convention("affine"))


def then(before: RateFunction, at: int, after: RateFunction) -> Formula:
    """`before` up to step `at`, then `after`, whose clock starts there.

    >>> then(lambda t, base: base + t, 2, lambda t, base: base * t)([0, 1, 2, 3], base_lr=5.0).tolist()
    [5.0, 6.0, 0.0, 5.0]
    """
    return Formula(lambda t, base: np.where(t < at, before(t, base), after(np.maximum(t - at, 0), base)))
