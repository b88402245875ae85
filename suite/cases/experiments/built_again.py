"""A second scheduler built on a used optimizer, and schedulers that are built but never stepped."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from reference import CyclicLR, OneCycleLR, Schedule, StepLR
from reference.check import Rates
from suite.cases.schedules.compositions import twin
from suite.engine.action import Action, Check
from suite.engine.axes import Setup
from suite.engine.bookkeeping import OWN_BASE
from suite.engine.case import Case, is_composite

from .other_scheduler import SHORT, mark_of, named, others, statements, stepped


@dataclasses.dataclass(frozen=True)
class BuiltAgain(Action):
    """Some steps of a first scheduler before the scheduler of the case is built on the same optimizer.

    With `lr` the user also sets that LR by hand between the two, as one does for a second stage of training.
    """

    first: Schedule
    lr: float | None = None
    steps: int = 4

    @property
    def prepare(self) -> str:
        """Train under the first scheduler."""
        lines = [statements("first", self.first), f"for step in range({self.steps}):", "    optimizer.step()"]
        lines.append(f"    {stepped('first', self.first)}")
        if self.lr is not None:
            lines += ["for group in optimizer.param_groups:", f'    group["lr"] = {self.lr}']
        return "\n".join([*lines, 'found = [group["lr"] for group in optimizer.param_groups]'])

    @property
    def built_beside(self) -> tuple[Schedule, ...]:
        """The first scheduler."""
        return (self.first,)

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"on{self.steps}_{mark_of(self.first)}{'_newlr' if self.lr is not None else ''}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"built on an optimizer after {self.steps} steps of {named(self.first)}" + ", then a new LR" * (
            self.lr is not None
        )

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """The second scheduler from its own step 0 and the LR that it finds."""
        found = [self.lr or float(self.first(self.steps, base)) for base in case.setup.base_lrs()]
        steps = np.array(positions, dtype=np.int64)
        return np.stack([case.schedule(steps, base) for base in found], axis=1)


@dataclasses.dataclass(frozen=True)
class FromFoundLR(BuiltAgain):
    """The same where the second scheduler keeps base LRs: they are the LRs that it found."""

    @property
    def checks(self) -> tuple[Check, ...]:
        """The base LRs of the second scheduler."""
        return (Check("bookkeeping", "base_lrs", "scheduler.base_lrs", "found"),)


@dataclasses.dataclass(frozen=True)
class Discarded(Action):
    """A scheduler that is built and never stepped: before that of the case (at −1), or between two of its steps."""

    other: Schedule
    at: int = -1

    def _lines(self) -> str:
        new = 'sorted(set(optimizer.param_groups[0]) - known - {"initial_lr"})'
        lines = ["known = set(optimizer.param_groups[0])", statements("unused", self.other), "del unused"]
        return "\n".join([*lines, f"left = {new}"])

    @property
    def prepare(self) -> str:
        """Build it before the scheduler of the case."""
        return self._lines() if self.at < 0 else ""

    @property
    def update(self) -> str:
        """Build it between an update and a step of the scheduler of the case."""
        if self.at < 0:
            return ""
        lines = self._lines().replace("\n", "\n    ")
        return f"optimizer.step()\nif step == {self.at}:\n    {lines}"

    @property
    def built_beside(self) -> tuple[Schedule, ...]:
        """The scheduler that is not stepped."""
        return (self.other,)

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"unused_{mark_of(self.other)}" + (f"_at{self.at}" if self.at >= 0 else "")

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"with an unused {named(self.other)} built " + (
            f"after update {self.at}" if self.at >= 0 else "before it"
        )

    @property
    def checks(self) -> tuple[Check, ...]:
        """No key is left in the group."""
        return (Check("settings", "the list of new keys", "left", "[]"),)


def cases() -> Iterator[Case]:
    """Every ordered pair of classes, built again and discarded; a class beside itself has other numbers."""
    cycles = (OneCycleLR(0.23, 40), CyclicLR(0.017, 0.19, 3, 5))  # with momentum
    for schedule in others():
        kind = BuiltAgain if is_composite(schedule) or isinstance(schedule, OWN_BASE) else FromFoundLR
        for other in others():
            second = twin(other) if type(other) is type(schedule) else other
            yield Case("again", schedule, Setup(actions=(kind(second),)))
            yield Case("again", schedule, Setup(actions=(Discarded(second),)))
            yield Case("again", schedule, Setup(actions=(Discarded(second, 3),)))
        yield Case("again", schedule, Setup(actions=(kind(schedule),)))
        yield Case("again", schedule, Setup(groups=3, actions=(kind(schedule),)))
        yield Case("again", schedule, Setup(actions=(kind(StepLR(3, 0.7), lr=0.05),)))
        for cycle in cycles:
            yield Case("again", schedule, Setup(actions=(Discarded(cycle),)))
            yield Case("again", schedule, Setup(actions=(Discarded(cycle, 3),)))
        for short in SHORT:
            yield Case("again", schedule, Setup(actions=(kind(short),)))
            yield Case("again", schedule, Setup(actions=(Discarded(short),)))
            yield Case("again", schedule, Setup(actions=(Discarded(short, 3),)))
            yield Case("again", short, Setup(actions=(BuiltAgain(schedule),)))
