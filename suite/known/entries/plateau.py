"""Which cases the entries of plateau.toml can affect: one predicate for each, on the case alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from reference import ReduceLROnPlateau
from suite.engine.build import for_group
from suite.engine.case import Case, Refused, validated
from suite.known.entries.places import Predicate


def _plateau(where: Callable[[ReduceLROnPlateau, Case], bool]) -> Predicate:
    """A ReduceLROnPlateau of which `where` is true and whose arguments are valid."""

    def holds(case: Case) -> bool:
        return isinstance(case.schedule, ReduceLROnPlateau) and _is_valid(case.schedule) and where(case.schedule, case)

    return holds


def _is_valid(schedule: ReduceLROnPlateau) -> bool:
    try:
        validated(schedule)
    except Refused:
        return False
    return True


def _starts_at_the_worst(schedule: ReduceLROnPlateau, case: Case) -> bool:
    """The first metric is NaN, or the infinity that no metric is worse than."""
    worst = math.inf if schedule.mode == "min" else -math.inf
    return bool(schedule.metrics) and (math.isnan(schedule.metrics[0]) or schedule.metrics[0] == worst)


def _asks_for_less_than_nothing(schedule: ReduceLROnPlateau, case: Case) -> bool:
    """A relative threshold of 1 or more, which no multiple of an infinite best can express."""
    return (schedule.mode, schedule.threshold_mode) == ("min", "rel") and schedule.threshold >= 1


def _reduces_by_eps(schedule: ReduceLROnPlateau, case: Case) -> bool:
    """A reduction of some group changes its LR by exactly eps."""
    for group, rate in enumerate(case.setup.base_lrs()):
        own: Any = for_group(schedule, group) if case.setup.lists else schedule
        for _ in own.metrics:
            lower = max(rate * own.factor, own.min_lr)
            if 0 < rate - lower == own.eps:
                return True
            rate = lower if lower < rate else rate
    return False


def _unchecked(case: Case) -> bool:
    """An argument of ReduceLROnPlateau by itself that the reference refuses."""
    return isinstance(case.schedule, ReduceLROnPlateau) and not _is_valid(case.schedule)


#: Entry → the cases that it can affect.
PREDICATES: dict[str, Predicate] = {
    "plateau-unchecked": _unchecked,
    "plateau-threshold-of-one": _plateau(_asks_for_less_than_nothing),
    "plateau-first-epoch": _plateau(_starts_at_the_worst),
    "plateau-eps-reached": _plateau(_reduces_by_eps),
}
