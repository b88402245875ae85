"""A second scheduler in the lines of a script, and what it does to the LR."""

from __future__ import annotations

import dataclasses
import functools
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from reference import (
    SWALR,
    ChainedScheduler,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    LambdaLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Schedule,
)
from reference.check import Rates, Steps
from reference.schedule import child, schedule
from suite.cases.schedules.compositions import METRICS
from suite.cases.schedules.sample import parts
from suite.engine.case import Case
from suite.engine.statements import Schedulers, listed

#: Classes that set the LR from a base LR or a range, whatever it is at that moment.
OVERWRITES = (LambdaLR, CosineAnnealingWarmRestarts, OneCycleLR, CyclicLR)
#: Classes that bring an LR range, so that two of them have no product.
RANGES = (OneCycleLR, CyclicLR)
#: With its defaults ReduceLROnPlateau waits longer than a case lasts; this one reduces the LR five times.
PLATEAU = ReduceLROnPlateau(METRICS, factor=0.7, patience=1)
#: Annealing that ends at once, which the constructor accepts and construction already applies, and after one step.
SHORT = (SWALR(0.023, 0), SWALR(0.023, 1))
#: How many steps a script may take: enough for the tables of its functions.
LAST = 16


def others() -> Iterator[Schedule]:
    """Every class once, as the scheduler beside the one of the case."""
    yield from (PLATEAU if isinstance(part, ReduceLROnPlateau) else part for part in parts())


def mark_of(other: Schedule) -> str:
    """A short name in an id: the slug, without the metrics of ReduceLROnPlateau."""
    return other.slug.replace(dataclasses.replace(PLATEAU, factor=0.1, patience=10).slug, "plateau")


def named(other: Schedule) -> str:
    """The same for people: its class, and the short name, which has its arguments."""
    return f"{type(other).__name__} ({mark_of(other)})"


@functools.cache
def statements(name: str, other: Schedule) -> str:
    """The lines that build `other` under this name."""
    narrow = " " * 8  # they may stand in a loop and a condition of the script
    lines = Schedulers(Case("", other), LAST).statements(f"{name} = ", indent=narrow)
    lines = textwrap.dedent("\n".join(lines)).splitlines()
    return "\n".join([*lines, *([metrics_of(other)] if isinstance(other, ReduceLROnPlateau) else [])])


def metrics_of(plateau: ReduceLROnPlateau) -> str:
    """The line with the arguments of its step()."""
    return listed("metrics = ", [repr(metric) for metric in plateau.metrics])


def stepped(name: str, other: Schedule) -> str:
    """The line that steps it after update number `step`."""
    return f"{name}.step({'metrics[step]' if isinstance(other, ReduceLROnPlateau) else ''})"


def rates_of(schedule: Schedule, case: Case, positions: Sequence[int]) -> Rates:
    """The LRs of a schedule from the base LRs of the case."""
    steps = np.array(positions, dtype=np.int64)
    return np.stack([schedule(steps, base) for base in case.setup.base_lrs()], axis=1)


@schedule
class Multiplying(Schedule):
    """A schedule that acts on the LR it finds by the ratio of its own consecutive values, as a factor does."""

    part: Schedule = child()

    def _values(self, t: Steps, base: float) -> Rates:
        return self.part._values(t, base)

    def _multiplies_until(self) -> float:
        return -1


def effect(other: Schedule) -> Schedule:
    """What its steps do to the LR that they find: ReduceLROnPlateau reduces it, an overwriting class scales it."""
    if isinstance(other, ReduceLROnPlateau):
        drops = np.flatnonzero(np.diff(other.trace(LAST + 1))) + 1
        return MultiStepLR(tuple(drops.tolist()), other.factor)
    return Multiplying(other) if isinstance(other, OVERWRITES) else other


def together(first: Schedule, second: Schedule) -> Schedule:
    """Both stepped after each update, in this order; the effect of each is kept, unless both bring a range of LRs."""
    if isinstance(first, RANGES) and isinstance(second, RANGES):
        return ChainedScheduler((first, second))
    return ChainedScheduler((effect(first), effect(second)))
