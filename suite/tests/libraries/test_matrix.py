"""Every library's newest compared release does exactly what is recorded, and every known deviation is shown."""

from __future__ import annotations

import dataclasses

import pytest

from suite.libraries.catalogue import libraries
from suite.libraries.core.case import cases_of
from suite.libraries.findings import finding_of, stale
from suite.libraries.known import deviations as known
from suite.libraries.known.deviations import KINDS, SHARED, deviations, library_readings, library_records
from suite.libraries.summary import SHOWN
from suite.libraries.wheels.wanted import declared
from suite.libraries.wheels.wanted import known as pinned
from suite.tests.libraries.at_hand import findings_at_hand

EVERY = [
    pytest.param(name, release, marks=[] if (name, i) == ("transformers", len(own.releases)) else pytest.mark.slow)
    for name, own in libraries().items()
    for i, release in enumerate(own.releases, start=1)
]


@pytest.mark.parametrize(("name", "release"), EVERY)
def test_a_release_does_what_is_known(name: str, release: str) -> None:
    """Nothing new, nothing fixed unnoticed, and no known deviation that this release no longer shows."""
    found = findings_at_hand(name, release)
    assert [f"{f.case.id}: {f.verdict.detail}" for f in found if f.standing in ("news", "fixed")] == []
    assert stale(found) == []
    assert any(f.standing != "absent" for f in found)


def test_a_deviation_that_goes_or_appears_is_seen() -> None:
    """A case that follows although it is recorded is fixed; one that deviates otherwise is news."""
    found = next(f for f in findings_at_hand("transformers", libraries()["transformers"].releases[-1]) if f.entries)
    right = dataclasses.replace(found.run, stage="done", error="", lrs=tuple(map(tuple, found.case.due().tolist())))
    assert finding_of(found.case, found.release, right).standing == "fixed"
    wrong = dataclasses.replace(right, lrs=tuple((0.123,) * len(row) for row in right.lrs))
    assert finding_of(found.case, found.release, wrong).standing == "news"


def test_a_deviation_that_nothing_shows_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry for a schedule that does not exist is reported."""
    entry = next(entry for entry in deviations().values() if entry.library == "transformers" and not entry.until)
    table = dict(deviations()) | {"never": dataclasses.replace(entry, id="never", schedules=("no-such-schedule",))}
    monkeypatch.setattr("suite.libraries.findings.deviations", lambda: table)
    assert stale(findings_at_hand("transformers", libraries()["transformers"].releases[-1])) == ["never"]


def test_every_entry_is_complete() -> None:
    """Its library exists, its releases are among the compared ones, its sentences are sentences."""
    assert known.deviations()
    for entry in deviations().values():
        assert entry.kind in KINDS, entry.id
        assert all(text.endswith(".") for text in (entry.symptom, entry.workaround, entry.argument)), entry.id
        assert not entry.title.endswith("."), entry.id
        if entry.library == SHARED:
            continue
        releases = libraries()[entry.library].releases
        assert entry.since in releases, entry.id
        assert entry.until in ("", *releases), entry.id


def test_every_record_is_of_a_case() -> None:
    """cases.csv names no case and no entry that is gone."""
    cases = {case.id for own in libraries().values() for case in cases_of(own)}
    assert set(library_records()) <= cases
    assert {record.entry for records in library_records().values() for record in records} <= set(deviations())


def test_every_reading_has_its_argument() -> None:
    """And every reading that a schedule names exists."""
    named = {schedule.reading for own in libraries().values() for schedule in own.schedules} - {""}
    assert named <= set(library_readings())
    assert all(set(reading) == {"choice", "argument"} for reading in library_readings().values())


def test_there_are_enough() -> None:
    """Twenty libraries and 150 schedules, most of them over five releases."""
    own = libraries().values()
    assert len(own) >= 20
    assert sum(len(one.schedules) for one in own) >= 150
    assert sum(len(one.releases) >= 5 for one in own) >= len(own) // 2


def test_the_readme_shows_defects_of_today() -> None:
    """Each is a defect, not fixed in the newest compared release, and its case is recorded."""
    recorded = {record.entry for records in library_records().values() for record in records}
    for name in SHOWN:
        entry = deviations()[name]
        assert entry.kind == "defect", name
        assert entry.covers(libraries()[entry.library].releases[-1]), name
        assert name in recorded, name


def test_every_compared_release_is_pinned() -> None:
    """Its files are those that were compared when the deviations were recorded, whoever serves them."""
    assert [str(item) for item in declared(libraries().values()) if item.name not in pinned()] == []
