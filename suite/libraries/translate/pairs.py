"""Every declared schedule in every library, at small numbers, and back again."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from reference.check import Rates
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.case import LibraryCase, cases_of
from suite.libraries.core.program import script_of
from suite.libraries.findings import PROCESSES
from suite.releases.cache import ReleaseError

from .candidates import LookedFor
from .opened import OpenedLibrary, Shelf
from .translation import TranslatedCall, rates_of, translated

COLUMNS = ("library", "schedule", "to", "as", "equal", "largest_difference", "difference", "after", "back", "call")


@dataclasses.dataclass(frozen=True)
class DeclaredRun:
    """A declared schedule with its usual arguments, and the LRs that it has."""

    opened: OpenedLibrary
    case: LibraryCase
    values: Rates

    @property
    def wanted(self) -> LookedFor:
        """What is searched in the other libraries."""
        return wanted_of(self.values, self.case.arguments)


def wanted_of(values: Rates, numbers: Arguments) -> LookedFor:
    """What is searched for the run of a call with these numbers."""
    given = tuple(value for value in dict(numbers).values() if type(value) in (int, float))
    warmup, total = int(numbers["warmup_steps"]), int(numbers["total_steps"])
    return LookedFor(values, warmup, total, float(numbers["base_lr"]), given, dict(numbers))


@dataclasses.dataclass(frozen=True)
class TranslatedPair:
    """One schedule in one other library: the nearest call, and the nearest to that one in the first library."""

    source: DeclaredRun
    to: str
    call: TranslatedCall | None
    back: TranslatedCall | None = None

    @property
    def equal(self) -> bool:
        """Whether all updates have the same LR."""
        return self.call is not None and self.call.difference.equal

    def row(self) -> dict[str, object]:
        """The line of the published table."""
        call, back = self.call, self.back
        near = call is not None and call.near
        return {
            "library": self.source.opened.library.name,
            "schedule": self.source.case.schedule.name,
            "to": self.to,
            "as": call.candidate.schedule.name if call is not None and near else "",
            "equal": "yes" if self.equal else "no",
            "largest_difference": f"{call.difference.size:.3g}" if call is not None and near else "",
            "difference": call.difference.words if call is not None and near else "no such schedule",
            "after": call.difference.after if call is not None and near else "",
            "back": back.difference.words if back is not None else "",
            "call": call.text if call is not None and near else "",
        }


def plain_runs(opened: OpenedLibrary) -> list[DeclaredRun]:
    """The schedules of a library that run to their end with their usual arguments."""
    runs = []
    for case in cases_of(opened.library):
        if case.axis == "plain":
            script = script_of(case)
            values = rates_of(opened.run(script.imports, script.body))
            total = int(case.arguments.total_steps)
            if len(values) >= total and np.isfinite(values).all() and (values[:total] > 0).any():
                runs.append(DeclaredRun(opened, case, values))
    return runs


class _Translator:
    """The nearest call of one library for each run; runs with the same LRs are searched once."""

    def __init__(self, opened: OpenedLibrary) -> None:
        self._opened = opened
        self._known: dict[tuple[object, ...], TranslatedCall | None] = {}

    def call(self, wanted: LookedFor) -> TranslatedCall | None:
        shares = np.round(wanted.values / wanted.peak, 9)
        key = (tuple(shares.tolist()), wanted.base_lr, wanted.warmup_steps, wanted.total_steps)
        if key not in self._known:
            self._known[key] = translated(self._opened, wanted)
        return self._known[key]


def all_pairs(
    shelf: Shelf, names: Sequence[str], done: Callable[[], object] = lambda: None
) -> tuple[list[TranslatedPair], dict[str, str]]:
    """Each schedule of each library in every library, its own too, and back; and why a library is left out."""
    failed: dict[str, str] = {}

    def prepared(name: str) -> list[DeclaredRun]:
        try:
            return plain_runs(shelf.open(name))
        except ReleaseError as error:
            failed[name] = str(error)
            return []

    with ThreadPoolExecutor(PROCESSES) as pool:
        runs = [run for group in pool.map(prepared, names) for run in group]
        known = {name: _Translator(shelf.open(name)) for name in names if name not in failed}

        def into(name: str) -> list[TranslatedPair]:
            pairs = [TranslatedPair(run, name, known[name].call(run.wanted)) for run in runs]
            done()
            return pairs

        there = [pair for group in pool.map(into, known) for pair in group]

        def back(name: str) -> list[TranslatedPair]:
            own = [pair for pair in there if pair.source.opened.library.name == name]
            done()
            return [_and_back(pair, known[name]) for pair in own]

        return [pair for group in pool.map(back, known) for pair in group], failed


def _and_back(pair: TranslatedPair, translator: _Translator) -> TranslatedPair:
    if not pair.equal or pair.call is None:
        return pair
    call = pair.call
    total = int(pair.source.case.arguments.total_steps)
    numbers = call.candidate.numbers.but(total_steps=total)
    return dataclasses.replace(pair, back=translator.call(wanted_of(call.values, numbers)))


def pairs_table(pairs: Iterable[TranslatedPair]) -> str:
    """A row for each library, a column for each: how many schedules of the one can be written in the other exactly."""
    pairs = list(pairs)
    counts = Counter((pair.source.opened.library.name, pair.to) for pair in pairs if pair.equal)
    names = list(dict.fromkeys(pair.to for pair in pairs))
    totals = Counter(pair.source.opened.library.name for pair in pairs if names and pair.to == names[0])
    width = max(map(len, names), default=0) + 3
    lines = [f"{'':{width}} all" + "".join(f"{number:4}" for number in range(1, len(names) + 1))]
    for number, name in enumerate(names, 1):
        cells = "".join(f"{counts[name, other] or '·':>4}" for other in names)
        lines.append(f"{number:2} {name:{width - 3}}{totals[name]:4}{cells}")
    return "\n".join(lines)


def pair_counts(pairs: Iterable[TranslatedPair]) -> Mapping[str, int]:
    """Pairs of a schedule and another library, equal ones, near ones, and equal ones that come back equal."""
    others = [pair for pair in pairs if pair.source.opened.library.name != pair.to]
    equal = [pair for pair in others if pair.equal]
    return {
        "schedules": len({id(pair.source) for pair in others}),
        "pairs": len(others),
        "equal": len(equal),
        "near": sum(pair.call is not None and pair.call.near and not pair.equal for pair in others),
        "back": sum(pair.back is not None and pair.back.difference.equal for pair in equal),
    }


def pairs_text(pairs: Sequence[TranslatedPair]) -> str:
    """The table, and what it counts in a sentence."""
    counts = pair_counts(pairs)
    return (
        f"How many schedules of each library can be written in each other one with the same LR in every update:\n\n"
        f"{pairs_table(pairs)}\n\n"
        f"{counts['pairs']} pairs of a schedule and another library: {counts['equal']} equal in every update, "
        f"{counts['near']} with a stated difference, {counts['pairs'] - counts['equal'] - counts['near']} without a "
        f"schedule that is near.\nWritten back in the first library, {counts['back']} of {counts['equal']} are equal, "
        f"and {counts['equal'] - counts['back']} have a stated difference."
    )


def pairs_csv(pairs: Iterable[TranslatedPair]) -> str:
    """The pairs of a schedule and another library as CSV."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(pair.row() for pair in pairs if pair.source.opened.library.name != pair.to)
    return file.getvalue()
