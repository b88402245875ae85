"""What a mistake is: how its run differs from the one that the user wanted, and which answers are right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from .loop import LoopShape
from .schedules.schedule import PublicPlan, PublicSchedule


@dataclasses.dataclass(frozen=True)
class WantedRun:
    """What the user wanted: a schedule with a plan in a loop, from which a mistake departs."""

    schedule: PublicSchedule
    plan: PublicPlan
    shape: LoopShape


@dataclasses.dataclass(frozen=True)
class LoggedLrs:
    """The LR of each update as the user's code had it, with the number that the user's log gives to each row."""

    steps: list[int]
    lrs: list[float]


def from_zero(lrs: list[float]) -> LoggedLrs:
    """Rows numbered by update."""
    return LoggedLrs(list(range(len(lrs))), lrs)


#: Makes the run with the mistake; None where the mistake cannot be made with this schedule and loop.
MakeRun = Callable[[np.random.Generator, WantedRun], LoggedLrs | None]
#: What the diagnosis may be given.
EXPECT, SETTINGS, NOTHING = "expect", "settings", "nothing"
ALL_MODES = (EXPECT, SETTINGS, NOTHING)
TOLD = (EXPECT, SETTINGS)


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A mistake of users.

    `label`: what it is counted under, an id of the causes where they have it, else a name of this generator, which
    `words` explain; `source`: where a user made it; `right`: the causes that are right answers; `near`: those that
    point at the same line of the user's code or describe the same effect; `modes`: what the diagnosis may be given so
    that the mistake can be known at all: with the settings alone one step ahead is another convention, and a line that
    ends too high is a line with a floor.
    """

    label: str
    words: str
    source: str
    right: tuple[str, ...]
    near: tuple[str, ...]
    modes: tuple[str, ...]
    make: MakeRun


#: Every mistake; the modules beside this one fill it.
MISTAKES: list[Mistake] = []


def mistake(
    label: str,
    words: str,
    source: str,
    *,
    right: tuple[str, ...] | None = None,
    near: tuple[str, ...] = (),
    modes: tuple[str, ...] = ALL_MODES,
) -> Callable[[MakeRun], MakeRun]:
    """Register the decorated function as a mistake; `right` is the label unless given."""

    def register(make: MakeRun) -> MakeRun:
        MISTAKES.append(Mistake(label, words, source, (label,) if right is None else right, near, modes, make))
        return make

    return register
