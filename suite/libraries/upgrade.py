"""What changes between two releases of a library: `python -m suite upgrade transformers 4.46.3 5.24.0`."""

from __future__ import annotations

import json
import operator
from collections import defaultdict

from suite.known.report import line
from suite.shared.cli import AS_EXPECTED, FINDING, InputError
from suite.shared.console import plain_console
from suite.shared.words import counted

from .catalogue import library
from .known.deviations import SHARED
from .releases import LibraryChange, changes_of, findings_of_releases
from .wheels.files import fetch_all, files_of

#: Of changes that are as large but for rounding, the simplest case is printed.
NEARLY = 0.999


def compare_library(name: str, before: str, after: str, *, offline: bool, as_json: bool) -> int:
    """Print every schedule whose LRs change, the largest change first; 1 where there is one."""
    own = library(name)
    pairs = [(own, before), (own, after)]
    for reason in fetch_all(pairs, offline=offline, progress=not as_json).values():
        raise InputError(reason)
    jobs = [(own, release, files_of(own, release, offline=True)) for release in dict.fromkeys((before, after))]
    found = findings_of_releases(jobs)
    changes = changes_of(found[name, before], found[name, after])
    if as_json:
        print(json.dumps([_as_record(change) for change in changes], indent=1))
    else:
        _print(name, before, after, changes, len(found[name, after]))
    return FINDING if changes else AS_EXPECTED


def _as_record(change: LibraryChange) -> dict[str, object]:
    """One change as plain data."""
    return {
        "case": change.after.case.id,
        "what": change.words,
        "size": change.size,
        "fixes": change.fixes,
        "entries_before": [entry.id for entry in change.before.entries],
        "entries_after": [entry.id for entry in change.after.entries],
    }


def _print(name: str, before: str, after: str, changes: list[LibraryChange], total: int) -> None:
    console = plain_console()
    if not changes:
        console.print(
            f"no change: {name} {before} and {after} give the same learning rates and errors in {total} cases"
        )
        return
    groups: dict[str, list[LibraryChange]] = defaultdict(list)
    for change in changes:
        groups[change.after.case.schedule.name].append(change)
    for schedule, group in sorted(groups.items(), key=lambda item: -max(change.size for change in item[1])):
        most = max(change.size for change in group)
        largest = min(
            (change for change in group if change.size >= NEARLY * most),
            key=lambda change: (change.after.case.axis != "plain", len(change.after.case.axis)),
        )
        console.print(f"{schedule}: {counted(len(group), 'case')}")
        line(console, f"{largest.after.case.id}: {largest.words}")
        gone, new = (
            {entry.id: entry for change in group for entry in side(change).entries if entry.library != SHARED}
            for side in (operator.attrgetter("before"), operator.attrgetter("after"))
        )
        for entry in (e for key, e in gone.items() if key not in new):
            line(console, f"fixed: {entry.title} [{entry.id}]")
        for entry in (e for key, e in new.items() if key not in gone):
            line(console, f"deviates now: {entry.title} [{entry.id}]")
            line(console, f"instead: {entry.workaround}")
    counts = f"{len(changes)} of {total} cases change"
    console.print(
        f"\n{counts} from {name} {before} to {after}; {sum(c.fixes for c in changes)} now follow the documentation"
    )
