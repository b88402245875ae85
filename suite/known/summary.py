"""`check --summary`: the counts, the families and what matters most, on one screen."""

from __future__ import annotations

import textwrap
from collections import Counter, defaultdict
from collections.abc import Sequence

from rich.console import Console

from .findings import Finding, by_entry
from .report import WORST
from .severity import CLASSES, Ranked, ranked, worst

#: A terminal of 80 columns and 24 lines, of which the prompt takes one.
WIDTH, HEIGHT = 80, 23
#: Families on a line, at least.
COLUMNS = 3


def cut(text: str, lines: int = 1, indent: str = "   ") -> str:
    """The text in at most this number of lines, with an ellipsis where it is longer.

    >>> print(cut("  word" * 15))
      word  word  word  word  word  word  word  word  word  word  word  word  word …
    """
    wrapped = textwrap.wrap(
        text, WIDTH, subsequent_indent=indent, max_lines=lines, placeholder=" …", drop_whitespace=True
    )
    return "\n".join(wrapped)


def _families(findings: Sequence[Finding], lines: int) -> list[str]:
    """How many cases of each family follow, several families on a line; `!` marks one with news.

    Families that differ only in what is nested in what are one.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for finding in findings:
        counts[finding.case.family.partition("[")[0]][finding.standing] += 1
    cells = [
        f"{family}{'!' if count['news'] or count['fixed'] else ''} {count['follows']}/{count.total()}"
        for family, count in counts.items()
    ]
    columns = max(COLUMNS, -(-len(cells) // lines))
    room = WIDTH // columns
    rows = [cells[i : i + columns] for i in range(0, len(cells), columns)]
    return ["".join(cell[: room - 1].ljust(room) for cell in row).rstrip() for row in rows]


def _of_each_kind(entries: Sequence[Ranked]) -> list[str]:
    kinds = Counter(one.damage.kind for one in entries)
    words = [f"{kinds[kind]} {text}" for kind, text in CLASSES.items() if kinds[kind]]
    return ["  " + "; ".join(words[i : i + 2]) for i in range(0, len(words), 2)]


def _matters(entries: Sequence[Ranked], lines: int) -> list[str]:
    """What matters most: who is hit, and what to write instead, each in at most `lines` lines."""
    texts = []
    for number, one in enumerate(worst(entries, WORST), 1):
        texts.append(cut(f"{number}. {one.damage.short} if {one.entry.who}", lines))
        texts.append(cut(f"   Instead: {one.entry.workaround}", lines))
    return "\n".join(texts).splitlines()


def print_summary(
    console: Console, name: str, findings: Sequence[Finding], stale: Sequence[str], missing: Sequence[str]
) -> None:
    """Print one screen."""
    counts = Counter(finding.standing for finding in findings)
    entries = ranked(by_entry(findings))
    news = counts["news"] + counts["fixed"] + len(stale) + len(missing)
    known = [f"{len(entries)} known deviations:", *_of_each_kind(entries)] if entries else []
    head = [cut(f"{name}: {len(findings)} cases"), "that follow the documentation, by family:"]
    last = f"{news} NEWS: run check without --summary" if news else "nothing new"
    families, matters = _families(findings, HEIGHT), _matters(entries, 2)
    if len([*head, *families, *known, *matters, last]) > HEIGHT:
        matters = _matters(entries, 1)
        families = _families(findings, HEIGHT - len([*head, *known, *matters, last]))
    counted = f"{counts['follows']} follow, {counts['known']} deviate as known"
    counted += f", {counts['absent']} are absent" if counts["absent"] else ""
    for line in (*head, *families, *known, *matters, f"{counted}; {last}"):
        console.print(line)
