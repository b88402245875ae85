"""A parameter group that joins in mid-training, or whose LR the user changes there.

The documentation of torch is silent about both; `suite/known/readings.toml` has our reading and its argument.
"""

from __future__ import annotations

import numpy as np

from .check import Rates, Steps, integer, real
from .compose import ChainedScheduler, SequentialLR
from .scan import affine_scan
from .schedule import Schedule
from .torch_cosine import CosineAnnealingWarmRestarts
from .torch_cyclic import CyclicLR, OneCycleLR
from .torch_factor import ConstantLR, LambdaLR, LinearLR

#: Their LR is a function of the base LR and the step; every other class takes its next step from the LR in force.
OF_THE_BASE = (LambdaLR, LinearLR, ConstantLR, CosineAnnealingWarmRestarts, OneCycleLR, CyclicLR)


def joined(schedule: Schedule, step: int, lr: float, total_steps: int) -> Rates:
    """The LRs of updates `step` … total_steps − 1 of a group that is added before update `step` with `lr`.

    `lr` is in force at once and is the group's base LR: a warmup ends at it, and a decay takes its next step from it.

    >>> from reference import ExponentialLR, LinearLR
    >>> joined(LinearLR(0.5, 1.0, 4), 2, 8.0, 6).tolist()
    [8.0, 7.0, 8.0, 8.0]
    >>> joined(ExponentialLR(0.5), 2, 8.0, 5).tolist()
    [8.0, 4.0, 2.0]
    """
    first, base = integer("step", step), real("lr", lr, low=0.0)
    slope, offset = _maps_after(schedule, np.arange(first + 1, integer("total_steps", total_steps)), base)
    return np.concatenate([[base], affine_scan(slope, offset, base)])


def continued(schedule: Schedule, step: int, factor: float, total_steps: int, base_lr: float = 1.0) -> Rates:
    """The LRs of all updates if the LR is multiplied by `factor` before update `step` and the change lasts.

    Later steps continue from the LR in force; what does not depend on it is multiplied by `factor` too.

    >>> from reference import LambdaLR, ExponentialLR
    >>> continued(LambdaLR(ExponentialLR(0.5)), 2, 0.5, 4).tolist()
    [1.0, 0.5, 0.125, 0.0625]
    """
    rates = schedule.trace(total_steps, base_lr)
    if step >= total_steps:
        return rates
    slope, offset = _maps_scaled(schedule, np.arange(step + 1, total_steps), base_lr, factor)
    start = factor * rates[step]
    return np.concatenate([rates[:step], [start], affine_scan(slope, offset, start)])


def _maps_scaled(schedule: Schedule, t: Steps, base: float, factor: float) -> tuple[Rates, Rates]:
    """The maps of the steps `t` if what does not follow from the LR in force is scaled by `factor`."""
    if isinstance(schedule, OneCycleLR | CyclicLR):
        slope, offset = schedule._maps(t, base)
        return slope, factor * offset
    if isinstance(schedule, LambdaLR | CosineAnnealingWarmRestarts):
        return schedule._maps(t, factor * base)
    if isinstance(schedule, ChainedScheduler):
        slope, offset = np.ones(t.shape), np.zeros(t.shape)
        for part in schedule.schedulers:
            a, b = _maps_scaled(part, t, base, factor)
            slope, offset = a * slope, a * offset + b
        return slope, offset
    slope, offset = schedule._maps(t, base)
    if isinstance(schedule, SequentialLR):
        phases = np.searchsorted(schedule.milestones, t, side="right")
        for i in np.unique(phases):
            local = t - schedule._start(int(i))
            inside = (phases == i) & ((local > 0) | (slope == 0))  # elsewhere a milestone's ratio
            slope[inside], offset[inside] = _maps_scaled(schedule.schedulers[i], local[inside], base, factor)
    return slope, offset


def _maps_after(schedule: Schedule, t: Steps, base: float, chained: bool = False) -> tuple[Rates, Rates]:
    """The maps of the steps `t`, the first of them the first that the new group sees."""
    if isinstance(schedule, ChainedScheduler):
        slope, offset = np.ones(t.shape), np.zeros(t.shape)
        for part in schedule.schedulers:
            a, b = _maps_after(part, t, base, chained=True)
            slope, offset = a * slope, a * offset + b
        return slope, offset
    if isinstance(schedule, SequentialLR) and not chained:
        return _maps_of_phases(schedule, t, base)
    slope, offset = schedule._maps(t, base)
    if t.size and slope[0] and _takes_the_whole(schedule, int(t[0])):
        slope[0] = schedule._values(t[:1], 1.0)[0]
    return slope, offset


def _maps_of_phases(schedule: SequentialLR, t: Steps, base: float) -> tuple[Rates, Rates]:
    """The phase in which the group joins, then the later ones, each of which starts from the base LR."""
    slope, offset = np.zeros(t.shape), np.zeros(t.shape)
    phases = np.searchsorted(schedule.milestones, t, side="right")
    joins = int(np.searchsorted(schedule.milestones, t[0] - 1, side="right")) if t.size else 0
    for i in np.unique(phases):
        part, here = schedule.schedulers[i], phases == i
        local = t[here] - schedule._start(int(i))
        if i == joins:
            slope[here], offset[here] = _maps_after(part, local, base)
        else:
            a, b = part._maps(local, base)
            slope[here] = np.where(local == 0, 0.0, a)
            offset[here] = np.where(local == 0, part._values(local, base), b)
    return slope, offset


def _takes_the_whole(schedule: Schedule, step: int) -> bool:
    """Whether the value at `step` is the base LR times a factor, rather than the LR before it times a ratio."""
    if isinstance(schedule, SequentialLR):
        before, now = np.searchsorted(schedule.milestones, [step - 1, step], side="right")
        return bool(before != now) or _takes_the_whole(schedule.schedulers[now], step - schedule._start(int(now)))
    return isinstance(schedule, OF_THE_BASE)
