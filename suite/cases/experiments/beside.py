"""Two schedulers on one optimizer, stepped side by side without a composite, or one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from reference import SWALR, OneCycleLR, ReduceLROnPlateau, Schedule, SequentialLR
from reference.check import Rates
from suite.cases.schedules.compositions import twin
from suite.cases.schedules.sample import crossed
from suite.engine.action import Action
from suite.engine.axes import Setup
from suite.engine.case import Case, is_composite

from .other_scheduler import PLATEAU, SHORT, mark_of, metrics_of, named, others, rates_of, statements, stepped, together


@dataclasses.dataclass(frozen=True)
class Beside(Action):
    """Another scheduler, built and stepped just before that of the case."""

    other: Schedule

    @property
    def prepare(self) -> str:
        """Build the other scheduler."""
        return statements("other", self.other)

    @property
    def built_beside(self) -> tuple[Schedule, ...]:
        """The other scheduler."""
        return (self.other,)

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"beside_{mark_of(self.other)}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"beside {named(self.other)}"

    @property
    def advance(self) -> str:
        """Step both."""
        return f"{stepped('other', self.other)}\nscheduler.step()"

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """The effects of both."""
        return rates_of(together(self.other, case.schedule), case, positions)


@dataclasses.dataclass(frozen=True)
class BesidePlateau(Beside):
    """The same where the scheduler of the case is ReduceLROnPlateau, which needs a metric."""

    general = False

    @property
    def prepare(self) -> str:
        """Build the other scheduler; the metrics of the case."""
        return f"{statements('other', self.other)}\n{metrics_of(PLATEAU)}"

    @property
    def advance(self) -> str:
        """Step both."""
        return f"{stepped('other', self.other)}\n{stepped('scheduler', PLATEAU)}"


@dataclasses.dataclass(frozen=True)
class HandedOver(Action):
    """Another scheduler is stepped first, then that of the case, both built at the start, as SWALR's docstring does."""

    general = False

    other: Schedule
    at: int = 6

    @property
    def prepare(self) -> str:
        """Build the other scheduler."""
        return statements("first", self.other)

    @property
    def built(self) -> str:
        """The other scheduler runs first."""
        return "second, scheduler = scheduler, first"

    @property
    def advance(self) -> str:
        """Step the one whose turn it is."""
        return f"if step == {self.at}:\n    scheduler = second\nscheduler.step()"

    @property
    def built_beside(self) -> tuple[Schedule, ...]:
        """The scheduler that runs first."""
        return (self.other,)

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"after{self.at}_{mark_of(self.other)}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"after {self.at} steps of {named(self.other)}"

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """The other's LRs, then those of the case from where the other left the LR."""
        rows = rates_of(self.other, case, positions)
        if len(positions) <= self.at:  # the run failed before
            return rows
        later = np.arange(len(positions) - self.at)
        rows[self.at :] = np.stack([case.schedule(later, base) for base in rows[self.at]], axis=1)
        return rows


def _side_by_side(other: Schedule, schedule: Schedule) -> Case:
    kind = BesidePlateau if isinstance(schedule, ReduceLROnPlateau) else Beside
    return Case("beside", schedule, Setup(actions=(kind(other),)))


def cases() -> Iterator[Case]:
    """Every ordered pair of classes side by side, and every class before SWALR."""
    for other in others():
        plateau = isinstance(other, ReduceLROnPlateau)
        for schedule in others():
            second = twin(schedule) if type(schedule) is type(other) else schedule
            if not (plateau and isinstance(second, ReduceLROnPlateau)):  # they would need two lists of metrics
                yield _side_by_side(other, second)
        if not plateau:
            target = SWALR(0.023, 4)
            second = twin(target) if isinstance(other, SWALR) else target
            yield Case("beside", second, Setup(actions=(HandedOver(other),)))
    for schedule in others():
        if not isinstance(schedule, ReduceLROnPlateau):
            yield Case("beside", schedule, Setup(groups=3, actions=(Beside(PLATEAU),)))
    yield from _short()
    yield from _over_milestones()


def _short() -> Iterator[Case]:
    """SWALR that anneals for no step, or for one, on either side of every class."""
    for short in SHORT:
        for schedule in others():
            plateau = isinstance(schedule, ReduceLROnPlateau)
            yield _side_by_side(short, schedule)
            yield _side_by_side(schedule, short)
            if not plateau:
                yield Case("beside", short, Setup(actions=(HandedOver(schedule),)))


def _over_milestones() -> Iterator[Case]:
    """SequentialLRs whose milestone comes after the first reduction of ReduceLROnPlateau, on either side of it."""
    for schedule in crossed():
        if isinstance(schedule, SequentialLR) and not any(map(is_composite, schedule.schedulers)):
            yield _side_by_side(PLATEAU, schedule)
            if not isinstance(schedule.schedulers[-1], OneCycleLR):  # which cycles the momentum as well
                yield _side_by_side(schedule, PLATEAU)
