"""A case: a composition, the setup of its training loop, and the expected rates."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference import ChainedScheduler, CyclicLR, OneCycleLR, Schedule, SequentialLR

from .axes import Setup
from .build import for_group

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


def expected(case: Case, positions: list[int]) -> NDArray[np.float64]:
    """The rates that the reference gives at these steps of the schedule: one row per step, one column per group."""
    steps = np.array(positions, dtype=np.int64)
    rows = [
        (for_group(case.schedule, g) if case.setup.lists else case.schedule)(steps, base)
        for g, base in enumerate(case.setup.base_lrs())
    ]
    return np.stack(rows, axis=1)


def expected_momenta(case: Case, positions: list[int]) -> NDArray[np.float64] | None:
    """The same for momentum, or None where no scheduler cycles it."""
    if not isinstance(case.schedule, OneCycleLR | CyclicLR) or not case.schedule.cycle_momentum:
        return None
    steps = np.array(positions, dtype=np.int64)
    rows = []
    for g in range(case.setup.groups):
        own: Any = for_group(case.schedule, g) if case.setup.lists else case.schedule
        rows.append(own.momentum(steps))
    return np.stack(rows, axis=1)
