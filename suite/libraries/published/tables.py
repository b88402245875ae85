"""The tables of results/libraries/."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from reference import FAMILIES, Delayed, Schedule, WarmupDecay
from suite.libraries.core.case import LibraryCase
from suite.libraries.findings import LibraryFinding
from suite.libraries.known.deviations import LibraryDeviation
from suite.libraries.releases import ReleaseOf, changes_of
from suite.shared.words import counted

Findings = Mapping[ReleaseOf, Sequence[LibraryFinding]]


def newest(findings: Findings) -> list[LibraryFinding]:
    """Those of each library's newest compared release."""
    return [f for (_, release), group in findings.items() for f in group if release == f.case.library.releases[-1]]


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A table that pandas reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def convention_of(case: LibraryCase) -> str:
    """The family letter of what is documented; ``own`` where it is no pair of a warmup and a decay."""
    schedule: Schedule = case.schedule.reference(case.arguments)
    late = ""
    if isinstance(schedule, Delayed):
        late = f", {counted(schedule.steps, 'step')} late"
        schedule = schedule.schedule
    if not isinstance(schedule, WarmupDecay):
        return "own" + late
    choice = schedule.convention
    if choice.start == "affine" and schedule.warmup.start_factor == 0:  # the same as a start at zero
        choice = dataclasses.replace(choice, start="zero")
    own = [dataclasses.replace(choice, past_end=FAMILIES[letter].past_end) for letter in FAMILIES]
    letters = [letter for letter, one in zip(FAMILIES, own, strict=True) if one == FAMILIES[letter]]
    return (letters[0] if letters else "own") + late


def schedule_rows(findings: Findings) -> Iterator[dict[str, object]]:
    """Each schedule as it is called usually: what is documented, and the LRs that it gives, W = 4 and T = 12."""
    for found in newest(findings):
        if found.case.axis != "plain" or not found.run.lrs:
            continue
        lrs, total = np.array(found.run.lrs)[:, 0], int(found.case.arguments.total_steps)
        within = lrs[:total]
        peaks = np.flatnonzero(np.isclose(within, within.max(), rtol=1e-9))
        yield {
            "library": found.case.library.name,
            "release": found.release,
            "schedule": found.case.schedule.name,
            "call": found.case.arguments.filled(found.case.schedule.call),
            "documented": convention_of(found.case),
            "first": lrs[0],
            "peak": within.max(),
            "peak_steps": f"{peaks[0]}" if len(peaks) == 1 else f"{peaks[0]}-{peaks[-1]}",
            "last": within[-1],
            "after": " ".join(f"{lr:.3g}" for lr in lrs[total:]) or found.run.error,
            "docs": found.case.schedule.docs,
        }


def case_rows(findings: Findings) -> Iterator[list[object]]:
    """Each case on each compared release; a row for each deviation."""
    for (name, release), group in findings.items():
        for found in group:
            head: list[object] = [name, release, found.case.schedule.name, found.case.axis]
            if not found.verdict.deviations:
                yield [*head, found.verdict.kind, "", "", "", "", "", found.verdict.detail]
            for deviation, causes in zip(found.verdict.deviations, found.causes, strict=True):
                step = "" if deviation.step is None else deviation.step
                entry = causes[0].id if causes else ""
                what = [deviation.channel, deviation.shape, step, f"{deviation.size:.6g}", entry, deviation.detail]
                yield [*head, "deviates", *what]


def shown_in(findings: Findings) -> dict[str, dict[ReleaseOf, int]]:
    """Entry → release → the number of cases that show it."""
    counts: dict[str, dict[ReleaseOf, int]] = {}
    for release, group in findings.items():
        for found in group:
            for entry in found.entries:
                by_release = counts.setdefault(entry.id, {})
                by_release[release] = by_release.get(release, 0) + 1
    return counts


def deviation_rows(findings: Findings, entries: Iterable[LibraryDeviation]) -> Iterator[list[object]]:
    """Each known deviation, and in which compared releases how many cases show it."""
    counts = shown_in(findings)
    for entry in entries:
        releases = counts.get(entry.id, {})
        shown = " ".join(f"{release}:{count}" for (_, release), count in releases.items())
        if entry.library == "shared":
            shown = f"{len({name for name, _ in releases})} libraries"
        yield [
            *(entry.library, entry.id, entry.kind, entry.title, entry.since, entry.until, shown),
            *(entry.symptom, entry.workaround, entry.argument, " ".join(entry.upstream)),
        ]


def change_rows(findings: Findings) -> Iterator[list[object]]:
    """Each case that changes from one compared release of its library to the next."""
    for (name, before), (other, after) in itertools.pairwise(findings):
        if name == other:
            for change in changes_of(list(findings[name, before]), list(findings[name, after])):
                yield [name, before, after, change.after.case.id, f"{change.size:.6g}", change.words]


def tables(findings: Findings, entries: Sequence[LibraryDeviation]) -> dict[str, bytes]:
    """Every table by its file name."""
    schedules = list(schedule_rows(findings))
    case_head = ("library", "release", "schedule", "axis", "verdict", "channel", "shape", "step", "size", "entry")
    change_head = ("library", "before", "after", "case", "size", "what")
    known_head = ("library", "entry", "kind", "title", "since", "until", "shown_in", "symptom", "workaround")
    return {
        "schedules.csv": as_csv(list(schedules[0]) if schedules else [], [list(row.values()) for row in schedules]),
        "cases.csv.gz": gzip.compress(as_csv((*case_head, "detail"), case_rows(findings)), mtime=0),
        "changes.csv": as_csv(change_head, change_rows(findings)),
        "deviations.csv": as_csv((*known_head, "argument", "upstream"), deviation_rows(findings, entries)),
    }
