"""SequentialLR and ChainedScheduler at any nesting, by the affine algebra of a step.

Per step each scheduler is a map of the current LR, lr ← A(t)·lr + B(t).
`ChainedScheduler` composes the maps of its parts in order.
`SequentialLR` starts part i at its milestone, from the base LR and at local step 0.

Where the documentation leaves a choice, the choice is one of the readings in ``suite/known/readings.toml``.
"""

from __future__ import annotations

import numpy as np

from .check import Rates, Steps, integer
from .scan import affine_scan
from .schedule import Schedule, arg, child, schedule
from .shapes import BLOCK, segments
from .slug import register
from .torch_factor import schedule_field
from .torch_plateau import ReduceLROnPlateau


def _parts(owner: str, schedulers: object) -> tuple[Schedule, ...]:
    if not isinstance(schedulers, tuple | list):
        raise TypeError(f"schedulers={schedulers!r} must be a list or tuple of schedules")
    if not schedulers:
        raise ValueError("schedulers=[] must hold at least one schedule")
    for i, part in enumerate(schedulers):
        schedule_field(f"schedulers[{i}]", part)
        if isinstance(part, ReduceLROnPlateau):
            raise ValueError(f"schedulers[{i}]=ReduceLROnPlateau must stand alone: {owner} gives it no metric")
    return tuple(schedulers)


@schedule
class SequentialLR(Schedule):
    """One schedule after the other; a milestone belongs to the later one.

    lr(t) = part_i(t − m_i) for m_i <= t < m_(i+1), with m_0 = 0 and every part started from the base LR.
    Raises ValueError unless there is one milestone fewer than parts, in rising order and whole.

    >>> from reference import ConstantLR, ExponentialLR
    >>> SequentialLR((ConstantLR(0.1, 2), ExponentialLR(0.5)), (2,)).trace(4).tolist()
    [0.1, 0.1, 1.0, 0.5]
    """

    schedulers: tuple[Schedule, ...] = child(many=True)
    milestones: tuple[int, ...] = arg("m", default=())
    slug_name = "seq"

    def _check(self) -> None:
        self._set("schedulers", _parts("SequentialLR", self.schedulers))
        milestones = tuple(integer(f"milestones[{i}]", m) for i, m in enumerate(self.milestones))
        if len(milestones) != len(self.schedulers) - 1:
            raise ValueError(
                f"milestones={list(milestones)} must number one fewer than the schedulers "
                f"(got {len(milestones)} for {len(self.schedulers)})"
            )
        if list(milestones) != sorted(milestones):
            raise ValueError(f"milestones={list(milestones)} must be in rising order")
        self._set("milestones", milestones)

    def _is_direct(self, last: int) -> bool:
        return all(part._is_direct(last) for part in self.schedulers)

    def _start(self, i: int) -> int:
        return self.milestones[i - 1] if i else 0

    def _values(self, t: Steps, base: float) -> Rates:
        values = np.empty(t.shape)
        for i, inside in segments(t, self.milestones):
            values[inside] = self.schedulers[i]._values(t[inside] - self._start(i), base)
        return values

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        """The maps of the active part, except that a milestone restarts it from the base LR.

        The restart acts by the ratio of consecutive values, unless the part overwrites the LR anyway.
        """
        slope, jump = np.empty(t.shape), np.empty(t.shape)
        for i, inside in segments(t, self.milestones):
            local = t[inside] - self._start(i)
            slope[inside], jump[inside] = self.schedulers[i]._maps(local, base)
        restart = (t > 0) & np.isin(t, self.milestones) & (slope != 0)
        if restart.any():
            slope[restart], jump[restart] = super()._maps(t[restart], base)
        return slope, jump

    def _multiplies_until(self) -> float:
        edges = [0, *self.milestones, np.inf]
        for part, start, end in zip(self.schedulers, edges[:-1], edges[1:], strict=True):
            limit = start + part._multiplies_until()
            if start < end and limit < end - 1:
                return limit
        return np.inf


@schedule
class ChainedScheduler(Schedule):
    """All schedules at once: each step applies the map of every part, in order.

    Parts that only multiply give the product of their factors, lr(t) = base_lr · Π_i f_i(t), evaluated
    directly; a part with an absolute term (eta_min, or a value that overwrites) makes it one cumulative pass.

    >>> from reference import ConstantLR, ExponentialLR
    >>> ChainedScheduler((ConstantLR(0.1, 2), ExponentialLR(0.5))).trace(4).tolist()
    [0.1, 0.05, 0.25, 0.125]
    """

    schedulers: tuple[Schedule, ...] = child(many=True)
    slug_name = "chain"

    def _check(self) -> None:
        self._set("schedulers", _parts("ChainedScheduler", self.schedulers))

    def _is_direct(self, last: int) -> bool:
        return last <= self._multiplies_until() and all(part._is_direct(last) for part in self.schedulers)

    def _values(self, t: Steps, base: float) -> Rates:
        last = int(t.max(initial=0))
        if last <= self._multiplies_until():
            values = np.full(t.shape, base)
            for part in self.schedulers:
                values = values * part._values(t, 1.0)
            return values
        slope, jump = np.empty(last + 1), np.empty(last + 1)
        width = BLOCK if all(part._is_direct(last) for part in self.schedulers) else last + 1
        for i in range(0, last + 1, width):
            steps = np.arange(i, min(i + width, last + 1))
            block = slice(i, i + width)
            slope[block], jump[block] = self._maps(steps, base)
        return affine_scan(slope, jump, base)[t]

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        slope, jump = np.ones(t.shape), np.zeros(t.shape)
        for part in self.schedulers:
            a, b = part._maps(t, base)
            slope, jump = a * slope, a * jump + b
        return slope, jump

    def _multiplies_until(self) -> float:
        return min(part._multiplies_until() for part in self.schedulers)


def sequential(*schedulers: Schedule, milestones: tuple[int, ...] | list[int]) -> SequentialLR:
    """`SequentialLR` of the given schedules."""
    return SequentialLR(schedulers, tuple(milestones))


def chain(*schedulers: Schedule) -> ChainedScheduler:
    """`ChainedScheduler` of the given schedules."""
    return ChainedScheduler(schedulers)


register(SequentialLR, ChainedScheduler)
