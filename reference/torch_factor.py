"""Twins of the torch schedulers that multiply the base LR by a factor that depends on the step.

Source of every class: the docstrings in ``torch/optim/lr_scheduler.py``, release 2.13.
Every class raises TypeError or ValueError for arguments outside the documented types and ranges.
A phase of length 0 is over before it starts: ``LinearLR(total_iters=0)`` is at its end factor from step 0.
"""

from __future__ import annotations

import numpy as np

from .check import Rates, Steps, integer, real
from .schedule import Schedule, arg, child, schedule
from .shapes import staircase
from .slug import register


def checked_schedule(name: str, value: object) -> Schedule:
    """Return `value`; raise TypeError unless it is a Schedule."""
    if not isinstance(value, Schedule):
        raise TypeError(f"{name}={value!r} must be a schedule from the reference package")
    return value


@schedule
class LRScheduler(Schedule):
    """Twin of the base class, which defines no learning rates; constructing it always raises TypeError."""

    slug_name = "lrscheduler"

    def _check(self) -> None:
        raise TypeError("schedule=LRScheduler must be a subclass that defines learning rates")


@schedule
class LambdaLR(Schedule):
    """The base LR times a function of the step; it overwrites the effect of other schedulers.

    lr(t) = base_lr · λ(t); λ: `lr_lambda`, a schedule evaluated at base LR 1.

    >>> LambdaLR(ExponentialLR(0.5)).trace(3, base_lr=0.8).tolist()
    [0.8, 0.4, 0.2]
    """

    lr_lambda: Schedule = child()
    slug_name = "lambdalr"

    def _check(self) -> None:
        checked_schedule("lr_lambda", self.lr_lambda)

    def _values(self, t: Steps, base: float) -> Rates:
        return base * self.lr_lambda._values(t, 1.0)

    def _is_direct(self, last: int) -> bool:
        return self.lr_lambda._is_direct(last)

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        return np.zeros(t.shape), self._values(t, base)

    def _multiplies_until(self) -> float:
        return -1


@schedule
class MultiplicativeLR(Schedule):
    """Each step t >= 1 multiplies the LR by λ(t); λ(0) is not used.

    lr(t) = base_lr · Π_{s=1..t} λ(s); λ: `lr_lambda`, a schedule evaluated at base LR 1.

    >>> MultiplicativeLR(LinearLR(0.5, 1.0, 4)).trace(3, base_lr=1.0).tolist()
    [1.0, 0.625, 0.46875]
    """

    lr_lambda: Schedule = child()
    slug_name = "multiplicativelr"

    def _check(self) -> None:
        checked_schedule("lr_lambda", self.lr_lambda)

    def _values(self, t: Steps, base: float) -> Rates:
        # In place: at this size, allocating another array is slow.
        products = np.array(self.lr_lambda._in_blocks(np.arange(t.max(initial=0) + 1), 1.0))
        products[0] = base
        np.cumprod(products, out=products)
        return products[t]

    def _is_direct(self, last: int) -> bool:
        return False

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        return np.where(t > 0, self.lr_lambda._values(t, 1.0), 1.0), np.zeros(t.shape)


@schedule
class StepLR(Schedule):
    """A factor gamma every `step_size` steps.

    lr(t) = base_lr · gamma^⌊t / step_size⌋; step_size >= 1

    >>> StepLR(2, 0.5).trace(5).tolist()
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    step_size: int = arg()
    gamma: float = arg("g", default=0.1)
    slug_name = "steplr"

    def _check(self) -> None:
        self._set("step_size", integer("step_size", self.step_size, 1))
        self._set("gamma", real("gamma", self.gamma))

    def _values(self, t: Steps, base: float) -> Rates:
        drops = t // self.step_size
        first = int(drops.min(initial=0))
        powers = base * self.gamma ** np.arange(first, int(drops.max(initial=0)) + 1)
        return np.asarray(powers[drops - first])


@schedule
class MultiStepLR(Schedule):
    """A factor gamma at each milestone; a repeated milestone counts twice.

    lr(t) = base_lr · gamma^(number of milestones <= t); milestones >= 1, in any order

    >>> MultiStepLR((1, 3, 3), 0.5).trace(4).tolist()
    [1.0, 0.5, 0.5, 0.125]
    """

    milestones: tuple[int, ...] = arg()
    gamma: float = arg("g", default=0.1)
    slug_name = "multisteplr"

    def _check(self) -> None:
        # Milestone 0 would have to act before the first update, when step() has not been called yet.
        checked = (integer("milestones", m, 1) for m in self.milestones)
        self._set("milestones", tuple(sorted(checked)))
        self._set("gamma", real("gamma", self.gamma))

    def _values(self, t: Steps, base: float) -> Rates:
        powers = np.asarray(base * self.gamma ** np.arange(len(self.milestones) + 1))
        return staircase(t, self.milestones, powers)


@schedule
class ConstantLR(Schedule):
    """A constant factor for `total_iters` steps, then the base LR.

    lr(t) = base_lr · factor for t < total_iters, else base_lr; 0 <= factor <= 1

    >>> ConstantLR(0.25, 2).trace(3).tolist()
    [0.25, 0.25, 1.0]
    """

    factor: float = arg("f", default=1 / 3)
    total_iters: int = arg("", default=5)
    slug_name = "constantlr"

    def _check(self) -> None:
        self._set("factor", real("factor", self.factor, 0.0, 1.0))
        self._set("total_iters", integer("total_iters", self.total_iters))

    def _values(self, t: Steps, base: float) -> Rates:
        return np.where(t < self.total_iters, base * self.factor, base)


@schedule
class LinearLR(Schedule):
    """A factor that changes linearly from `start_factor` to `end_factor` over `total_iters` steps.

    lr(t) = base_lr · (s + (e − s)·min(t, N)/N)
    s: start_factor in (0, 1], e: end_factor in [0, 1], N: total_iters >= 0

    >>> LinearLR(0.5, 1.0, 2).trace(4).tolist()
    [0.5, 0.75, 1.0, 1.0]
    """

    start_factor: float = arg("s", default=1 / 3)
    end_factor: float = arg("e", default=1.0)
    total_iters: int = arg("", default=5)
    slug_name = "linearlr"

    def _check(self) -> None:
        self._set("start_factor", real("start_factor", self.start_factor, above=0.0, high=1.0))
        self._set("end_factor", real("end_factor", self.end_factor, 0.0, 1.0))
        self._set("total_iters", integer("total_iters", self.total_iters))

    def _values(self, t: Steps, base: float) -> Rates:
        n = max(self.total_iters, 1)
        left = np.maximum(self.total_iters - t, 0)
        # Compute both shares from integers: 1 − left/n would lose the digits that a small start factor needs.
        return np.asarray(base * (self.start_factor * (left / n) + self.end_factor * ((n - left) / n)))


@schedule
class ExponentialLR(Schedule):
    """A factor gamma every step.

    lr(t) = base_lr · gamma^t

    >>> ExponentialLR(0.5).trace(3).tolist()
    [1.0, 0.5, 0.25]
    """

    gamma: float = arg()
    slug_name = "exponentiallr"

    def _check(self) -> None:
        self._set("gamma", real("gamma", self.gamma))

    def _values(self, t: Steps, base: float) -> Rates:
        return np.asarray(base * self.gamma**t)


@schedule
class PolynomialLR(Schedule):
    """A polynomial decay to 0 over `total_iters` steps.

    lr(t) = base_lr · (1 − min(t, N)/N)^power; N: total_iters >= 0, power > 0

    >>> PolynomialLR(4, 2.0).trace(5).tolist()
    [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """

    total_iters: int = arg("", default=5)
    power: float = arg("p", default=1.0)
    slug_name = "polynomiallr"

    def _check(self) -> None:
        self._set("total_iters", integer("total_iters", self.total_iters))
        self._set("power", real("power", self.power, above=0.0))

    def _values(self, t: Steps, base: float) -> Rates:
        left = np.maximum(self.total_iters - t, 0)
        return np.asarray(base * (left / max(self.total_iters, 1)) ** self.power)


register(
    LRScheduler, LambdaLR, MultiplicativeLR, StepLR, MultiStepLR, ConstantLR, LinearLR, ExponentialLR, PolynomialLR
)
