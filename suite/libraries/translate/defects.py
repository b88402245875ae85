"""The known defects of a library that a call may meet."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from typing import Any

from suite.libraries.core.arguments import Arguments
from suite.libraries.core.case import LENGTHS, TOTAL, LibraryCase, cases_of
from suite.libraries.core.library import Library, LibrarySchedule
from suite.libraries.known.deviations import LibraryDeviation, deviations

#: Axes whose call, or whose LR, is another one: a call that is translated has its own.
OTHER_CALLS = ("defaults", "integer-lr", "below-")


def defects_of(
    library: Library, schedule: LibrarySchedule, numbers: Arguments, release: str
) -> tuple[LibraryDeviation, ...]:
    """The defects that a case like this call shows: with its arguments, or in a use that is the person's to know."""
    cases = [case for case in cases_of(library) if case.schedule.name == schedule.name]
    axes = [case.axis for case in cases if _is_like(case, schedule, numbers)]
    return tuple(
        entry
        for entry in deviations().values()
        if entry.kind == "defect"
        and entry.library == library.name
        and entry.covers(release)
        and _any(entry.schedules, [schedule.name])
        and _any(entry.axes, axes)
    )


def _any(patterns: Iterable[str], texts: Iterable[str]) -> bool:
    texts = list(texts)
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns for text in texts)


def _is_like(case: LibraryCase, schedule: LibrarySchedule, numbers: Arguments) -> bool:
    """Whether the case has its lengths, and no argument out of the usual that the call does not have either."""
    warmup, total = numbers["warmup_steps"], numbers["total_steps"]
    if case.axis.startswith(OTHER_CALLS):
        return False
    if case.axis in LENGTHS:
        length: float = LENGTHS[case.axis]
        if length > TOTAL:
            return bool(warmup > total)
        ends: dict[float, bool] = {
            0: warmup == 0,
            1: warmup == 1,
            TOTAL - 1: warmup == total - 1,
            TOTAL: warmup == total,
        }
        return bool(ends.get(length, warmup != int(warmup)))
    changed = set(_unusual(schedule, case.arguments))
    return changed <= set(_unusual(schedule, numbers)) and case.arguments["total_steps"] == TOTAL


def _unusual(schedule: LibrarySchedule, numbers: Arguments) -> Iterator[str]:
    for name, usual in schedule.fields.items():
        value: Any = numbers[name]
        if value != usual:
            yield name
