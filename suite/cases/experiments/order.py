"""The order of the two calls of step(), and updates that are skipped."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from reference import ReduceLROnPlateau
from suite.cases.schedules.sample import sample
from suite.engine.action import Action
from suite.engine.axes import Setup
from suite.engine.case import Case

#: The warning that torch documents for scheduler.step() before the first optimizer.step().
ORDER_WARNING = "`lr_scheduler.step()` before `optimizer.step()`"


@dataclasses.dataclass(frozen=True)
class SteppedFirst(Action):
    """scheduler.step() before optimizer.step(), as before PyTorch 1.1: the first LR is never used, with a warning."""

    update = "scheduler.step()"
    advance = "optimizer.step()"
    warns = (ORDER_WARNING,)

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return "steppedfirst"


@dataclasses.dataclass(frozen=True)
class SkippedUpdate(Action):
    """One optimizer step is skipped, as GradScaler does after an overflow; the scheduler steps on."""

    at: int
    may_warn = (ORDER_WARNING,)

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"skipped{self.at}"

    @property
    def update(self) -> str:
        """The update, but for one."""
        return f"if step != {self.at}:\n    optimizer.step()"


def cases() -> Iterator[Case]:
    """Every composition of the sample under each."""
    for schedule in sample():
        if not isinstance(schedule, ReduceLROnPlateau):  # its step() needs a metric
            yield Case("order", schedule, Setup(actions=(SteppedFirst(),)))
        for action in (SkippedUpdate(0), SkippedUpdate(3)):
            yield Case("order", schedule, Setup(actions=(action,)))
