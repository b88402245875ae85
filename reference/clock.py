"""Schedules read by another clock than the optimizer step.

The question is always the same: how many scheduler steps were made before optimizer step t.
"""

from __future__ import annotations

import numpy as np

from .check import Rates, Steps, integer
from .schedule import Schedule, arg, child, schedule
from .slug import register


@schedule
class Clocked(Schedule):
    """A schedule at ⌊t·times/every⌋ + ahead instead of t.

    `schedule`: any schedule; `times`, `every` >= 1 and `ahead` >= 0 are whole numbers of scheduler steps,
    optimizer steps and scheduler steps.
    Inside a chain it acts by the ratio of its consecutive values.
    Raises TypeError or ValueError for bad numbers, and for a step whose count would pass 2**63.
    Source: the step convention of this package (reference/schedule.py).

    >>> from reference.warmup import LinearWarmup
    >>> Clocked(LinearWarmup(4), every=2)(range(5)).tolist()
    [0.0, 0.0, 0.25, 0.25, 0.5]
    """

    slug_name = "clock"
    schedule: Schedule = child()
    times: int = arg("x", default=1)
    every: int = arg("e", default=1)
    ahead: int = arg("a", default=0)

    def _check(self) -> None:
        if not isinstance(self.schedule, Schedule):
            raise TypeError(f"schedule={self.schedule!r} must be a schedule")
        self._set("times", integer("times", self.times, 1))
        self._set("every", integer("every", self.every, 1))
        self._set("ahead", integer("ahead", self.ahead, 0))

    def _values(self, t: Steps, base: float) -> Rates:
        most = int(t.max(initial=0))
        if most * self.times + self.ahead >= 2**63:
            raise ValueError(f"step={most} must be < (2**63 - {self.ahead}) / {self.times}")
        return self.schedule._values(t * self.times // self.every + self.ahead, base)

    def _multiplies_until(self) -> float:
        limit = self.schedule._multiplies_until()
        if limit < 0 or np.isinf(limit):
            return limit
        # the last t with ⌊t·times/every⌋ + ahead <= limit
        return -(-(int(limit) - self.ahead + 1) * self.every // self.times) - 1


def per_epoch(schedule: Schedule, steps_per_epoch: int) -> Clocked:
    """A schedule stepped once per epoch: s(⌊t/steps_per_epoch⌋), a staircase.

    Raises TypeError or ValueError unless `steps_per_epoch` is a whole number >= 1.
    Source: ViT warmup tutorial, section 4 (per-epoch updates).

    >>> from reference.warmup import LinearWarmup
    >>> per_epoch(LinearWarmup(2), 3)(range(7)).tolist()
    [0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 1.0]
    """
    return Clocked(schedule, every=integer("steps_per_epoch", steps_per_epoch, 1))


def per_micro_batch(schedule: Schedule, accumulation: int) -> Clocked:
    """A schedule written in optimizer steps but stepped after every micro-batch: s(k·t + k − 1).

    k: `accumulation`, the micro-batches of one optimizer step. Step t runs in micro-batch k·t + k − 1,
    counted from 0, and every one before it made a scheduler step: the k − 1 of the same group too.
    Raises TypeError or ValueError unless k is a whole number >= 1.
    Source: the step convention of this package, applied to a loop that calls scheduler.step() outside
    the `if` that guards optimizer.step().

    >>> from reference.warmup import LinearWarmup
    >>> per_micro_batch(LinearWarmup(8), 2)(range(4)).tolist()
    [0.125, 0.375, 0.625, 0.875]
    """
    k = integer("accumulation", accumulation, 1)
    return Clocked(schedule, times=k, ahead=k - 1)


def per_process(schedule: Schedule, processes: int) -> Clocked:
    """A schedule stepped once per process after each optimizer step: s(n·t).

    n: `processes`. Raises TypeError or ValueError unless it is a whole number >= 1.
    Source: accelerate, AcceleratedScheduler.step with split_batches=False.

    >>> from reference.warmup import LinearWarmup
    >>> per_process(LinearWarmup(8), 4)(range(4)).tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    return Clocked(schedule, times=integer("processes", processes, 1))


register(Clocked)
