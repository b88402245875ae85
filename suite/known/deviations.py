"""The known deviations: the table (known.toml) and, for one release, the cases that show them (known_cases.csv)."""

from __future__ import annotations

import csv
import dataclasses
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from suite.engine.case import Case
from suite.engine.verdict import Verdict
from suite.shared.toml_file import read_toml

from .predicates import PREDICATES

HERE = Path(__file__).parent
TABLE, READINGS, CASES = HERE / "known.toml", HERE / "readings.toml", HERE / "known_cases.csv"
ISSUES = "https://github.com/pytorch/pytorch/issues/"


@dataclasses.dataclass(frozen=True)
class Known:
    """One entry of known.toml, where the fields are explained."""

    id: str
    title: str
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

    def covers(self, release: str) -> bool:
        """Whether the release is in the entry's range."""
        number = _numbers(release)
        return _numbers(self.since) <= number and (not self.until or number < _numbers(self.until))


def _numbers(release: str) -> tuple[int, ...]:
    plain = release.split("+")[0].split("a")[0].split("rc")[0].split(".dev")[0]
    return tuple(int(part) for part in plain.split(".")[:2])


@functools.cache
def table() -> dict[str, Known]:
    """Every entry by its id, in the order of the predicates; raises ValueError if the two tables do not match."""
    rows = read_toml(TABLE)
    for home, missing in ((TABLE.name, PREDICATES.keys() - rows), ("predicates.py", rows.keys() - PREDICATES)):
        if missing:
            raise ValueError(f"entries={sorted(missing)} must be in suite/known/{home} too")
    entries = {}
    for entry_id in PREDICATES:
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in rows[entry_id].items()}
        entries[entry_id] = Known(id=entry_id, **fields)
    return entries


@functools.cache
def readings() -> dict[str, dict[str, str]]:
    """Every reading of the documentation by its id."""
    return read_toml(READINGS)


def entry_for(case: Case, verdict: Verdict, release: str) -> Known | None:
    """The entry that explains this deviation: the first whose predicate, shapes and releases match."""
    for entry_id, predicate in PREDICATES.items():
        entry = table()[entry_id]
        if verdict.shape in entry.shapes and entry.covers(release) and predicate(case):
            return entry
    return None


@dataclasses.dataclass(frozen=True)
class Record:
    """One line of known_cases.csv: a case that is known to deviate in the recorded release, and how."""

    case: str
    entry: str
    shape: str
    step: str


@functools.cache
def recorded_release() -> str:
    """The release that known_cases.csv was measured on."""
    with CASES.open(newline="") as file:
        return next(csv.reader(file))[1]


@functools.cache
def records() -> dict[str, Record]:
    """The known cases of the recorded release by case id."""
    with CASES.open(newline="") as file:
        rows = csv.reader(file)
        next(rows), next(rows)
        return {row[0]: Record(*row) for row in rows}


def write_records(release: str, verdicts: Iterable[tuple[Case, Verdict]]) -> int:
    """Overwrite known_cases.csv; raises ValueError for a deviation that no entry explains."""
    lines = []
    for case, verdict in verdicts:
        if verdict.kind == "deviates":
            entry = entry_for(case, verdict, release)
            if entry is None:
                raise ValueError(
                    f"case={case.id} deviates ({verdict.shape}): it must match an entry of suite/known/known.toml "
                    "and its predicate in suite/known/predicates.py"
                )
            lines.append((case.id, entry.id, verdict.shape, "" if verdict.step is None else str(verdict.step)))
    with CASES.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["release", release])
        writer.writerow(["case", "entry", "shape", "step"])
        writer.writerows(lines)
    return len(lines)


def standing(case: Case, verdict: Verdict, release: str) -> tuple[str, Known | None]:
    """Compare a verdict with what is known: follows, absent, known, fixed or news.

    In the recorded release each case must do exactly what its line of known_cases.csv says.
    In any other release a deviation is known if an entry explains it.
    """
    if verdict.kind == "absent":
        return "absent", None
    exact = release == recorded_release()
    record = records().get(plain_id(case)) if exact else None
    if verdict.follows:
        return ("fixed", table()[record.entry]) if record else ("follows", None)
    entry = entry_for(case, verdict, release)
    if entry is None:
        return "news", None
    if exact:
        step = "" if verdict.step is None else str(verdict.step)
        if record is None or (record.entry, record.shape, record.step) != (entry.id, verdict.shape, step):
            return "news", entry
    return "known", entry


def plain_id(case: Case) -> str:
    """The id of the case on the CPU: a device changes no verdict."""
    return dataclasses.replace(case, setup=dataclasses.replace(case.setup, device="cpu")).id


def stale_entries(release: str, shown: Iterable[Known | None]) -> list[str]:
    """The ids of the entries that cover this release although no case shows them."""
    shown_ids = {entry.id for entry in shown if entry is not None}
    return [entry.id for entry in table().values() if entry.covers(release) and entry.id not in shown_ids]
