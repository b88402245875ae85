"""Which cases the entries of loading.toml can affect."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from reference import SWALR, CyclicLR, OneCycleLR, Schedule
from suite.cases.experiments.loading.callables import WithFunction
from suite.cases.experiments.loading.older import OlderState
from suite.cases.experiments.loading.resumed import OtherArguments, OtherGroups, OtherStructure, Resumed
from suite.cases.experiments.loading.states import Branched, RolledBack, SavedApart, WrongEntries
from suite.engine.action import Action
from suite.engine.case import Case
from suite.known.entries.places import Predicate, acted, places

A = TypeVar("A", bound=Action)


def action_where(kind: type[A], accepts: Callable[[A], bool]) -> Predicate:
    """The script contains an action of this kind that `accepts` returns True for."""
    return lambda case: any(isinstance(action, kind) and accepts(action) for action in case.setup.actions)


def loaded(states: str, kind: type[Resumed] = Resumed, *, other_lr: bool = False) -> Predicate:
    """Resumed with these of the two states, and with another base LR or not."""
    return action_where(kind, lambda action: action.loads == states and bool(action.lr) == other_lr)


def functions(schedule: Schedule) -> list[object]:
    """The functions that the parts of a schedule are given."""
    found = []
    for part, _ in places(schedule):
        found += [getattr(part, name) for name in ("lr_lambda", "scale_fn") if getattr(part, name, None) is not None]
    return found


def _other_function(case: Case) -> bool:
    changed = action_where(OtherArguments, lambda action: functions(action.new) != functions(case.schedule))
    replaced = action_where(WithFunction, lambda action: action.kind == "function" and action.gamma != action.saved)
    return changed(case) or replaced(case)


def _settings_in_groups(case: Case) -> bool:
    return isinstance(case.schedule, OneCycleLR | SWALR) and loaded("scheduler", OtherArguments)(case)


#: Entry → the cases that it can affect.
PREDICATES: dict[str, Predicate] = {
    "fresh-scheduler-above-peak": loaded("optimizer"),
    "fresh-scheduler-on-loaded-optimizer": loaded("optimizer"),
    "group-settings-half-loaded": _settings_in_groups,
    "scheduler-without-optimizer": loaded("scheduler"),
    "base-lr-half-loaded": loaded("scheduler", OtherArguments, other_lr=True),
    "saved-arguments-win": loaded("both", OtherArguments),
    "saved-base-lr-wins": loaded("both", OtherArguments, other_lr=True),
    "function-not-in-state": _other_function,
    "function-object-not-saved": action_where(WithFunction, lambda action: action.kind in ("partial", "method")),
    "function-without-dict": action_where(WithFunction, lambda action: action.kind in ("builtin", "slots")),
    "states-of-two-moments": action_where(SavedApart, lambda action: action.early != "both"),
    "state-of-another-class": action_where(OtherStructure, lambda action: not action.parts),
    "state-of-other-parts": action_where(OtherStructure, lambda action: action.parts),
    "state-of-other-groups": acted(OtherGroups),
    "state-entries-unchecked": acted(WrongEntries),
    "tensor-lr-shared-with-state": lambda case: case.setup.lr_type != "float" and acted(RolledBack)(case),
    "tensor-last-lr-shared-with-state": lambda case: case.setup.lr_type != "float" and acted(Branched)(case),
    "cyclic-older-state": lambda case: (
        isinstance(case.schedule, CyclicLR) and action_where(OlderState, lambda action: action.release == "1.12")(case)
    ),
}
