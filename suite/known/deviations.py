"""The known deviations: the tables in entries/ and, for one release, the cases that show them (known_cases.csv).

The tables are checked in both directions: a deviation that matches no entry is news, and so is an entry whose
deviation no longer appears.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from suite.engine.case import Case
from suite.engine.verdict import Verdict
from suite.shared.toml_file import read_toml

from .ablation import real_causes
from .entries import PREDICATES, SUBJECTS

HERE = Path(__file__).parent
ENTRIES, READINGS, CASES = HERE / "entries", HERE / "readings.toml", HERE / "known_cases.csv"
ISSUES = "https://github.com/pytorch/pytorch/issues/"


@dataclasses.dataclass(frozen=True)
class Known:
    """One entry of a table; suite/known/entries/__init__.py explains the fields."""

    id: str
    subject: str  # the table that it is in
    title: str
    who: str
    kind: str
    since: str
    until: str
    shapes: tuple[str, ...]
    symptom: str
    workaround: str
    upstream: tuple[int, ...]
    reading: str

    @property
    def links(self) -> list[str]:
        """The URLs of the upstream threads."""
        return [f"{ISSUES}{number}" for number in self.upstream]

    def shows(self, deviation: Verdict) -> bool:
        """Whether the deviation looks like one of this entry."""
        return deviation.label in self.shapes

    def covers(self, release: str) -> bool:
        """Whether the release is in the entry's range."""
        number = _numbers(release)
        return _numbers(self.since) <= number and (not self.until or number < _numbers(self.until))


@functools.cache
def _numbers(release: str) -> tuple[int, ...]:
    plain = release.split("+")[0].split("a")[0].split("rc")[0].split(".dev")[0]
    return tuple(int(part) for part in plain.split(".")[:2])


@functools.cache
def headings() -> dict[str, str]:
    """What each subject is about, for people: a sentence with "you", without a full stop."""
    return {subject: read_toml(ENTRIES / f"{subject}.toml").get("heading", subject) for subject in SUBJECTS}


@functools.cache
def table() -> dict[str, Known]:
    """Every entry by its id, in the order of the predicates; raises ValueError where a table is not complete."""
    rows: dict[str, Any] = {}
    for subject in SUBJECTS:
        tables = read_toml(ENTRIES / f"{subject}.toml")
        rows |= {name: fields | {"subject": subject} for name, fields in tables.items() if name != "heading"}
    for kind, missing in (("toml", PREDICATES.keys() - rows), ("py", rows.keys() - PREDICATES)):
        if missing:
            raise ValueError(f"entries={sorted(missing)} must be in a .{kind} of suite/known/entries too")
    entries = {}
    for entry_id in PREDICATES:
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in rows[entry_id].items()}
        if not fields.get("who"):
            raise ValueError(f'entry={entry_id} must say who is hit: who = "you …"')
        entries[entry_id] = Known(id=entry_id, **fields)
    return entries


@functools.cache
def readings() -> dict[str, dict[str, str]]:
    """Every reading of the documentation by its id."""
    return read_toml(READINGS)


def candidates(case: Case, deviation: Verdict, release: str) -> tuple[Known, ...]:
    """The entries that may explain this deviation: their predicates, shapes and releases match."""
    entries = (entry for entry in table().values() if entry.shows(deviation) and entry.covers(release))
    return tuple(entry for entry in entries if PREDICATES[entry.id](case))  # last: the slowest of the three


def explained(
    case: Case, verdict: Verdict, release: str, run: Callable[[Case], Verdict] | None = None
) -> tuple[tuple[Known, ...], ...]:
    """For each deviation of the verdict, the entries that explain it, the most important first.

    Where several may, those that are recorded for the case; else those that `run`, which judges a case on this
    release, confirms on simpler cases; else the first.
    """
    recorded = {line.channel: line.entries.split("+") for line in _recorded(case, release)}
    causes = []
    for deviation in verdict.deviations:
        entries = candidates(case, deviation, release)
        names = [entry.id for entry in entries]
        if len(entries) > 1:
            if set(recorded.get(deviation.channel, [""])) <= set(names) and run is None:
                real: Sequence[str] = recorded[deviation.channel]
            else:
                real = real_causes(case, deviation, names, run) if run else names[:1]
            entries = tuple(entry for entry in entries if entry.id in real)
        causes.append(entries)
    return tuple(causes)


def entry_for(case: Case, verdict: Verdict, release: str) -> Known | None:
    """The first entry that explains the most important deviation; None where one of the deviations has no entry."""
    entries = explained(case, verdict, release)
    return entries[0][0] if entries and all(entries) else None


@dataclasses.dataclass(frozen=True)
class Record:
    """One line of known_cases.csv: a deviation of a case in the recorded release, and the entries that explain it."""

    case: str
    channel: str
    entries: str  # joined by +
    shape: str
    step: str

    @property
    def entry(self) -> str:
        """The most important entry."""
        return self.entries.split("+")[0]


def records_of(
    case: Case, verdict: Verdict, release: str, run: Callable[[Case], Verdict] | None = None
) -> list[Record]:
    """The lines for a case; raises ValueError for a deviation that no entry explains."""
    lines = []
    for deviation, entries in zip(verdict.deviations, explained(case, verdict, release, run), strict=True):
        if not entries:
            raise ValueError(
                f"case={case.id} deviates ({deviation.label}: {deviation.detail}): it must match an entry of "
                "suite/known/entries, a table and a predicate"
            )
        step = "" if deviation.step is None else str(deviation.step)
        causes = "+".join(entry.id for entry in entries)
        lines.append(Record(case.id, deviation.channel, causes, deviation.shape, step))
    return lines


@functools.cache
def recorded_release() -> str:
    """The release that known_cases.csv was measured on."""
    with CASES.open(newline="") as file:
        return next(csv.reader(file))[1]


@functools.cache
def record_lines() -> dict[str, list[Record]]:
    """The known deviations of the recorded release by case id, the most important of a case first."""
    by_case: dict[str, list[Record]] = {}
    with CASES.open(newline="") as file:
        rows = csv.reader(file)
        next(rows), next(rows)
        for row in rows:
            by_case.setdefault(row[0], []).append(Record(*row))
    return by_case


def records() -> dict[str, Record]:
    """The most important known deviation of each case in the recorded release."""
    return {case: lines[0] for case, lines in record_lines().items()}


def write_records(
    release: str, verdicts: Iterable[tuple[Case, Verdict]], run: Callable[[Case], Verdict] | None = None
) -> int:
    """Overwrite known_cases.csv, return the number of cases; raises ValueError for an unexplained deviation.

    `run` judges a case on the release, to find the real ones among several possible causes.
    """
    lines = [record for case, verdict in verdicts for record in records_of(case, verdict, release, run)]
    with CASES.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["release", release])
        writer.writerow([field.name for field in dataclasses.fields(Record)])
        writer.writerows(dataclasses.astuple(line) for line in lines)
    return len({line.case for line in lines})


def standing(case: Case, verdict: Verdict, release: str) -> str:
    """Compare a verdict with what is known: follows, absent, known, fixed or news.

    In the recorded release each case must do exactly what its lines of known_cases.csv say.
    In any other release a deviation is known if an entry explains it.
    """
    if verdict.kind == "absent":
        return "absent"
    recorded = _recorded(case, release)
    if verdict.follows:
        return "fixed" if recorded else "follows"
    causes = explained(case, verdict, release)
    if not all(causes):
        return "news"
    if release != recorded_release():
        return "known"
    plain = dataclasses.replace(case, setup=dataclasses.replace(case.setup, device="cpu"))
    return "known" if recorded == records_of(plain, verdict, release) else "news"


def _recorded(case: Case, release: str) -> list[Record]:
    """What is recorded for the case; nothing for any other release."""
    return record_lines().get(plain_id(case), []) if release == recorded_release() else []


def plain_id(case: Case) -> str:
    """The id of the case on the CPU: a device changes no verdict."""
    return dataclasses.replace(case, setup=dataclasses.replace(case.setup, device="cpu")).id


def stale_entries(release: str, shown: Iterable[Known]) -> list[str]:
    """The ids of the entries that cover this release although no case shows them."""
    shown_ids = {entry.id for entry in shown}
    return [entry.id for entry in table().values() if entry.covers(release) and entry.id not in shown_ids]
