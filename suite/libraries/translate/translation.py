"""A person's call in other libraries: the nearest calls are run beside it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from reference.check import Rates
from suite.libraries.core.library import Library
from suite.libraries.known.deviations import library_records
from suite.libraries.sandbox.child import LibraryRun
from suite.releases.cache import ReleaseError
from suite.shared.cli import InputError

from .candidates import HALF, CandidateCall, LookedFor, candidates, neighbours
from .differences import RunDifference, difference
from .opened import OpenedLibrary, Shelf
from .running import run_call, script_for
from .source import SourceCall
from .writing import call_text, lines_of

#: Calls of one library that are run beside a person's, at most; and closed forms further away than this are not.
RUNS, FAR = 4, 0.3
#: A run that is this many times as far away as its closed form shows a library that does not do what it documents.
MORE = 1.5
#: How many more calls are run where one is equal until the end and not after it, in runs of at most `SHORT` updates.
AFTER_TRIES, SHORT = 2, 1000
#: Libraries that are searched at the same time.
PROCESSES = 2


@dataclasses.dataclass(frozen=True)
class TranslatedCall:
    """The nearest call of a library, and how its run differs from the person's."""

    opened: OpenedLibrary
    candidate: CandidateCall
    text: str
    values: Rates
    difference: RunDifference
    error: str = ""

    @property
    def id(self) -> str:
        """Library and schedule."""
        return f"{self.opened.library.name}/{self.candidate.schedule.name}"

    @functools.cached_property
    def lines(self) -> tuple[str, ...]:
        """What a person writes."""
        return lines_of(self.candidate.schedule, self.candidate.numbers, self.text, self.opened.signatures)

    @property
    def near(self) -> bool:
        """Whether it is the same schedule at all."""
        return self.difference.near


def rates_of(run: LibraryRun) -> Rates:
    """The LRs of a run."""
    return np.array([row[0] for row in run.lrs], dtype=float)


def run_source(source: SourceCall) -> tuple[Rates, str]:
    """The LRs of a person's call, some after its end too, and the error that ended it; raises InputError."""
    run = run_call(source.opened, source.schedule, source.numbers, source.text, source.length)
    values = rates_of(run)
    error = f"{run.error}: {run.message}" if run.error else ""
    if len(values) < 1:
        raise InputError(f"call={source.text!r} must be one that {source.opened.library.name} takes, but: {error}")
    return values, error


def looked_for(source: SourceCall, values: Rates, error: str = "") -> LookedFor:
    """What is searched in the other libraries."""
    steps = min(source.steps, len(values))
    numbers = source.numbers
    warmup = min(int(numbers.warmup_steps), steps)
    return LookedFor(values, warmup, steps, float(numbers.base_lr), source.given, dict(numbers), error)


def translated(opened: OpenedLibrary, wanted: LookedFor) -> TranslatedCall | None:
    """The call of a library whose run is the nearest; None where it has none with any LRs at all."""
    wanted = dataclasses.replace(wanted, deviating=_deviating(opened.library))
    found = [one for i, one in enumerate(candidates(opened.library, wanted)[:RUNS]) if i == 0 or one.distance < FAR]
    best = _nearest(opened, found, wanted)
    if best is None or best.difference.equal or best.difference.size <= MORE * best.candidate.distance:
        return best  # the library does what it documents, and with other lengths that would not be nearer
    near = [one for one in neighbours(best.candidate, wanted) if one.distance < MORE * best.difference.size]
    others = _nearest(opened, near, wanted)
    return best if others is None or not _beats(others, best) else others


def _deviating(library: Library) -> frozenset[str]:
    """The schedules that do not do what they document with their usual arguments."""
    records = library_records()
    ids = {schedule.name: f"{library.name}/{schedule.name}/plain" for schedule in library.schedules}
    return frozenset(name for name, case in ids.items() if any(one.channel == "lr" for one in records.get(case, ())))


def _nearest(opened: OpenedLibrary, found: Iterable[CandidateCall], wanted: LookedFor) -> TranslatedCall | None:
    best: TranslatedCall | None = None
    seen: set[str] = set()
    more = AFTER_TRIES if wanted.total_steps <= SHORT else 0
    for tried, candidate in enumerate(found):
        one = _run(opened, candidate, wanted, seen)
        if one is not None and (best is None or _beats(one, best)):
            best = one
        if best is not None and best.difference.equal and (not best.difference.after or tried >= more):
            break
    return best


def _beats(one: TranslatedCall, best: TranslatedCall) -> bool:
    """Whether a call is clearly nearer: the first ones are the simpler ones, and have the person's own lengths."""
    if one.difference.equal or one.difference.near != best.difference.near:
        return one.difference.order < best.difference.order
    return one.difference.size < HALF * best.difference.size


def _run(opened: OpenedLibrary, candidate: CandidateCall, wanted: LookedFor, seen: set[str]) -> TranslatedCall | None:
    schedule, numbers = candidate.schedule, candidate.numbers
    try:
        text = call_text(schedule, numbers, opened.signatures)
        runnable = script_for(opened, schedule, numbers, text, len(wanted.values))
    except (ArithmeticError, ValueError):  # a length of 0 in a text that divides by it
        return None
    if schedule.name + text in seen:
        return None
    seen.add(schedule.name + text)
    run = opened.run(runnable.imports, runnable.body)
    values, error = rates_of(run), run.error
    if not len(values):
        return None
    gap = difference(wanted.values, values, wanted.total_steps, wanted.warmup_steps, (wanted.error, error))
    return TranslatedCall(opened, candidate, text, values, gap, error)


def translations(
    shelf: Shelf, names: Sequence[str], wanted: LookedFor, done: Callable[[], object] = lambda: None
) -> tuple[list[TranslatedCall], dict[str, str]]:
    """The nearest call of each library, the equal ones first, and why others have none."""
    failed: dict[str, str] = {}

    def work(name: str) -> TranslatedCall | None:
        try:
            opened = shelf.open(name)
            return translated(opened, wanted) if opened.library.schedules else None
        except ReleaseError as error:
            failed[name] = str(error)
            return None
        finally:
            done()

    with ThreadPoolExecutor(PROCESSES) as pool:
        found = [one for one in pool.map(work, names) if one is not None]
    return sorted(found, key=lambda one: one.difference.order), failed
