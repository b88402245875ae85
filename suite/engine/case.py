"""A case: a composition, the setup of its training loop, and the expected rates."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from reference import ChainedScheduler, CyclicLR, OneCycleLR, Schedule, SequentialLR
from reference.check import Rates

from .axes import Setup
from .build import for_group
from .optimizers import has_momentum

#: The plain loop: every axis at its default.
PLAIN = Setup()


@dataclasses.dataclass(frozen=True)
class Case:
    """One composition under one setup; its id is the composition's slug, then the axes in a fixed order."""

    family: str
    schedule: Schedule
    setup: Setup = PLAIN
    steps: int = 16

    @functools.cached_property
    def id(self) -> str:
        """Letters, digits, ``_ . + -`` only."""
        return "-".join([self.schedule.slug, *self.setup.marks])


def is_composite(schedule: Schedule) -> bool:
    """Whether the schedule is made of others, so that its step() takes no epoch."""
    return isinstance(schedule, SequentialLR | ChainedScheduler)


class Refused(Exception):
    """The reference refuses this composition; the text says why."""


def validated(schedule: Schedule) -> Schedule:
    """The schedule rebuilt with validation at every level; raises Refused with the rule it breaks."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(schedule):  # type: ignore[arg-type]  # every Schedule is a dataclass
        value = getattr(schedule, field.name)
        if isinstance(value, Schedule):
            changes[field.name] = validated(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Schedule):
            changes[field.name] = tuple(validated(part) for part in value)
    try:
        return dataclasses.replace(schedule, **changes)  # type: ignore[type-var]
    except (TypeError, ValueError) as error:
        raise Refused(str(error)) from None


def expected(case: Case, positions: list[int]) -> Rates:
    """The rates that the reference gives at these steps of the schedule: one row per step, one column per group."""
    steps = np.array(positions, dtype=np.int64)
    rows = [schedule(steps, base) for schedule, base in zip(*_of_groups(case), strict=True)]
    rates = np.stack(rows, axis=1)
    for action in case.setup.actions:
        rates = action.expected(case, positions, rates)
    return rates


def asks_for_negative(case: Case) -> bool:
    """Whether the arguments lead to an LR below 0, such as a negative gamma."""
    try:
        validated(case.schedule)
        # A whole epoch of updates has one step of the scheduler, one update may have two.
        steps = np.arange(max(case.steps, sum(map(case.setup.scheduler_steps, range(case.steps)))))
        rates = [schedule(steps, base) for schedule, base in zip(*_of_groups(case), strict=True)]
    except (Refused, ValueError):  # a schedule that the reference refuses, or that ends before these steps
        return False
    return bool(np.min(rates, initial=0.0) < 0)


def _of_groups(case: Case) -> tuple[list[Schedule], list[float]]:
    """The schedule of each group, and its base LR."""
    bases = case.setup.base_lrs()
    return [for_group(case.schedule, g) if case.setup.lists else case.schedule for g in range(len(bases))], bases


def expected_momenta(case: Case, positions: list[int], own: float) -> Rates:
    """The same for momentum; `own` is the optimizer's, which stays where no scheduler cycles it."""
    columns = []
    for g in range(case.setup.groups):
        schedule = for_group(case.schedule, g) if case.setup.lists else case.schedule
        # Two cases for speed: positions may be in the millions.
        if not cycles_momentum(schedule):
            columns.append(np.full(len(positions), own))
            continue
        if isinstance(schedule, OneCycleLR | CyclicLR):
            columns.append(schedule.momentum(positions))
            continue
        cycled = _cycled(schedule, max(positions, default=0) + 1)
        # A phase that does not cycle the momentum leaves it where the phase before it did.
        last = np.maximum.accumulate(np.where(np.isnan(cycled), -1, np.arange(cycled.size)))
        columns.append(np.where(last < 0, own, cycled[last])[positions])
    return np.stack(columns, axis=1)


def cycles_momentum(schedule: Schedule) -> bool:
    """Whether a scheduler of the composition cycles the momentum."""
    parts = getattr(schedule, "schedulers", ())
    return bool(getattr(schedule, "cycle_momentum", False)) or any(map(cycles_momentum, parts))


def unfit_optimizer(case: Case) -> str:
    """Why the optimizer does not fit the schedule; empty where it does."""
    if cycles_momentum(case.schedule) and not has_momentum(case.setup.optimizer):
        return "cycle_momentum needs an optimizer with a momentum other than 0, or with betas"
    return ""


def _cycled(schedule: Schedule, steps: int) -> Rates:
    """The momentum that the schedule sets at each step; NaN where it sets none."""
    none = np.full(steps, np.nan)
    if isinstance(schedule, OneCycleLR | CyclicLR):
        return schedule.momentum(np.arange(steps)) if schedule.cycle_momentum else none
    if isinstance(schedule, ChainedScheduler):
        for part in schedule.schedulers:
            cycled = _cycled(part, steps)
            none = np.where(np.isnan(cycled), none, cycled)
    if isinstance(schedule, SequentialLR):
        starts = [0, *schedule.milestones, steps]
        for i, part in enumerate(schedule.schedulers):
            start, end = min(starts[i], steps), min(starts[i + 1], steps)
            if end > start:
                none[start:end] = _cycled(part, end - start)
    return none
