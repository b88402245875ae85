"""From a person's call to the schedule that it is, with its numbers, ready to be run."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from suite.libraries.catalogue import libraries, library
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.library import LibrarySchedule
from suite.releases.cache import ReleaseError
from suite.shared.cli import InputError

from .matching import OTHER_CALL, CallMatch, CallTemplate, bound, template_of
from .opened import OpenedLibrary, Shelf
from .solving import solved, violations
from .swapping import runnable
from .written import WrittenCall, called, numbers_in, written

#: The base LR where neither the call nor the option names one.
BASE_LR = 1e-3
#: Updates after total_steps that are run too: some, and a share of those before.
AFTER, SHARE_AFTER = 4, 20
#: Where a call names no total_steps: this many times its warmup, and this many updates without a warmup.
ASSUMED_TIMES, ASSUMED = 10, 1000
#: More updates than this take minutes to run in twenty libraries.
MOST_STEPS = 100_000


@dataclasses.dataclass(frozen=True)
class SourceCall:
    """A person's call: the schedule that it is, the text that is run, and what its arguments are.

    `given`: every number in the call.  `assumed`: whether nothing says how many updates there are.  `also`: other
    schedules that it could be.
    """

    opened: OpenedLibrary
    schedule: LibrarySchedule
    text: str
    numbers: Arguments
    steps: int
    given: tuple[float, ...]
    assumed: bool = False
    also: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Library and schedule."""
        return f"{self.opened.library.name}/{self.schedule.name}"

    @property
    def length(self) -> int:
        """The updates that are run, some of them after the end."""
        return self.steps + max(AFTER, self.steps // SHARE_AFTER)


_Found = tuple[CallMatch, OpenedLibrary, LibrarySchedule, CallTemplate | None]


@functools.cache
def templates() -> Mapping[str, tuple[tuple[str, LibrarySchedule, CallTemplate], ...]]:
    """Name of what is called → the library and the schedule whose template calls it."""
    found: dict[str, tuple[tuple[str, LibrarySchedule, CallTemplate], ...]] = {}
    for one in libraries().values():
        for schedule in one.schedules:
            template = template_of(schedule.call)
            if template is not None:
                for name in dict.fromkeys(map(called, template.calls())):
                    found[name] = (*found.get(name, ()), (one.name, schedule, template))
    return found


def release_of(text: str, origin: str, release: str) -> dict[str, str]:
    """The library that a release is one of, and the release; raises InputError where that is not one library."""
    names = {origin} if origin else {place[0] for place in templates().get(written(text).name, ())}
    if len(names) != 1:
        some = f"one of {', '.join(sorted(names))}" if names else "the library of the call"
        raise InputError(f"release={release!r} must come with --from LIBRARY, {some}")
    return {next(iter(names)): release}


def source_of(
    line: str, shelf: Shelf, origin: str = "", base_lr: float | None = None, total: int | None = None
) -> SourceCall:
    """The schedule of a call; raises InputError.

    `origin`: the library, or LIBRARY/SCHEDULE, that it is looked for in.  `base_lr`, `total`: where the call does not
    say so itself.
    """
    call = written(line)
    places = [place for place in templates().get(call.name, ()) if _is_in(place, origin)]
    matches = list(_matches(call, places, shelf))
    if not matches:
        found = _undeclared(call, origin, shelf)
        if found is None:
            raise InputError(_unknown(call.name, origin))
        matches = [found]
    # The least different first; of these the one whose usual arguments it has, in the order of declaration.
    match, opened, schedule, template = min(matches, key=lambda found: (found[0].difference, _unusual(found)))
    if match.unclear:
        name, value = match.unclear[0]
        raise InputError(f"{name}={value} must be a number: replace it, e.g. {_example(name)}")
    also = _also(schedule, match.difference, matches)
    values = solved(schedule, match.equations)
    if match.difference >= OTHER_CALL:  # a value such as a schedule's name that no declared schedule has
        schedule, also = dataclasses.replace(schedule, name=call.name), ()
    if template is None or "total_steps" not in values:
        values = {**_guessed(call.node, opened), **values}
    assumed = "total_steps" not in values and total is None
    if "total_steps" not in values:
        warmup = values.get("warmup_steps", 0)
        length = total or max(ASSUMED, ASSUMED_TIMES * int(warmup if isinstance(warmup, int | float) else 0))
        values = solved(schedule, match.equations, {**values, "total_steps": length})
    values.setdefault("warmup_steps", 0)
    peak = values.get("base_lr")
    values["base_lr"] = float(peak if isinstance(peak, int | float) else BASE_LR if base_lr is None else base_lr)
    numbers = Arguments(**{**schedule.fields, **values})
    _check(numbers, total)
    steps = total or int(numbers.total_steps)
    text, schedule = runnable(call, numbers, match, schedule, template, opened)
    return SourceCall(opened, schedule, text, numbers, steps, tuple(numbers_in(call.node)), assumed, also)


def _also(schedule: LibrarySchedule, difference: float, matches: Sequence[_Found]) -> tuple[str, ...]:
    """Other schedules that the call may be as well, and that are stepped or set up in another way."""
    equal = [(opened, one) for match, opened, one, _ in matches if match.difference <= difference]
    return tuple(f"{opened.library.name}/{one.name}" for opened, one in equal if _around(one) != _around(schedule))


def _unusual(found: _Found) -> int:
    """How many arguments of a call differ from those that its schedule is declared with."""
    match, _, schedule, _ = found
    values = solved(schedule, match.equations)
    return sum(values.get(name, usual) != usual for name, usual in schedule.fields.items())


def _around(schedule: LibrarySchedule) -> tuple[str, ...]:
    return (
        schedule.imports,
        schedule.setup,
        schedule.first,
        schedule.before,
        schedule.step,
        schedule.rate,
        schedule.optimizer,
    )


def _is_in(place: tuple[str, LibrarySchedule, CallTemplate], origin: str) -> bool:
    name, _, schedule = origin.partition("/")
    return (not name or place[0] == name) and (not schedule or place[1].name == schedule)


def _matches(
    call: WrittenCall, places: Sequence[tuple[str, LibrarySchedule, CallTemplate]], shelf: Shelf
) -> Iterator[_Found]:
    failed: list[ReleaseError] = []
    for name, schedule, template in places:
        try:
            opened = shelf.open(name)
        except ReleaseError as error:
            failed.append(error)
            continue
        match = opened.matcher.match(template, call.node)
        if match is not None:
            match.difference += violations(schedule, match.equations)
            yield match, opened, schedule, template
    if failed and len(failed) == len(places):
        raise failed[0]


def _undeclared(call: WrittenCall, origin: str, shelf: Shelf) -> _Found | None:
    """A function or class of a library that no schedule is declared for: it is run as the others are."""
    name = origin.partition("/")[0]
    for one in [library(name)] if name else libraries().values():
        try:
            opened = shelf.open(one.name)
        except ReleaseError:
            continue
        if one.schedules and (opened.signatures.is_own(call.name) or (not one.project and _of_torch(opened, call))):
            first = one.schedules[0]
            imports = f"from {opened.signatures.module(call.name)} import {call.name}"
            schedule = dataclasses.replace(
                first, name=call.name, imports=imports, setup="", first="", before="", fields={}
            )
            match = CallMatch()
            match.swaps[id(call.node.func)] = ast.Name(call.name)
            return match, opened, schedule, None
    return None


def _of_torch(opened: OpenedLibrary, call: WrittenCall) -> bool:
    return bool(opened.signatures.module(call.name))


def _unknown(name: str, origin: str) -> str:
    if origin:
        one = library(origin.partition("/")[0])
        known = [key for key, places in templates().items() if any(place[0] == one.name for place in places)]
        where = f"a schedule of {one.name}"
    else:
        known, where = list(templates()), "a schedule of one of the libraries"
    close = difflib.get_close_matches(name, known, 3, 0.5)
    hint = f"; did you mean {' or '.join(close)}?" if close else "; `python -m suite libraries` lists them"
    return f"call={name!r} must be {where}{hint}"


def _example(name: str) -> str:
    if re.search("lr|min|eta|end|start|alpha|floor", name):
        return "1e-5"
    return "500" if "warm" in name else "10000"


_WARMUP = re.compile("warm|milestone", re.IGNORECASE)
_TOTAL = re.compile("total_steps|total_num|training_steps|num_steps|max_|t_max|t_initial|epochs|decay_steps", re.I)


def _guessed(node: ast.Call, opened: OpenedLibrary) -> dict[str, Any]:
    """The lengths that the names of the arguments hint at."""
    values: dict[str, Any] = {}
    for part in ast.walk(node):
        if not isinstance(part, ast.Call):
            continue
        for name, argument in bound(part, opened.signatures.parameters(called(part))).items():
            number = next((n for n in numbers_in(argument) if isinstance(n, int) and n >= 1), None)
            for key, pattern in (("warmup_steps", _WARMUP), ("total_steps", _TOTAL)):
                if number is not None and pattern.search(name) and not isinstance(argument, ast.Call):
                    values[key] = max(values.get(key, 0), int(number))
    if "total_steps" in values and any(
        called(part) == "SequentialLR" for part in ast.walk(node) if isinstance(part, ast.Call)
    ):
        values["total_steps"] += values.get("warmup_steps", 0)  # T_max of the part after the warmup
    return values


def _check(numbers: Arguments, total: int | None) -> None:
    for name in ("warmup_steps", "total_steps"):
        value = numbers[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise InputError(f"{name}={value!r} must be a number of steps, 0 or more")
    steps = int(numbers.total_steps) if total is None else total
    if not 1 <= steps <= MOST_STEPS:
        rule = "the schedules are compared by running them: divide all lengths by 10 or 100"
        raise InputError(f"total_steps={steps} must be 1 to {MOST_STEPS}: {rule}")
