"""What `check` prints: a table by family, a line for each deviation, and what matters most."""

from __future__ import annotations

import textwrap
from collections import Counter, defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from suite.shared.console import plain_console, plain_table

from .deviations import ISSUES, Known, recorded_release
from .findings import Finding, by_entry
from .pitfalls import PITFALLS, Pitfall, pitfalls_of
from .severity import CLASSES, Ranked, ranked, worst

#: Maximum number of news lines; the rest are counted, and --json lists them all.
LISTED = 20
#: How many entries `check` ends with.
WORST = 3
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


def line(console: Console, text: str) -> None:
    """Print an indented line: wrapped between words on a terminal, unwrapped in a file."""
    if console.is_terminal:
        console.print(Padding(Text(text), (0, 0, 0, 2)), soft_wrap=False)
    else:
        console.print(f"  {text}")


def _cases(number: int) -> str:
    return f"{number} case{'s' if number > 1 else ''}"


def releases(entry: Known) -> str:
    """Since when, and until when."""
    return f"since {entry.since}, " + (f"fixed in {entry.until}" if entry.until else "not fixed yet")


def print_entry(console: Console, one: Ranked) -> None:
    """Print one known deviation: who is hit, how badly, an example and the workaround."""
    entry, damage = one.entry, one.damage
    example, deviation = damage.example
    console.print(Text(f"\n{entry.title} [{entry.id}]", style="bold"))
    line(console, f"hits you if {entry.who}")
    line(console, f"{damage.words}; {entry.kind} {releases(entry)}, {_cases(len(one.findings))}")
    line(console, entry.symptom)
    line(console, f"example: {deviation.detail.rstrip(': ')}")
    line(console, f"case: {example.case.id}")
    line(console, f"instead: {entry.workaround}")
    line(console, f"upstream: {', '.join(entry.links) or 'no thread known'}")
    if entry.reading:
        line(console, f"reading: {entry.reading} (suite/known/readings.toml)")


def _hanging(console: Console, first: str, text: str) -> None:
    """Print `first`, then the text beside it: wrapped on a terminal, on one line in a file."""
    if console.is_terminal:
        text = textwrap.fill(text, max(console.width - len(first), 20), break_long_words=False)
    console.print(first + text.replace("\n", "\n" + " " * len(first)))


def _print_short(console: Console, entries: Sequence[Ranked]) -> None:
    """A line for each entry, the worst last; those about the documentation are counted."""
    hint = "python -m suite show ENTRY explains one, --details prints all"
    console.print(f"\n{len(entries)} known deviations, the worst last ({hint})")
    for kind, words in reversed(CLASSES.items()):
        group = [one for one in reversed(entries) if one.damage.kind == kind]
        if group:
            console.print(Text(f"\n{words}: {len(group)}", style="bold"))
        for one in group if kind != "docs" else ():
            _hanging(console, f"  {one.damage.short:>16}  ", f"{one.entry.id}: if {one.entry.who}")


def _pitfalls(findings: Sequence[Finding]) -> dict[str, list[str]]:
    """The pitfalls that cases without another deviation show, each with the ids of these cases."""
    examples: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        if finding.standing == "follows" and not finding.case.setup.marks:
            for pitfall in pitfalls_of(finding.case):
                examples[pitfall.id].append(finding.case.id)
    return examples


def _print_pitfall(console: Console, pitfall: Pitfall, ids: list[str]) -> None:
    console.print(Text(f"\n{pitfall.title} [{pitfall.id}]", style="bold"))
    line(console, f"documented but easy to overlook, {_cases(len(ids))}")
    line(console, f"case: {min(ids, key=len)}")
    line(console, f"instead: {pitfall.workaround}")
    if pitfall.upstream:
        line(console, f"upstream: {', '.join(f'{ISSUES}{number}' for number in pitfall.upstream)}")


def _print_pitfalls(console: Console, findings: Sequence[Finding], details: bool) -> None:
    """Print what follows the documentation but still catches users out."""
    examples = _pitfalls(findings)
    shown = [pitfall for pitfall in PITFALLS if pitfall.id in examples]
    if shown and not details:
        console.print(Text(f"\ndocumented, but easy to overlook: {len(shown)}", style="bold"))
    for pitfall in shown:
        if details:
            _print_pitfall(console, pitfall, examples[pitfall.id])
        else:
            _hanging(console, "  ", f"{pitfall.id}: {pitfall.title}. {pitfall.workaround}")


def print_report(
    name: str, release: str, findings: Sequence[Finding], stale: list[str], missing: list[str], details: bool = False
) -> None:
    """Print everything to standard output, without truncating case ids; `details`: each deviation in full."""
    console = plain_console()
    console.print(f"{name}: {len(findings)} cases compared with closed forms")
    console.print(_family_table(findings))
    known = by_entry(findings)
    entries = ranked(known)
    if details:
        for one in reversed(entries):
            print_entry(console, one)
    elif entries:
        _print_short(console, entries)
    _print_pitfalls(console, findings, details)
    news = [finding for finding in findings if finding.standing in ("news", "fixed")]
    if news or stale or missing:
        console.print(Text("\nNEWS", style="bold red"))
    for class_name in missing:
        line(console, f"{class_name} is missing; every case that needs it counts as absent")
    for finding in news[:LISTED]:
        line(console, f"{news_of(finding)} [{finding.case.id}]")
    if len(news) > LISTED:
        line(console, f"… and {len(news) - LISTED} more (--json lists all)")
    for entry_id in stale:
        line(console, f"known for torch {release}, but no case shows it any more [{entry_id}]")
    if known:
        console.print("\nTo reproduce a case with torch alone, run: python -m suite repro CASE")
    console.print(f"\n{summary_line(findings, known, len(news) + len(stale) + len(missing))}")
    if release != recorded_release():
        console.print(f"(compared case by case only for torch {recorded_release()}; here by cause and shape)")
    print_worst(console, name, entries)


def print_worst(console: Console, name: str, entries: Sequence[Ranked]) -> None:
    """Print what matters most: who is hit, and what to write instead."""
    chosen = worst(entries, WORST)
    if chosen:
        console.print(Text(f"\nWhat matters most in {name}: wrong LRs, and nothing warns you", style="bold"))
    for number, one in enumerate(chosen, 1):
        _hanging(console, f"{number}. ", f"If {one.entry.who}: {one.damage.words} [{one.entry.id}]")
        _hanging(console, "   ", f"Instead: {one.entry.workaround}")


def news_of(finding: Finding) -> str:
    """What is new about a case, in a sentence."""
    entry = finding.entry
    if finding.standing == "fixed":
        return f"follows the documentation, but is recorded as a deviation ({entry.id if entry else '?'})"
    similar = f" (like {entry.id}, but not as recorded)" if entry else ""
    return f"{finding.verdict.shape}: {finding.verdict.detail}{similar}"


def summary_line(findings: Sequence[Finding], known: dict[str, list[Finding]], news: int) -> str:
    """The counts in one sentence; `news` is the number of surprises."""
    counts = Counter(finding.standing for finding in findings)
    words = f"{counts['follows']} of {len(findings)} cases follow the documentation"
    words += f"; {counts['known']} deviate in {len(known)} known way{'' if len(known) == 1 else 's'}"
    words += f"; {counts['absent']} are absent" if counts["absent"] else ""
    return words + (f"; {news} NEWS" if news else "; nothing new")
