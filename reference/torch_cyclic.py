"""Twins of OneCycleLR and CyclicLR, which overwrite the LR and move momentum in the opposite direction.

Sources: the docstrings in ``torch/optim/lr_scheduler.py``, release 2.13; Smith & Topin 2018 (super-convergence);
Smith 2017 (cyclical learning rates), section 3.
Both define their own LR range, so the `base_lr` of the call is ignored.
Both raise TypeError or ValueError for arguments outside the documented types and ranges.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from .check import Rates, Steps, flag, integer, integer_steps, one_of, real
from .schedule import Schedule, arg, child, schedule
from .shapes import blend, cosine_between, segments
from .slug import register
from .torch_factor import checked_schedule


@schedule
class OneCycleLR(Schedule):
    """A rise from max_lr/div_factor to max_lr, then a fall to max_lr/div_factor/final_div_factor.

    With T = total_steps (or epochs·steps_per_epoch) and u = pct_start·T − 1, the LR rises from step 0 to u
    and falls from u to T−1. With three_phase it first falls back to its start, from u to 2u.
    A rise of length <= 0 is over before it starts, so the fall starts at step 0.
    Raises ValueError for steps >= T.

    >>> OneCycleLR(1.0, total_steps=5, pct_start=0.6, anneal_strategy="linear", div_factor=2.0).trace(3).tolist()
    [0.5, 0.75, 1.0]
    """

    max_lr: float = arg(absolute=True, per_group=True)
    total_steps: int | None = arg("n", default=None)
    epochs: int | None = arg("e", default=None)
    steps_per_epoch: int | None = arg("k", default=None)
    pct_start: float = arg("p", default=0.3)
    anneal_strategy: str = arg("a", default="cos")
    cycle_momentum: bool = arg("c", default=True)
    base_momentum: float = arg("bm", default=0.85, per_group=True)
    max_momentum: float = arg("mm", default=0.95, per_group=True)
    div_factor: float = arg("d", default=25.0)
    final_div_factor: float = arg("f", default=1e4)
    three_phase: bool = arg("t", default=False)
    slug_name = "onecyclelr"

    def _check(self) -> None:
        self._set("max_lr", real("max_lr", self.max_lr))
        if self.total_steps is not None:
            self._set("total_steps", integer("total_steps", self.total_steps, 1))
        elif self.epochs is None or self.steps_per_epoch is None:
            raise ValueError("total_steps=None must be given unless epochs and steps_per_epoch are")
        else:
            self._set("epochs", integer("epochs", self.epochs, 1))
            self._set("steps_per_epoch", integer("steps_per_epoch", self.steps_per_epoch, 1))
        if not isinstance(self.pct_start, float):
            raise TypeError(f"pct_start={self.pct_start!r} must be a float")
        self._set("pct_start", real("pct_start", self.pct_start, 0.0, 1.0))
        one_of("anneal_strategy", self.anneal_strategy, ("cos", "linear"))
        for name in ("base_momentum", "max_momentum"):
            self._set(name, real(name, getattr(self, name)))
        for name in ("div_factor", "final_div_factor"):
            self._set(name, real(name, getattr(self, name), above=0.0))
        for name in ("cycle_momentum", "three_phase"):
            self._set(name, flag(name, getattr(self, name)))

    @property
    def length(self) -> int:
        """The total number of steps."""
        if self.total_steps is not None:
            return self.total_steps
        return int(self.epochs or 0) * int(self.steps_per_epoch or 0)

    def _curve(self, t: Steps, corners: list[float]) -> Rates:
        """Anneal through the corner values, with one phase between each pair of neighbours."""
        if t.max(initial=0) >= self.length:
            raise ValueError(f"step={int(t.max())} must be < total_steps={self.length}")
        rise = self.pct_start * self.length - 1
        ends = [rise, 2 * rise, self.length - 1.0] if self.three_phase else [rise, self.length - 1.0]
        phases, begin = [], 0.0
        for end, start, goal in zip(ends, corners[:-1], corners[1:], strict=True):
            if end > begin or end == ends[-1]:
                phases.append((begin, end, start, goal))
            begin = max(begin, end)
        # A step at the end of a phase belongs to that phase; the next phase has the steps after it.
        edges = tuple(math.floor(end) + 1 for _, end, _, _ in phases[:-1])
        values = np.empty(t.shape)
        for i, inside in segments(t, edges):
            begin, end, start, goal = phases[i]
            if self.anneal_strategy == "cos":
                share = cosine_between(t[inside], begin, end)
            else:
                left = np.asarray(end - t[inside])
                share = np.asarray(left / (end - begin)) if end > begin else np.zeros(left.shape)
            values[inside] = blend(start, goal, share)
        return values

    def _values(self, t: Steps, base: float) -> Rates:
        start = self.max_lr / self.div_factor
        low = start / self.final_div_factor
        return self._curve(t, [start, self.max_lr, start, low] if self.three_phase else [start, self.max_lr, low])

    def momentum(self, step: ArrayLike) -> Rates:
        """The momentum (or beta1) at `step`: lowest where the LR is highest."""
        t = integer_steps(step)
        low, high = self.base_momentum, self.max_momentum
        corners = [high, low, high, high] if self.three_phase else [high, low, high]
        return self._curve(np.atleast_1d(t), corners).reshape(t.shape)

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        return np.zeros(t.shape), self._values(t, base)

    def _multiplies_until(self) -> float:
        return -1


@schedule
class CyclicLR(Schedule):
    """A triangle wave between base_lr and max_lr whose height can shrink by cycle or by step.

    lr(t) = base_lr + (max_lr − base_lr)·h·scale
    With S = up + down, cycle c = 1 + ⌊t/S⌋ and r = t mod S, the height h is r/up while r < up, else (S − r)/down.
    scale: 1 (triangular), 2^(1−c) (triangular2), gamma^t (exp_range),
    or scale_fn, a schedule evaluated at base LR 1, at c (scale_mode cycle) or at t (iterations).

    >>> CyclicLR(0.0, 1.0, step_size_up=2, step_size_down=4, cycle_momentum=False).trace(5).tolist()
    [0.0, 0.5, 1.0, 0.75, 0.5]
    """

    base_lr: float = arg(absolute=True, per_group=True)
    max_lr: float = arg("h", absolute=True, per_group=True)
    step_size_up: int = arg("u", default=2000)
    step_size_down: int | None = arg("d", default=None)
    mode: str = arg("o", default="triangular")
    gamma: float = arg("g", default=1.0)
    scale_fn: Schedule | None = child(mark="fn", default=None)
    scale_mode: str = arg("s", default="cycle")
    cycle_momentum: bool = arg("c", default=True)
    base_momentum: float = arg("bm", default=0.8, per_group=True)
    max_momentum: float = arg("mm", default=0.9, per_group=True)
    slug_name = "cycliclr"
    words: ClassVar[tuple[str, ...]] = ("exp_range",)

    def _check(self) -> None:
        for name in ("base_lr", "max_lr", "gamma", "base_momentum", "max_momentum"):
            self._set(name, real(name, getattr(self, name)))
        self._set("step_size_up", integer("step_size_up", self.step_size_up))
        if self.step_size_down is not None:
            self._set("step_size_down", integer("step_size_down", self.step_size_down))
        if self.step_size_up + self._down == 0:
            raise ValueError("step_size_up=0 must be >= 1 if step_size_down is 0")
        one_of("scale_mode", self.scale_mode, ("cycle", "iterations"))
        if self.scale_fn is None:
            one_of("mode", self.mode, ("triangular", "triangular2", "exp_range"))
        else:
            checked_schedule("scale_fn", self.scale_fn)
        self._set("cycle_momentum", flag("cycle_momentum", self.cycle_momentum))

    @property
    def _down(self) -> int:
        return self.step_size_up if self.step_size_down is None else self.step_size_down

    def _height(self, t: Steps) -> Rates:
        up, down = self.step_size_up, self._down
        size = up + down
        cycle, r = 1 + t // size, t % size
        height = np.where(r < up, r / max(up, 1), (size - r) / max(down, 1))
        if self.scale_fn is not None:
            return height * self.scale_fn._values(cycle if self.scale_mode == "cycle" else t, 1.0)
        if self.mode == "triangular2":
            return np.asarray(height * np.exp2(1.0 - cycle))
        return np.asarray(height * self.gamma**t) if self.mode == "exp_range" else height

    def _values(self, t: Steps, base: float) -> Rates:
        return blend(self.max_lr, self.base_lr, self._height(t))

    def momentum(self, step: ArrayLike) -> Rates:
        """The momentum (or beta1) at `step`: lowest where the LR is highest."""
        t = integer_steps(step)
        height = self._height(np.atleast_1d(t)).reshape(t.shape)
        return blend(self.base_momentum, self.max_momentum, height)

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        return np.zeros(t.shape), self._values(t, base)

    def _multiplies_until(self) -> float:
        return -1


register(OneCycleLR, CyclicLR)
