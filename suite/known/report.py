"""What `check` prints: a table by family, then each deviation in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from suite.shared.console import plain_console, plain_table

from .deviations import ISSUES, Known, recorded_release, table
from .findings import Finding, by_entry
from .pitfalls import PITFALLS, pitfalls_of

#: Maximum number of news lines; the rest are counted, and --json lists them all.
LISTED = 20
COLUMNS = ("follows", "known", "news", "fixed", "absent")


def _family_table(findings: Sequence[Finding]) -> Table:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for finding in findings:
        counts[finding.case.family][finding.standing] += 1
        counts["all"][finding.standing] += 1
    total = counts.pop("all")
    families = plain_table()
    families.add_column("family", no_wrap=True)
    for name in ("cases", *COLUMNS):
        families.add_column(name, justify="right")
    for family, count in [*counts.items(), ("all", total)]:
        if family == "all":
            families.add_section()
        cells = [str(count[c]) if count[c] else "·" for c in COLUMNS]
        style = "bold red" if count["news"] or count["fixed"] else ""
        families.add_row(family, str(count.total()), *cells, style=style)
    return families


def _line(console: Console, text: str) -> None:
    """Print an indented line: wrapped between words on a terminal, unwrapped in a file."""
    if console.is_terminal:
        console.print(Padding(Text(text), (0, 0, 0, 2)), soft_wrap=False)
    else:
        console.print(f"  {text}")


def _cases(number: int) -> str:
    return f"{number} case{'s' if number > 1 else ''}"


def print_entry(console: Console, entry: Known, findings: Sequence[Finding]) -> None:
    """Print one known deviation with its size, an example and the workaround."""
    shortest = min(findings, key=lambda finding: (len(finding.case.id), finding.case.id))
    console.print(Text(f"\n{entry.title} [{entry.id}]", style="bold"))
    _line(console, f"{entry.kind} since {entry.since}, {_cases(len(findings))}. {entry.symptom}")
    _line(console, f"example: {shortest.verdict.detail.rstrip(': ')}")
    _line(console, f"case: {shortest.case.id}")
    _line(console, f"instead: {entry.workaround}")
    _line(console, f"upstream: {', '.join(entry.links) or 'no thread known'}")
    if entry.reading:
        _line(console, f"reading: {entry.reading} (suite/known/readings.toml)")


def _print_pitfalls(console: Console, findings: Sequence[Finding]) -> None:
    """Print what follows the documentation but still catches users out."""
    examples: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        if finding.standing == "follows" and not finding.case.setup.marks:
            for pitfall in pitfalls_of(finding.case):
                examples[pitfall.id].append(finding.case.id)
    for pitfall in PITFALLS:
        if pitfall.id in examples:
            ids = examples[pitfall.id]
            console.print(Text(f"\n{pitfall.title} [{pitfall.id}]", style="bold"))
            _line(console, f"documented but easy to overlook, {_cases(len(ids))}")
            _line(console, f"case: {min(ids, key=len)}")
            _line(console, f"instead: {pitfall.workaround}")
            if pitfall.upstream:
                _line(console, f"upstream: {', '.join(f'{ISSUES}{number}' for number in pitfall.upstream)}")


def print_report(name: str, release: str, findings: Sequence[Finding], stale: list[str], missing: list[str]) -> None:
    """Print everything to standard output, without truncating case ids."""
    console = plain_console()
    console.print(f"{name}: {len(findings)} cases compared with closed forms")
    console.print(_family_table(findings))
    known = by_entry(findings)
    for entry in table().values():
        if entry.id in known:
            print_entry(console, entry, known[entry.id])
    _print_pitfalls(console, findings)
    news = [finding for finding in findings if finding.standing in ("news", "fixed")]
    if news or stale or missing:
        console.print(Text("\nNEWS", style="bold red"))
    for class_name in missing:
        _line(console, f"{class_name} is missing; every case that needs it counts as absent")
    for finding in news[:LISTED]:
        _line(console, f"{_news(finding)} [{finding.case.id}]")
    if len(news) > LISTED:
        _line(console, f"… and {len(news) - LISTED} more (--json lists all)")
    for entry_id in stale:
        _line(console, f"known for torch {release}, but no case shows it any more [{entry_id}]")
    if known:
        console.print("\nTo reproduce a case with torch alone, run: python -m suite repro CASE")
    console.print(f"\n{summary_line(findings, known, len(news) + len(stale) + len(missing))}")
    if release != recorded_release():
        console.print(f"(compared case by case only for torch {recorded_release()}; here by cause and shape)")


def _news(finding: Finding) -> str:
    entry = finding.entry
    if finding.standing == "fixed":
        return f"follows the documentation, but is recorded as a deviation ({entry.id if entry else '?'})"
    similar = f" (like {entry.id}, but not as recorded)" if entry else ""
    return f"{finding.verdict.shape}: {finding.verdict.detail}{similar}"


def summary_line(findings: Sequence[Finding], known: dict[str, list[Finding]], news: int) -> str:
    """The counts in one sentence; `news` is the number of surprises."""
    counts = Counter(finding.standing for finding in findings)
    deviating = sum(map(len, known.values()))
    words = f"{counts['follows']} of {len(findings)} cases follow the documentation"
    words += f"; {deviating} deviate in {len(known)} known way{'' if len(known) == 1 else 's'}"
    words += f"; {counts['absent']} are absent" if counts["absent"] else ""
    return words + (f"; {news} NEWS" if news else "; nothing new")
