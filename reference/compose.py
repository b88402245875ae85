"""SequentialLR and ChainedScheduler at any depth of nesting.

Each step of a scheduler is an affine map of the current LR, lr ← A(t)·lr + B(t).
`ChainedScheduler` composes the maps of its parts in order.
`SequentialLR` starts part i at its milestone, from the base LR and at local step 0.

Where torch's documentation is ambiguous, ``suite/known/readings.toml`` states our reading and the reason for it.
"""

from __future__ import annotations

import numpy as np

from .check import Rates, Steps, integer
from .scan import affine_scan
from .schedule import Schedule, arg, child, schedule
from .shapes import BLOCK, segments
from .slug import register
from .torch_factor import checked_schedule
from .torch_plateau import ReduceLROnPlateau


def _checked_parts(owner: str, schedulers: object) -> tuple[Schedule, ...]:
    """Return `schedulers` as a tuple; raise unless each is a schedule that `owner` can contain."""
    if not isinstance(schedulers, tuple | list):
        raise TypeError(f"schedulers={schedulers!r} must be a list or tuple of schedules")
    if not schedulers:
        raise ValueError("schedulers=[] must contain at least one schedule")
    for i, part in enumerate(schedulers):
        checked_schedule(f"schedulers[{i}]", part)
        if isinstance(part, ReduceLROnPlateau):
            raise ValueError(f"schedulers[{i}]=ReduceLROnPlateau must be used on its own: {owner} passes no metric")
    return tuple(schedulers)


@schedule
class SequentialLR(Schedule):
    """One schedule after another; the step at a milestone belongs to the later one.

    lr(t) = part_i(t − m_i) for m_i <= t < m_(i+1), with m_0 = 0; every part starts from the base LR.
    Raises TypeError or ValueError unless `milestones` are integers in ascending order, one fewer than `schedulers`.
    Source: docstring of torch SequentialLR, release 2.13, and the readings named above.

    >>> from reference import ConstantLR, ExponentialLR
    >>> SequentialLR((ConstantLR(0.1, 2), ExponentialLR(0.5)), (2,)).trace(4).tolist()
    [0.1, 0.1, 1.0, 0.5]
    """

    schedulers: tuple[Schedule, ...] = child(many=True)
    milestones: tuple[int, ...] = arg("m", default=())
    slug_name = "seq"

    def _check(self) -> None:
        self._set("schedulers", _checked_parts("SequentialLR", self.schedulers))
        milestones = tuple(integer(f"milestones[{i}]", m) for i, m in enumerate(self.milestones))
        if len(milestones) != len(self.schedulers) - 1:
            raise ValueError(
                f"milestones={list(milestones)} must have one entry fewer than the schedulers "
                f"(got {len(milestones)} for {len(self.schedulers)})"
            )
        if list(milestones) != sorted(milestones):
            raise ValueError(f"milestones={list(milestones)} must be in ascending order")
        self._set("milestones", milestones)

    def _is_direct(self, last: int) -> bool:
        return all(part._is_direct(last) for part in self.schedulers)

    def _start(self, i: int) -> int:
        """The step at which part i starts."""
        return self.milestones[i - 1] if i else 0

    def _values(self, t: Steps, base: float) -> Rates:
        values = np.empty(t.shape)
        for i, inside in segments(t, self.milestones):
            values[inside] = self.schedulers[i]._values(t[inside] - self._start(i), base)
        return values

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        """The maps of the active part, except at a milestone, where the next part starts from the base LR.

        That step multiplies by the ratio of consecutive values, unless the part overwrites the LR anyway.
        """
        slope, offset = np.empty(t.shape), np.empty(t.shape)
        for i, inside in segments(t, self.milestones):
            local = t[inside] - self._start(i)
            slope[inside], offset[inside] = self.schedulers[i]._maps(local, base)
        restart = (t > 0) & np.isin(t, self.milestones) & (slope != 0)
        if restart.any():
            slope[restart], offset[restart] = super()._maps(t[restart], base)
        return slope, offset

    def _multiplies_until(self) -> float:
        edges = [0, *self.milestones, np.inf]
        for part, start, end in zip(self.schedulers, edges[:-1], edges[1:], strict=True):
            limit = start + part._multiplies_until()
            if start < end and limit < end - 1:
                return limit
        return np.inf


@schedule
class ChainedScheduler(Schedule):
    """Several schedules at once: each step applies the maps of all parts, in order.

    If all parts only multiply, the LR is the product of their factors, lr(t) = base_lr · Π_i f_i(t), evaluated
    directly. With a part that has an absolute term (eta_min, or a value that overwrites) it takes a cumulative pass.
    Raises TypeError or ValueError for an empty list or for a part that cannot be chained.
    Source: docstring of torch ChainedScheduler, release 2.13, and the readings named above.

    >>> from reference import ConstantLR, ExponentialLR
    >>> ChainedScheduler((ConstantLR(0.1, 2), ExponentialLR(0.5))).trace(4).tolist()
    [0.1, 0.05, 0.25, 0.125]
    """

    schedulers: tuple[Schedule, ...] = child(many=True)
    slug_name = "chain"

    def _check(self) -> None:
        self._set("schedulers", _checked_parts("ChainedScheduler", self.schedulers))

    def _is_direct(self, last: int) -> bool:
        return last <= self._multiplies_until() and all(part._is_direct(last) for part in self.schedulers)

    def _values(self, t: Steps, base: float) -> Rates:
        last = int(t.max(initial=0))
        if last <= self._multiplies_until():
            values = np.full(t.shape, base)
            for part in self.schedulers:
                values = values * part._values(t, 1.0)
            return values
        slope, offset = np.empty(last + 1), np.empty(last + 1)
        width = BLOCK if all(part._is_direct(last) for part in self.schedulers) else last + 1
        for i in range(0, last + 1, width):
            steps = np.arange(i, min(i + width, last + 1))
            block = slice(i, i + width)
            slope[block], offset[block] = self._maps(steps, base)
        return affine_scan(slope, offset, base)[t]

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        slope, offset = np.ones(t.shape), np.zeros(t.shape)
        for part in self.schedulers:
            a, b = part._maps(t, base)
            slope, offset = a * slope, a * offset + b
        return slope, offset

    def _multiplies_until(self) -> float:
        return min(part._multiplies_until() for part in self.schedulers)


def sequential(*schedulers: Schedule, milestones: tuple[int, ...] | list[int]) -> SequentialLR:
    """`SequentialLR` of the given schedules."""
    return SequentialLR(schedulers, tuple(milestones))


def chain(*schedulers: Schedule) -> ChainedScheduler:
    """`ChainedScheduler` of the given schedules."""
    return ChainedScheduler(schedulers)


register(SequentialLR, ChainedScheduler)
