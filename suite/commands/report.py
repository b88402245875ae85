"""What a reader sees after a check: a table by family, then each deviation in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from suite.known.deviations import ISSUES, Known, recorded_release, table
from suite.known.pitfalls import PITFALLS, pitfalls_of
from suite.shared.console import plain_console, plain_table

if TYPE_CHECKING:
    from .check import Finding

#: News beyond this many lines is counted, not listed: --json has all of it.
LISTED = 20
COLUMNS = ("follows", "known", "news", "fixed", "absent")


def _table(findings: list[Finding]) -> Table:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for f in findings:
        counts[f.case.family][f.standing] += 1
        counts["all"][f.standing] += 1
    total = counts.pop("all")
    table = plain_table()
    table.add_column("family", no_wrap=True)
    for name in ("cases", *COLUMNS):
        table.add_column(name, justify="right")
    for family, count in [*counts.items(), ("all", total)]:
        if family == "all":
            table.add_section()
        cells = [str(count[c]) if count[c] else "·" for c in COLUMNS]
        style = "bold red" if count["news"] or count["fixed"] else ""
        table.add_row(family, str(count.total()), *cells, style=style)
    return table


def _line(console: Console, text: str) -> None:
    """An indented line: wrapped between words on a terminal, whole in a file."""
    if console.is_terminal:
        console.print(Padding(Text(text), (0, 0, 0, 2)), soft_wrap=False)
    else:
        console.print(f"  {text}")


def print_entry(console: Console, entry: Known, findings: list[Finding]) -> None:
    """Print one known deviation with its size, an example and the way round it."""
    first = min(findings, key=lambda f: (len(f.case.id), f.case.id))
    console.print(Text(f"\n{entry.id}: {entry.title}", style="bold"))
    number = len(findings)
    _line(console, f"{entry.kind}, since {entry.since}, {number} case{'s' if number > 1 else ''}. {entry.symptom}")
    _line(console, f"for example {first.case.id}: {first.verdict.detail}")
    _line(console, f"instead: {entry.workaround}")
    threads = ", ".join(entry.links) if entry.upstream else "no upstream thread known"
    rest = f"; rests on reading '{entry.reading}' (suite/known/readings.toml)" if entry.reading else ""
    _line(console, f"{threads}{rest}")


def _print_pitfalls(console: Console, findings: list[Finding]) -> None:
    """What follows the documentation and still surprises."""
    shown: dict[str, list[Finding]] = defaultdict(list)
    for f in findings:
        if f.standing == "follows" and not f.case.setup.marks:
            for pitfall in pitfalls_of(f.case):
                shown[pitfall.id].append(f)
    for pitfall in PITFALLS:
        group = shown.get(pitfall.id)
        if group:
            first = min(group, key=lambda f: len(f.case.id))
            console.print(Text(f"\n{pitfall.id}: documented, but easy to overlook", style="bold"))
            _line(
                console,
                f"{pitfall.title}: {len(group)} case{'s' if len(group) > 1 else ''}, for example {first.case.id}.",
            )
            _line(console, f"instead: {pitfall.workaround}")
            if pitfall.upstream:
                _line(console, ", ".join(f"{ISSUES}{number}" for number in pitfall.upstream))


def print_report(name: str, release: str, findings: list[Finding], stale: list[str], lacking: list[str]) -> None:
    """Print everything to standard output, without cutting case ids."""
    console = plain_console()
    console.print(f"{name}: {len(findings)} cases against the closed forms")
    console.print(_table(findings))
    known: dict[str, list[Finding]] = defaultdict(list)
    for f in findings:
        if f.standing == "known" and f.entry:
            known[f.entry.id].append(f)
    for entry in table().values():
        if entry.id in known:
            print_entry(console, entry, known[entry.id])
    _print_pitfalls(console, findings)
    news = [f for f in findings if f.standing in ("news", "fixed")]
    if news or stale or lacking:
        console.print(Text("\nNEWS", style="bold red"))
    for missing in lacking:
        _line(console, f"{missing} is missing; every case that needs it is counted as absent")
    for f in news[:LISTED]:
        _line(console, f"{f.case.id}: {_news(f)}")
    if len(news) > LISTED:
        _line(console, f"… and {len(news) - LISTED} more (--json lists all)")
    for name_of_entry in stale:
        _line(console, f"{name_of_entry}: known for torch {release}, but no case shows it any more")
    if known:
        console.print("\npython -m suite repro CASE prints a script that shows a case with torch alone.")
    console.print(f"\n{summary_line(findings, known, len(news) + len(stale) + len(lacking))}")
    if release != recorded_release():
        console.print(f"(cases are recorded one by one for torch {recorded_release()}; here by cause and shape)")


def _news(finding: Finding) -> str:
    if finding.standing == "fixed":
        return f"follows, although {finding.entry.id if finding.entry else '?'} is recorded for it"
    like = f" (like {finding.entry.id}, but not as recorded)" if finding.entry else ""
    return f"{finding.verdict.shape}: {finding.verdict.detail}{like}"


def summary_line(findings: list[Finding], known: dict[str, list[Finding]], news: int) -> str:
    counts = Counter(f.standing for f in findings)
    deviating = sum(len(group) for group in known.values())
    words = f"{counts['follows']} of {len(findings)} cases follow; {deviating} deviate in {len(known)} known ways"
    words += f"; {counts['absent']} are absent" if counts["absent"] else ""
    return words + (f"; {news} NEWS" if news else "; nothing new")
