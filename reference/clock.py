"""Schedules that advance on a clock other than the optimizer step.

Each clock is defined by the number of scheduler steps made before optimizer step t.
"""

from __future__ import annotations

import numpy as np

from .check import Rates, Steps, integer
from .schedule import Schedule, arg, child, schedule
from .slug import register


@schedule
class Clocked(Schedule):
    """A schedule evaluated at ⌊t·times/every⌋ + ahead instead of t.

    `schedule`: any schedule; `times` >= 1 (scheduler steps) per `every` >= 1 (optimizer steps);
    `ahead` >= 0 (scheduler steps made before the first update). All three are integers.
    Inside a chain each step multiplies by the ratio of consecutive values.
    Raises TypeError or ValueError for bad numbers, and for a step whose scheduler step would reach 2**63.
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
        last = int(t.max(initial=0))
        if last * self.times + self.ahead >= 2**63:
            raise ValueError(f"step={last} must be < (2**63 - {self.ahead}) / {self.times}")
        return self.schedule._values(t * self.times // self.every + self.ahead, base)

    def _multiplies_until(self) -> float:
        limit = self.schedule._multiplies_until()
        if limit < 0 or np.isinf(limit):
            return limit
        # the last t with ⌊t·times/every⌋ + ahead <= limit
        return -(-(int(limit) - self.ahead + 1) * self.every // self.times) - 1


@schedule
class Delayed(Schedule):
    """A schedule that is late: s(max(t − k, 0)), so that its first value is used k + 1 times.

    `schedule`: s, any schedule; k: `steps` >= 0 (optimizer steps). Inside a chain each step multiplies by the ratio of
    consecutive values.
    Raises TypeError or ValueError for other values.
    Source: DeepSpeed 0.19.8, deepspeed/runtime/lr_schedules.py, whose schedulers count from −1: k = 1.

    >>> from reference.warmup import LinearWarmup
    >>> Delayed(LinearWarmup(4), 1)(range(4)).tolist()
    [0.0, 0.0, 0.25, 0.5]
    """

    slug_name = "delayed"
    schedule: Schedule = child()
    steps: int = arg()

    def _check(self) -> None:
        if not isinstance(self.schedule, Schedule):
            raise TypeError(f"schedule={self.schedule!r} must be a schedule")
        self._set("steps", integer("steps", self.steps))

    def _values(self, t: Steps, base: float) -> Rates:
        return self.schedule._values(np.maximum(t - self.steps, 0), base)

    def _multiplies_until(self) -> float:
        limit = self.schedule._multiplies_until()
        return limit if limit < 0 else limit + self.steps


def per_epoch(schedule: Schedule, steps_per_epoch: int) -> Clocked:
    """A schedule stepped once per epoch: s(⌊t/steps_per_epoch⌋), a staircase.

    `steps_per_epoch`: optimizer steps per epoch, an integer >= 1; raises TypeError or ValueError otherwise.
    Source: ViT warmup tutorial, section 4 (per-epoch updates).

    >>> from reference.warmup import LinearWarmup
    >>> per_epoch(LinearWarmup(2), 3)(range(7)).tolist()
    [0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 1.0]
    """
    return Clocked(schedule, every=integer("steps_per_epoch", steps_per_epoch, 1))


def per_micro_batch(schedule: Schedule, accumulation: int) -> Clocked:
    """A schedule meant for optimizer steps but stepped after every micro-batch: s(k·t + k − 1).

    k: `accumulation`, the number of micro-batches per optimizer step.
    Optimizer step t runs in micro-batch k·t + k − 1, counted from 0, and each earlier micro-batch,
    including the k − 1 of the same group, has made one scheduler step.
    Raises TypeError or ValueError unless k is an integer >= 1.
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

    n: `processes`. Raises TypeError or ValueError unless it is an integer >= 1.
    Source: accelerate, AcceleratedScheduler.step with split_batches=False.

    >>> from reference.warmup import LinearWarmup
    >>> per_process(LinearWarmup(8), 4)(range(4)).tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    return Clocked(schedule, times=integer("processes", processes, 1))


register(Clocked, Delayed)
