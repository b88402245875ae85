"""The page and all other files of results/libraries/."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import torch

from suite.libraries.findings import LibraryFinding
from suite.libraries.known.deviations import SHARED, deviations, library_readings
from suite.libraries.releases import changes_of
from suite.libraries.report import by_library_entry, example_of

from . import matrix, tables
from .tables import Findings

TEMPLATE = Path(__file__).with_name("page.html.j2")


def headline(found: Sequence[LibraryFinding]) -> str:
    """The finding in one sentence."""
    schedules = {(f.case.library.name, f.case.schedule.name) for f in found if f.verdict.kind != "absent"}
    wrong = {
        (f.case.library.name, f.case.schedule.name) for f in found if any(entry.kind == "defect" for entry in f.entries)
    }
    libraries = {name for name, _ in wrong}
    return (
        f"{len(wrong)} of {len(schedules)} schedules have a defect, in {len(libraries)} of "
        f"{len({name for name, _ in schedules})} libraries"
    )


def files(findings: Findings) -> dict[str, bytes]:
    """The content of each file by its name."""
    newest = tables.newest(findings)
    entries = list(deviations().values())
    return {
        **tables.tables(findings, entries),
        "libraries.png": matrix.picture(
            newest, f"{headline(newest)}\nnumber of schedules that deviate; darker: a larger share of the library's"
        ),
        "index.html": _page(findings, newest),
    }


def _library_rows(findings: Findings, newest: Sequence[LibraryFinding]) -> list[dict[str, object]]:
    rows = []
    for name in dict.fromkeys(found.case.library.name for found in newest):
        own = [f for f in newest if f.case.library.name == name and f.verdict.kind != "absent"]
        rows.append(
            {
                "name": name,
                "release": own[0].release,
                "schedules": len({f.case.schedule.name for f in own}),
                "cases": len(own),
                "deviating": sum(not f.verdict.follows for f in own),
                "entries": len({entry.id for f in own for entry in f.entries}),
                "compared": [release for library, release in findings if library == name],
            }
        )
    return rows


def _entries(findings: Findings, library: str) -> list[dict[str, object]]:
    """The entries of a library's table: the releases that show each, and an example from the last of them."""
    shown = tables.shown_in(findings)
    groups = {release: by_library_entry(group) for release, group in findings.items()}
    rows: list[dict[str, object]] = []
    for entry in deviations().values():
        if entry.library != library:
            continue
        counts, example = shown.get(entry.id, {}), None
        for release in list(counts)[-1:]:
            found, deviation = example_of(groups[release][entry], entry)
            example = {"case": found.case.id, "detail": deviation.detail}
        words = ", ".join(f"{release} ({count})" for (_, release), count in counts.items()) or "none"
        if library == SHARED:
            words = f"{len({name for name, _ in counts})} libraries"
        rows.append({"known": entry, "example": example, "shown": words})
    return rows


def _changes(findings: Findings) -> list[dict[str, object]]:
    """The largest change of each step from one compared release to the next."""
    rows = []
    for (name, before), (other, after) in itertools.pairwise(findings):
        if name != other:
            continue
        found = changes_of(list(findings[name, before]), list(findings[name, after]))
        moved = [change for change in found if change.size]
        largest = max(moved, key=lambda change: change.size, default=None)
        new = {change.after.case.schedule.name for change in found if change.words == "is new"}
        gone = {change.after.case.schedule.name for change in found if change.words == "is gone"}
        words = [f"{largest.after.case.id}: {largest.words}"] if largest else []
        words += [f"new: {', '.join(sorted(new))}"] if new else []
        words += [f"gone: {', '.join(sorted(gone))}"] if gone else []
        rows.append(
            {
                "library": name,
                "before": before,
                "after": after,
                "cases": len(moved),
                "words": "; ".join(words) or "none",
            }
        )
    return rows


def _page(findings: Findings, newest: Sequence[LibraryFinding]) -> bytes:
    from jinja2 import Environment, StrictUndefined

    rows = _library_rows(findings, newest)
    names = [str(row["name"]) for row in rows]
    of_library = {
        name: {release: group for release, group in findings.items() if name in (release[0], SHARED)}
        for name in [*names, SHARED]
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=headline(newest),
        libraries=rows,
        schedules=list(tables.schedule_rows(findings)),
        cases=sum(found.verdict.kind != "absent" for found in newest),
        releases=len(findings),
        torch=torch.__version__.split("+")[0],
        entries=[(name, _entries(group, name)) for name, group in of_library.items()],
        readings=library_readings(),
        changes=_changes(findings),
    )
    return text.encode()
