"""Everything about one known deviation: `python -m suite show ENTRY`."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from suite.cases.catalogue import find
from suite.engine.subject import installed
from suite.engine.verdict import verdict_of

from .deviations import Known, explained, headings, readings, record_lines, recorded_release, table
from .findings import Finding
from .report import line, releases
from .severity import Damage, damage_of

#: Example cases that are printed.
EXAMPLES = 3


def recorded_cases(entry: Known) -> list[str]:
    """The ids of the cases that show the entry in the recorded release, the shortest first."""
    ids = (case for case, lines in record_lines().items() if any(entry.id in r.entries.split("+") for r in lines))
    return sorted(ids, key=lambda case: (len(case), case))


def beside(entry: Known, cases: list[str]) -> Counter[str]:
    """The other entries that these cases show, with how many of them each shares."""
    others = ({name for r in record_lines()[case] for name in r.entries.split("+")} for case in cases)
    return Counter(name for names in others for name in sorted(names) if name != entry.id)


def _findings(cases: list[str]) -> Iterator[Finding]:
    """The cases on the installed torch, those that still exist and still deviate."""
    subject = installed()
    for case in map(find, cases):
        verdict = verdict_of(case, subject)
        causes = explained(case, verdict, subject.release)
        yield Finding(case, verdict, "known", causes)


def _damage(entry: Known, cases: list[str]) -> tuple[Damage | None, list[Finding]]:
    findings = [finding for finding in _findings(cases) if entry in finding.entries]
    return (damage_of(entry, findings) if findings else None), findings


def print_known(console: Console, entry: Known, as_json: bool) -> None:
    """Print the entry: who is hit, the damage, releases, workaround, threads, reading, other causes, example cases."""
    cases = recorded_cases(entry)
    damage, findings = _damage(entry, cases)
    others = beside(entry, cases)
    examples = findings[:EXAMPLES]
    if as_json:
        fields = dataclasses.asdict(entry) | {"damage": damage.as_record() if damage else None}
        fields |= {"cases": cases, "beside": dict(others), "links": entry.links}
        fields |= {"argument": readings()[entry.reading] if entry.reading else None}
        print(json.dumps(fields, indent=1))
        return
    console.print(Text(f"{entry.title} [{entry.id}]", style="bold"))
    line(console, f"subject: {headings()[entry.subject]}")
    line(console, f"hits you if {entry.who}")
    line(console, f"{entry.kind} {releases(entry)}")
    line(console, entry.symptom)
    line(console, f"instead: {entry.workaround}")
    line(console, f"upstream: {', '.join(entry.links) or 'no thread known'}")
    if entry.reading:
        line(console, f"reading: {readings()[entry.reading]['reading']}")
        line(console, f"why: {readings()[entry.reading]['argument']}")
    if damage is None:
        line(console, f"no case shows it in torch {installed().release}")
        return
    largest = f" ({damage.largest})" if damage.largest else ""
    line(console, f"damage: {damage.words}{largest}")
    console.print(Text(f"\n{len(cases)} cases in torch {recorded_release()}", style="bold"))
    for finding in examples:
        for deviation, causes in zip(finding.verdict.deviations, finding.causes, strict=True):
            if entry in causes:
                line(console, f"{finding.case.id}: {deviation.detail.rstrip(': ')}")
    if others:
        console.print(Text("\nother causes in the same cases", style="bold"))
    for name, count in others.most_common():
        line(console, f"{count}: {table()[name].title} [{name}]")
    console.print(f"\nA script with torch alone: python -m suite repro {examples[0].case.id}")
