"""What `python -m suite libraries` prints, and its result as plain data."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from suite.engine.verdict import Verdict
from suite.known.report import COLUMNS, LISTED, line
from suite.shared.console import finite, plain_table
from suite.shared.words import counted

from .findings import LibraryFinding
from .known.deviations import KINDS, LibraryDeviation, library_records

#: Cases of an entry that are named.
LISTED_CASES = 5


def damage(finding: LibraryFinding, entry: LibraryDeviation) -> float:
    """The largest error of the finding's deviations that the entry explains, as a share of the peak."""
    pairs = zip(finding.verdict.deviations, finding.causes, strict=True)
    return max((deviation.size for deviation, causes in pairs if causes and causes[0] == entry), default=0.0)


def by_library_entry(findings: Sequence[LibraryFinding]) -> dict[LibraryDeviation, list[LibraryFinding]]:
    """The findings that show each entry: defects first, the worst first."""
    groups: dict[LibraryDeviation, list[LibraryFinding]] = defaultdict(list)
    for finding in findings:
        for entry in finding.entries:
            groups[entry].append(finding)
    worst = {entry: max(damage(finding, entry) for finding in group) for entry, group in groups.items()}
    order = sorted(groups, key=lambda entry: (KINDS.index(entry.kind), -worst[entry], entry.id))
    return {entry: groups[entry] for entry in order}


def example_of(group: Sequence[LibraryFinding], entry: LibraryDeviation) -> tuple[LibraryFinding, Verdict]:
    """The finding that shows an entry most plainly, and its deviation."""
    finding = min(group, key=lambda f: (f.case.axis != "plain", len(f.case.axis), -damage(f, entry)))
    pairs = zip(finding.verdict.deviations, finding.causes, strict=True)
    return finding, next(deviation for deviation, causes in pairs if causes and causes[0] == entry)


def library_table(findings: Sequence[LibraryFinding]) -> Table:
    """A row for each library: its release, its schedules, its cases by standing."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    schedules: dict[tuple[str, str], set[str]] = defaultdict(set)
    for finding in findings:
        place = finding.case.library.name, finding.release
        counts[place][finding.standing] += 1
        if finding.standing != "absent":
            schedules[place].add(finding.case.schedule.name)
    total = sum(counts.values(), Counter[str]())
    columns = [column for column in COLUMNS if total[column] or column in ("follows", "known")]
    table = plain_table()
    table.add_column("library", no_wrap=True)
    table.add_column("release", no_wrap=True)
    for name in ("schedules", "cases", *columns):
        table.add_column(name, justify="right", min_width=len(name))
    for place, count in counts.items():
        cells = [str(count[column]) if count[column] else "·" for column in columns]
        style = "bold red" if count["news"] or count["fixed"] else ""
        table.add_row(*place, str(len(schedules[place])), str(count.total()), *cells, style=style)
    table.add_section()
    cells = [str(total[column]) if total[column] else "·" for column in columns]
    table.add_row("all", "", str(sum(map(len, schedules.values()))), str(total.total()), *cells)
    return table


def print_libraries(
    console: Console, findings: Sequence[LibraryFinding], failed: dict[str, str], stale: Sequence[str], details: bool
) -> None:
    """Print the table, a line or a paragraph for each entry, and everything that is new."""
    console.print(library_table(findings))
    for entry, group in by_library_entry(findings).items():
        _print_entry(console, entry, group, details)
    news = [finding for finding in findings if finding.standing in ("news", "fixed")]
    if news:
        console.print(Text(f"\n{len(news)} cases differ from what is known:", style="bold red"))
    for finding in news[:LISTED]:
        explained = [bool(causes) for causes in finding.causes]
        shown = [d for d, known in zip(finding.verdict.deviations, explained, strict=True) if not known]
        for deviation in shown or finding.verdict.deviations[:1] or (finding.verdict,):
            line(console, f"{finding.standing}: {finding.case.id} [{deviation.channel}] {deviation.detail}")
            if all(explained) and finding.causes:
                line(console, f"  explained by {finding.entries[0].id}, but not recorded like this in cases.csv")
    if len(news) > LISTED:
        line(console, f"… and {len(news) - LISTED} more (--json lists all)")
    for entry_id in stale:
        line(console, f"no case shows this known deviation any more: {entry_id}")
    for name, reason in failed.items():
        line(console, f"{name} was not checked: {reason}")
    counts = Counter(finding.standing for finding in findings)
    entries = {entry.id for finding in findings for entry in finding.entries}
    names = {finding.case.library.name for finding in findings}
    console.print(
        f"\n{counts['follows']} of {counts.total() - counts['absent']} cases of {len(names)} "
        f"{'library' if len(names) == 1 else 'libraries'} follow the documentation; {counts['known']} deviate in "
        f"{len(entries)} known ways; {f'{len(news)} are new' if news else 'nothing new'}"
    )


def _print_entry(console: Console, entry: LibraryDeviation, group: Sequence[LibraryFinding], details: bool) -> None:
    finding, deviation = example_of(group, entry)
    console.print(Text(f"\n{finding.case.library.name}: {entry.title} [{entry.id}]", style="bold"))
    line(console, f"hits you if {entry.who}; {entry.kind}, {counted(len(group), 'case')}")
    line(console, f"{finding.case.id}: {deviation.detail}")
    if details:
        line(console, entry.symptom)
        line(console, f"instead: {entry.workaround}")
        line(console, f"why: {entry.argument}")
        line(console, f"upstream: {', '.join(entry.upstream) or 'no thread known'}")
        line(console, f"script: python -m suite repro {finding.case.id}")


def libraries_as_json(
    findings: Sequence[LibraryFinding], failed: dict[str, str], stale: Sequence[str], code: int
) -> dict[str, object]:
    """The whole result as plain data."""
    rows = []
    for finding in findings:
        row: dict[str, object] = {"case": finding.case.id, "release": finding.release, "standing": finding.standing}
        row["lrs"] = [finite(lrs) for lrs in finding.run.lrs]
        row["deviations"] = [
            {
                **{name: getattr(deviation, name) for name in ("channel", "shape", "step", "detail")},
                "size": finite([deviation.size])[0],
                "entries": [entry.id for entry in causes],
            }
            for deviation, causes in zip(finding.verdict.deviations, finding.causes, strict=True)
        ]
        rows.append(row)
    entries = {entry.id: dataclasses.asdict(entry) for finding in findings for entry in finding.entries}
    return {
        "cases": rows,
        "standings": dict(Counter(finding.standing for finding in findings)),
        "entries": entries,
        "entries_no_longer_shown": list(stale),
        "not_checked": failed,
        "exit_code": code,
    }


def print_deviation(console: Console, entry: LibraryDeviation, as_json: bool) -> None:
    """Print one entry with everything about it, and the cases of the newest compared release that show it."""
    cases = [case for case, records in library_records().items() if any(r.entry == entry.id for r in records)]
    if as_json:
        console.print(json.dumps(dataclasses.asdict(entry) | {"cases": cases}, indent=1))
        return
    console.print(Text(f"{entry.library}: {entry.title} [{entry.id}]", style="bold"))
    since = f"since {entry.since}" if entry.since else "in every release"
    line(console, f"hits you if {entry.who}")
    line(console, f"{entry.kind} {since}, {f'fixed in {entry.until}' if entry.until else 'not fixed yet'}")
    line(console, entry.symptom)
    line(console, f"instead: {entry.workaround}")
    line(console, f"why: {entry.argument}")
    line(console, f"upstream: {', '.join(entry.upstream) or 'no thread known'}")
    line(
        console,
        f"{counted(len(cases), 'case')}: {', '.join(cases[:LISTED_CASES])}{', …' if cases[LISTED_CASES:] else ''}",
    )
    for case in cases[:1]:
        line(console, f"script: python -m suite repro {case}")
