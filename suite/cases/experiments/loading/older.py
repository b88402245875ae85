"""The state that an older release saved, loaded into the release under test."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from reference import (
    SWALR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
)
from suite.cases.schedules.compositions import METRICS
from suite.engine.action import Action

from .resumed import LOADS, resumption
from .states import REBUILT

#: Releases after which the entries of a state changed, and the part of a number that orders them.
RELEASES = {"1.12": (1, 12), "2.3": (2, 3), "2.6": (2, 6), "2.9": (2, 9)}

#: The method of SWALR that a strategy stands for; those of OneCycleLR and CyclicLR have the name of the choice.
_ANNEALS = {"cos": "_cosine_anneal", "linear": "_linear_anneal"}


def releases(schedule: Schedule) -> list[str]:
    """The releases whose states are tried: not 1.12 for exp_range, whose state held a method of the old scheduler."""
    if isinstance(schedule, CyclicLR) and schedule.mode == "exp_range":
        return [release for release in RELEASES if release != "1.12"]
    return list(RELEASES)


def _of_parts(schedule: Schedule, state: str, release: tuple[int, int], at: int) -> Iterator[str]:
    """The same for each part of a composite."""
    parts: tuple[Schedule, ...] = getattr(schedule, "schedulers", ())
    starts = (0, *getattr(schedule, "milestones", (0,) * len(parts)))
    for i, (part, start) in enumerate(zip(parts, starts, strict=False)):
        own = f'{state}["_schedulers"][{i}]'
        yield from _edits(part, own, release, at - start)
        later_leaf = isinstance(schedule, SequentialLR) and i > 0 and not hasattr(part, "schedulers")
        # Until 2.8 the step(0) at a milestone was counted, by the classes that count; until 1.12 none was undone.
        if later_leaf and at >= start and release < (2, 9) and not isinstance(part, CosineAnnealingWarmRestarts):
            yield f'{own}["_step_count"] += 1'
        if later_leaf and at < start and release < (1, 13):
            yield f'{own}["last_epoch"] = 0'


def _edits(schedule: Schedule, state: str, release: tuple[int, int], at: int) -> list[str]:
    """The lines that turn the entries of a state of step `at` into those that `release` wrote."""
    lines = list(_of_parts(schedule, state, release, at))
    if lines or hasattr(schedule, "schedulers"):
        return lines
    if release < (2, 7):
        lines.append(f'{state}["verbose"] = False')
    if release < (2, 8):
        lines.append(f'{state}.pop("_is_initial", None)')
    if isinstance(schedule, SWALR) and release < (2, 10):
        lines += [
            f'{state}.pop("_anneal_strategy", None)',
            f'{state}["anneal_func"] = SWALR.{_ANNEALS[schedule.anneal_strategy]}',
        ]
    if isinstance(schedule, OneCycleLR) and release < (2, 4):
        lines += [
            f'{state}.pop("_anneal_func_type", None)',
            f'{state}["anneal_func"] = scheduler._annealing_{schedule.anneal_strategy}',
        ]
    if isinstance(schedule, CyclicLR) and release < (1, 13):
        lines += [f'{state}.pop("_scale_fn_custom", None)', f'{state}.pop("_scale_fn_ref", None)']
        lines.append(f'{state}["scale_fn"] = scheduler._{schedule.mode}_scale_fn')
    if isinstance(schedule, ReduceLROnPlateau) and release < (2, 6):
        lines.append(f'{state}.pop("default_min_lr", None)')
    return lines


def choices() -> Iterator[Schedule]:
    """Every choice that a state stores by name or as a function, beside those in the other experiments."""
    yield from (OneCycleLR(0.23, 40, anneal_strategy=way, cycle_momentum=False) for way in ("cos", "linear"))
    yield OneCycleLR(0.23, 20, anneal_strategy="linear", three_phase=True, cycle_momentum=False)
    yield from (SWALR(0.023, 9, way) for way in ("cos", "linear"))
    yield CyclicLR(0.017, 0.19, 2, 2, mode="triangular2", cycle_momentum=False)
    yield CyclicLR(0.017, 0.19, 2, 3, mode="exp_range", gamma=0.9, cycle_momentum=False)
    for mode in ("min", "max"):
        for threshold in ("rel", "abs"):
            yield ReduceLROnPlateau(METRICS, mode, 0.7, 1, 0.01, threshold)


@dataclasses.dataclass(frozen=True)
class OlderState(Action):
    """Before update `at` the run is resumed from states whose entries are those of `release`."""

    at: int
    release: str
    schedule: Schedule
    rebuilds = True

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"stateof{self.release}at{self.at}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"resumed before update {self.at} from a state of release {self.release}"

    @property
    def edits(self) -> list[str]:
        """The lines that give the state its older form."""
        return _edits(self.schedule, "states[1]", RELEASES[self.release], self.at)

    @property
    def before(self) -> str:
        """The lines."""
        return resumption(self.at, [*self.edits, *REBUILT, *LOADS["both"]])
