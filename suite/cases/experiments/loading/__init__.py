"""Loading a state onto something else than what saved it, and states saved or kept in unusual ways."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from reference import (
    SWALR,
    ChainedScheduler,
    CosineAnnealingLR,
    CyclicLR,
    LinearLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
)
from suite.cases.schedules.compositions import METRICS
from suite.cases.schedules.sample import crossed, parts
from suite.engine.action import Action
from suite.engine.axes import Setup
from suite.engine.case import Case

from . import callables
from .older import OlderState, choices, releases
from .resumed import OTHER_LR, OtherArguments, OtherGroups, OtherStructure, Resumed
from .states import FAULTS, Branched, RolledBack, SavedApart, WrongEntries
from .variants import with_other_argument, with_other_parts

#: Updates before, at and after step 6, where the composites have a milestone.
CUTS = (3, 6, 8)
STEPS = 12
#: It has reduced the LR before each of the cuts but the first.
PLATEAU = ReduceLROnPlateau(METRICS, factor=0.7, patience=1)
#: The schedules that a script starts when it fine-tunes from the optimizer of a finished run.
WARMUP = LinearLR(0.01, 1.0, 5)
WARMUP_COSINE = SequentialLR((WARMUP, CosineAnnealingLR(17)), (5,))


def without_momentum(schedule: Schedule) -> Schedule:
    """The schedule with momentum left alone: what a load does to it is not the question here."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(schedule):  # type: ignore[arg-type]  # every Schedule is a dataclass
        if field.name == "cycle_momentum":
            changes[field.name] = False
        elif field.name == "schedulers":
            changes[field.name] = tuple(without_momentum(part) for part in schedule.schedulers)  # type: ignore[attr-defined]
    return dataclasses.replace(schedule, **changes) if changes else schedule  # type: ignore[type-var]


def has_function(schedule: Schedule) -> bool:
    """Whether a part of the schedule is given a function."""
    return any(hasattr(part, "lr_lambda") for part in (schedule, *getattr(schedule, "schedulers", ())))


def schedules() -> Iterator[Schedule]:
    """Every class that follows a closed form, alone, and every second composite: those that most often are right."""
    exp_range = CyclicLR(0.017, 0.19, 3, mode="exp_range", gamma=0.93)
    for schedule in (*parts(), exp_range, *crossed()[1::2]):
        if not isinstance(schedule, ReduceLROnPlateau):
            yield without_momentum(schedule)


def _other_arguments(schedule: Schedule) -> Iterator[tuple[Action, int]]:
    """Resumed with each argument changed, at every cut for the first of them, and with another base LR."""
    for i, (name, other) in enumerate(with_other_argument(schedule)):
        for at in CUTS if i == 0 else (6,):
            yield OtherArguments(at, "both", other, name), 1
        if i == 0:
            yield OtherArguments(6, "both", other, name), 2
        if i == 0 or isinstance(schedule, OneCycleLR | SWALR):  # half of their arguments is in the groups
            yield OtherArguments(6, "scheduler", other, name), 1
    for at in CUTS:
        yield OtherArguments(at, "both", schedule, lr=OTHER_LR), 1
    for groups in (1, 2):
        yield OtherArguments(6, "scheduler", schedule, lr=OTHER_LR), groups


def _one_state(schedule: Schedule) -> Iterator[tuple[Action, int]]:
    """One of the two states is not loaded, or was saved at another moment."""
    for at in CUTS:
        for loads in ("scheduler", "optimizer"):
            yield Resumed(at, loads, schedule), 1
        yield Resumed(at, "optimizer", WARMUP, WARMUP.slug), 1
        yield SavedApart(at, "optimizer"), 1
        yield SavedApart(at, "scheduler"), 1
    yield Resumed(6, "optimizer", WARMUP_COSINE, WARMUP_COSINE.slug), 1
    yield Resumed(6, "scheduler", schedule), 2
    yield Resumed(6, "optimizer", schedule), 2
    yield SavedApart(6, "both"), 1


def _kept_states(schedule: Schedule) -> Iterator[tuple[Action, int]]:
    """A state is loaded after the run that saved it, or that it was loaded into, went on."""
    for at in CUTS:
        yield RolledBack(at, 2), 1
    yield RolledBack(6, 2), 2
    yield Branched(6), 1
    yield Branched(6), 2
    for release in releases(schedule):
        yield OlderState(6, release, schedule), 1


def _wrong_states(schedule: Schedule) -> Iterator[tuple[Action, int]]:
    """A state of other parts, of other groups, or with wrong entries."""
    for name, other in with_other_parts(schedule):
        yield OtherStructure(6, "both", other, name, parts=True), 1
    for groups in (1, 2):
        for loads in ("both", "scheduler"):
            # The suite gives each group an object where a script has a function, and only objects are in a state.
            if groups == 1 or not has_function(schedule):
                yield OtherGroups(6, 3 - groups, loads), groups
    for fault in FAULTS:
        if fault not in ("renamed", "nostep") or not isinstance(schedule, ChainedScheduler):  # it has no last_epoch
            yield WrongEntries(6, fault), 1


def _plateau() -> Iterator[Action]:
    """What ReduceLROnPlateau, whose LRs depend on the metrics of the whole run, is resumed with."""
    for at in CUTS:
        yield Resumed(at, "scheduler", PLATEAU)
    for release in releases(PLATEAU):
        yield OlderState(6, release, PLATEAU)
    for fault in FAULTS:
        yield WrongEntries(6, fault)


def cases() -> Iterator[Case]:
    """Every schedule under each."""
    for action in _plateau():
        yield Case("loading", PLATEAU, Setup(actions=(action,)), STEPS)
    for schedule in schedules():
        for actions in (_other_arguments, _one_state, _kept_states, _wrong_states):
            for action, groups in actions(schedule):
                yield Case("loading", schedule, Setup(groups=groups, actions=(action,)), STEPS)
        for lr_type in ("tensor", "shared"):
            for kept in (RolledBack(6, 4), Branched(6)):
                yield Case("loading", schedule, Setup(groups=2, lr_type=lr_type, actions=(kept,)), STEPS)
    for choice in choices():
        for release in releases(choice):
            yield Case("loading", choice, Setup(actions=(OlderState(6, release, choice),)), STEPS)
            tensor = Setup(lr_type="tensor", actions=(OlderState(3, release, choice),))
            yield Case("loading", choice, tensor, STEPS)
    singles = [without_momentum(part) for part in parts()]
    for saved in singles:
        for new in singles:
            if type(saved) is not type(new):
                structure = OtherStructure(6, "both", new, new.slug_name)
                yield Case("loading", saved, Setup(actions=(structure,)), STEPS)
    for schedule, function in callables.actions():
        yield Case("loading", schedule, Setup(actions=(function,)), STEPS)
