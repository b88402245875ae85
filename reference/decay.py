"""Decays: the learning rate as a function of n, the number of steps since the decay started.

On its own a decay starts at step 0 (n = t) and then stays at its end value; after a warmup see `WarmupDecay`.
``min_lr`` is a learning rate, not a factor, so it must not exceed the base LR of the call.
A decay of length 0 is over before it starts (p = 1 at n = 0).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .check import Rates, Steps, plain_repr, real
from .convention import fold
from .schedule import Schedule, arg, schedule
from .shapes import staircase
from .slug import register
from .warmup import step_count


class Decay(Schedule):
    """Base class of decays: a learning rate that falls from the base LR."""

    def _values(self, t: Steps, base: float) -> Rates:
        return self._at(fold(t, self._length(), "clamp"), base)

    def _at(self, n: Steps, base: float) -> Rates:
        """The formula itself, for any n >= 0."""
        raise NotImplementedError

    def _length(self) -> int | None:
        """The n at which the decay ends; None if it never does."""
        return None

    def _check_unbounded(self) -> None:
        """Raise ValueError if the formula is undefined past the end of the decay."""

    def _multiplies_until(self) -> float:
        return -1 if getattr(self, "min_lr", 0.0) else np.inf  # min_lr is a learning rate, not a factor


def checked_floor(min_lr: float, base: float) -> float:
    """Return `min_lr`; raise ValueError if it is above the base LR."""
    if min_lr > base:
        raise ValueError(f"min_lr={plain_repr(min_lr)} must be <= base_lr={plain_repr(base)}")
    return min_lr


@schedule
class ConstantDecay(Decay):
    """No decay: lr = base.

    Source: ViT warmup tutorial and Noam tutorial, linear warmup with constant.

    >>> ConstantDecay()([0, 9], base_lr=3e-4).tolist()
    [0.0003, 0.0003]
    """

    slug_name = "hold"

    def _at(self, n: Steps, base: float) -> Rates:
        return np.full(n.shape, base)


@schedule
class ExponentialDecay(Decay):
    """Fall by a constant ratio per step: lr = base·g^n, or lr = base·(m/base)^p with p = n/D.

    Either g: `gamma` in (0, 1] per step, without an end;
    or D: `decay_steps` (steps) and m: `min_lr` > 0 (a learning rate), reached exactly at n = D.
    Raises ValueError outside these ranges, if both or neither are given, and when called with base_lr < m.
    Source: torch ExponentialLR; ViT warmup tutorial, section 3 (exp).

    >>> ExponentialDecay(gamma=0.5)([0, 1, 2]).tolist()
    [1.0, 0.5, 0.25]
    >>> ExponentialDecay(4, min_lr=0.0625)([0, 2, 4, 5]).tolist()
    [1.0, 0.25, 0.0625, 0.0625]
    """

    slug_name = "exponentialdecay"
    decay_steps: int | None = arg("", default=None)
    min_lr: float = arg("m", default=0.0, absolute=True)
    gamma: float | None = arg("g", default=None)

    def _check(self) -> None:
        self._set("min_lr", real("min_lr", self.min_lr, low=0.0))
        if self.gamma is not None:
            self._set("gamma", real("gamma", self.gamma, high=1.0, above=0.0))
            if self.decay_steps is not None or self.min_lr:
                raise ValueError(f"gamma={self.gamma!r} must be given without decay_steps and min_lr")
        elif self.decay_steps is None:
            raise ValueError("gamma=None must be a number unless decay_steps and min_lr are given")
        else:
            self._set("decay_steps", step_count("decay_steps", self.decay_steps))
            real("min_lr", self.min_lr, above=0.0)  # no constant ratio reaches 0

    def _length(self) -> int | None:
        return self.decay_steps

    def _at(self, n: Steps, base: float) -> Rates:
        if self.gamma is not None:
            return base * np.power(self.gamma, n.astype(np.float64))
        low, steps = checked_floor(self.min_lr, base), self.decay_steps
        if not steps:
            return np.full(n.shape, low)
        return np.where(n == steps, low, base * np.power(low / base, n / steps))


@schedule
class StepDecay(Decay):
    """Drop by a factor every k steps: lr = base·g^⌊n/k⌋.

    k: `step_size` >= 1 (steps), g: `gamma` in (0, 1].
    Raises ValueError outside these ranges. Source: torch StepLR.

    >>> StepDecay(2)([0, 1, 2, 4]).round(12).tolist()
    [1.0, 1.0, 0.1, 0.01]
    """

    slug_name = "step"
    step_size: int = arg()
    gamma: float = arg("g", default=0.1)

    def _check(self) -> None:
        self._set("step_size", step_count("step_size", self.step_size, 1))
        self._set("gamma", real("gamma", self.gamma, high=1.0, above=0.0))

    def _at(self, n: Steps, base: float) -> Rates:
        return base * np.power(self.gamma, (n // self.step_size).astype(np.float64))


@schedule
class MultiStepDecay(Decay):
    """Drop by a factor at each milestone: lr = base·g^(number of milestones <= n).

    `milestones`: values of n in ascending order; a repeated one counts twice. g: `gamma` in (0, 1].
    Raises TypeError or ValueError for other values. Source: torch MultiStepLR.

    >>> MultiStepDecay((2, 3))([1, 2, 3]).round(12).tolist()
    [1.0, 0.1, 0.01]
    """

    slug_name = "multistep"
    milestones: tuple[int, ...] = arg()
    gamma: float = arg("g", default=0.1)

    def _check(self) -> None:
        given: Any = self.milestones
        if not isinstance(given, tuple | list):
            raise TypeError(f"milestones={plain_repr(given)} must be a tuple of integers")
        if not given:
            raise ValueError("milestones=() must contain at least one step")
        milestones = tuple(step_count(f"milestones[{i}]", m) for i, m in enumerate(given))
        if list(milestones) != sorted(milestones):
            raise ValueError(f"milestones={milestones} must be in ascending order")
        self._set("milestones", milestones)
        self._set("gamma", real("gamma", self.gamma, high=1.0, above=0.0))

    def _at(self, n: Steps, base: float) -> Rates:
        passed = np.searchsorted(np.array(self.milestones, np.int64), n, side="right")
        return base * np.power(self.gamma, passed.astype(np.float64))


@schedule
class PiecewiseDecay(Decay):
    """Stay at another level from each milestone on: lr = base·f_i, i = number of milestones <= n, f_0 = 1.

    `milestones`: values of n in ascending order; `factors`: f_1, f_2, … in [0, 1], one for each milestone.
    Raises TypeError or ValueError for other values.
    Source: Keras PiecewiseConstantDecay; diffusers get_piecewise_constant_schedule; DeepSeek LLM (2024), section 2.3.

    >>> PiecewiseDecay((8, 9), (0.316, 0.1))([7, 8, 9]).tolist()
    [1.0, 0.316, 0.1]
    """

    slug_name = "piecewise"
    milestones: tuple[int, ...] = arg()
    factors: tuple[float, ...] = arg("f")

    def _check(self) -> None:
        self._set("milestones", MultiStepDecay(self.milestones).milestones)
        given: Any = self.factors
        if not isinstance(given, tuple | list) or len(given) != len(self.milestones):
            rule = f"must be a tuple of {len(self.milestones)} numbers, one for each milestone"
            raise ValueError(f"factors={plain_repr(given)} {rule}")
        self._set("factors", tuple(real(f"factors[{i}]", f, 0.0, 1.0) for i, f in enumerate(given)))

    def _at(self, n: Steps, base: float) -> Rates:
        return base * staircase(n, self.milestones, np.array((1.0, *self.factors)))


@schedule
class InverseSqrtDecay(Decay):
    """Stay for S steps, then fall like 1/√n: lr = max(m, base/√((max(n−S, 0)+k)/k)).

    k: `timescale` >= 1 (steps); after a linear warmup, k = W gives the shape of Noam.
    S: `stable_steps` (steps); S = k without a warmup is base·√k/√max(n, k), the schedule of T5.
    m: `min_lr` >= 0 (a learning rate).
    Raises ValueError outside these ranges, and when called with base_lr < m.
    Source: Vaswani et al. 2017, section 5.3; transformers get_inverse_sqrt_schedule; Raffel et al. 2020 (T5), section
    3.1.2, and OpenNMT-py 3.5.1, rsqrt_decay, whose n is t+1; Megatron-LM, inverse-square-root, for the floor.

    >>> InverseSqrtDecay(4)([0, 12, 60]).tolist()
    [1.0, 0.5, 0.25]
    >>> InverseSqrtDecay(4, stable_steps=4, min_lr=0.3)([0, 4, 16, 64]).tolist()
    [1.0, 1.0, 0.5, 0.3]
    """

    slug_name = "invsqrt"
    timescale: int = arg()
    stable_steps: int = arg("s", default=0)
    min_lr: float = arg("m", default=0.0, absolute=True)

    def _check(self) -> None:
        self._set("timescale", step_count("timescale", self.timescale, 1))
        self._set("stable_steps", step_count("stable_steps", self.stable_steps))
        self._set("min_lr", real("min_lr", self.min_lr, low=0.0))

    def _at(self, n: Steps, base: float) -> Rates:
        low = checked_floor(self.min_lr, base)
        later = np.maximum(n - self.stable_steps, 0).astype(np.float64)
        return np.maximum(base * np.sqrt(self.timescale / (later + self.timescale)), low)


register(ConstantDecay, ExponentialDecay, StepDecay, MultiStepDecay, PiecewiseDecay, InverseSqrtDecay)
