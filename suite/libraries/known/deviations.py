"""The known deviations of libraries: a table for each, and the cases that show them in the newest compared release.

A table is LIBRARY.toml; shared.toml has those that torch brings to every library built on its schedulers.
Each entry has, all required but `shapes`:

* title: a fragment that makes sense alone in a table.  who: who is hit, after "if": "you train longer".
* kind: ``defect`` (contradicts its documentation, or can be right for nobody), ``surprise`` (documented or arguable,
  but LRs are lost silently) or ``change`` (another release does otherwise, both documented).
* schedules, axes, channels, shapes: patterns of what may show it.
* since, until: the first of the library's compared releases that shows it, and the first that no longer does ("" where
  there is none).  Both are measured: `python -m suite libraries --publish` fails where they differ.
* symptom, workaround: full sentences.  argument: why it is no convention: a docstring, release notes, a thread.
* upstream: the addresses of threads; empty where none was found.
"""

from __future__ import annotations

import csv
import dataclasses
import fnmatch
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from suite.engine.verdict import Verdict
from suite.libraries.core.case import LibraryCase
from suite.libraries.core.version import version_key
from suite.shared.toml_file import read_toml

HERE = Path(__file__).parent
CASES = HERE / "cases.csv"
#: The table of what every library inherits from torch.
SHARED = "shared"
KINDS = ("defect", "surprise", "change")


@dataclasses.dataclass(frozen=True)
class LibraryDeviation:
    """One entry of a table."""

    id: str
    library: str
    title: str
    who: str
    kind: str
    schedules: tuple[str, ...]
    axes: tuple[str, ...]
    channels: tuple[str, ...]
    since: str
    until: str
    symptom: str
    workaround: str
    argument: str
    upstream: tuple[str, ...]
    shapes: tuple[str, ...] = ("*",)

    def covers(self, release: str) -> bool:
        """Whether the release is in the entry's range."""
        if self.since and version_key(release) < version_key(self.since):
            return False
        return not self.until or version_key(release) < version_key(self.until)

    def shows(self, case: LibraryCase, deviation: Verdict) -> bool:
        """Whether the deviation of the case looks like one of this entry, in whatever release."""
        return (
            self.library in (SHARED, case.library.name)
            and _any(self.channels, deviation.channel)
            and _any(self.shapes, deviation.shape)
            and _any(self.schedules, case.schedule.name)
            and _any(self.axes, case.axis)
        )


def _any(patterns: Iterable[str], text: str) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


@functools.cache
def deviations() -> Mapping[str, LibraryDeviation]:
    """Every entry by its id; raises ValueError where one is not complete."""
    entries: dict[str, LibraryDeviation] = {}
    for path in sorted(HERE.glob("*.toml"), key=lambda path: path.stem == SHARED):
        if path.stem == "readings":
            continue
        for name, fields in read_toml(path).items():
            values: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
            }
            try:
                entry = LibraryDeviation(id=name, library=path.stem, **values)
            except TypeError as error:
                raise ValueError(f"entry={name} in {path.name}: {error}") from None
            if entry.kind not in KINDS:
                raise ValueError(f"entry={name}: kind={entry.kind!r} must be one of {', '.join(KINDS)}")
            if name in entries:
                raise ValueError(f"entry={name} in {path.name} must have an id of its own")
            entries[name] = entry
    return entries


@functools.cache
def library_readings() -> Mapping[str, Mapping[str, str]]:
    """Where the documentation leaves a choice: the choice, and the argument for it."""
    return read_toml(HERE / "readings.toml")


def explaining(case: LibraryCase, deviation: Verdict, release: str) -> tuple[LibraryDeviation, ...]:
    """The entries that explain a deviation in a release, those of the library first."""
    return tuple(entry for entry in deviations().values() if entry.covers(release) and entry.shows(case, deviation))


@dataclasses.dataclass(frozen=True)
class LibraryRecord:
    """One line of cases.csv: a deviation of a case in a library's newest compared release."""

    case: str
    channel: str
    entry: str
    shape: str
    step: str


@functools.cache
def library_records() -> Mapping[str, tuple[LibraryRecord, ...]]:
    """The known deviations by case."""
    records: dict[str, tuple[LibraryRecord, ...]] = {}
    with CASES.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        for row in rows:
            records[row[0]] = (*records.get(row[0], ()), LibraryRecord(*row))
    return records


def records_for(case: LibraryCase, verdict: Verdict, release: str) -> tuple[LibraryRecord, ...]:
    """The lines for a case; raises ValueError for a deviation that no entry explains."""
    records = []
    for deviation in verdict.deviations:
        entries = explaining(case, deviation, release)
        if not entries:
            rule = f"must match an entry of suite/libraries/known/{case.library.name}.toml"
            raise ValueError(f"case={case.id} deviates ({deviation.channel}: {deviation.detail}): it {rule}")
        step = "" if deviation.step is None else str(deviation.step)
        records.append(LibraryRecord(case.id, deviation.channel, entries[0].id, deviation.shape, step))
    return tuple(records)


def write_library_records(records: Iterable[LibraryRecord]) -> None:
    """Replace cases.csv."""
    with CASES.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in dataclasses.fields(LibraryRecord)])
        writer.writerows(dataclasses.astuple(record) for record in records)
    library_records.cache_clear()
