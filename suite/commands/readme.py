"""Regenerate the measured parts of README.md and the page of deviations, results/deviations.md."""

from __future__ import annotations

import argparse
import io
import math
import re
import time
from collections import Counter
from pathlib import Path

from suite.engine.subject import installed
from suite.known.findings import Finding, all_findings, by_entry
from suite.known.page import links, page
from suite.known.report import print_entry, print_worst, summary_line
from suite.known.severity import ranked, worst
from suite.libraries.summary import block as library_block
from suite.shared.cli import needs_clone
from suite.shared.console import plain_console
from suite.shared.files import write_whole
from suite.shared.markdown import markdown_table

ROOT = Path(__file__).parents[2]
README, DEVIATIONS = ROOT / "README.md", ROOT / "results" / "deviations.md"
#: The README shows the worst; results/deviations.md has all.
SHOWN = 5
#: The deviation whose printed form README.md shows: the one in its picture.
PRINTED = "optimizer-loaded-before-build"
_SECONDS = re.compile(r"in \*\*(\d+) s\*\*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`readme` has no options."""


def _groups() -> dict[str, list[Finding]]:
    return by_entry(all_findings())


def numbers(seconds: int) -> str:
    """The sentence with the counts of cases and the time that the check took."""
    counts = Counter(finding.standing for finding in all_findings())
    return (
        f"**{len(all_findings())}** cases, checked in **{seconds} s**. On torch {installed().release}, "
        f"**{counts['follows']}** follow the documentation\n"
        f"and **{counts['known']}** deviate, in **{len(_groups())}** known ways.\n"
    )


def output() -> str:
    """One deviation and the last lines, as `check` prints them."""
    text = io.StringIO()
    console, entries = plain_console(text), ranked(_groups())
    print_entry(console, next(one for one in entries if one.entry.id == PRINTED))
    console.print(f"…\n\n{summary_line(list(all_findings()), _groups(), 0)}")
    print_worst(console, installed().name, entries)
    return f"```text\n…{text.getvalue()}```\n"


def worst_table() -> str:
    """The deviations that matter most."""
    header = ("you are hit if", "damage", "what happens", "what to write instead", "upstream")
    chosen = sorted(worst(ranked(_groups()), SHOWN), key=lambda one: one.damage.order)
    rows = [
        (f"**{one.entry.who}**", one.damage.words, one.entry.symptom, one.entry.workaround, links(one.entry))
        for one in chosen
    ]
    return markdown_table(header, rows) + "\n"


def deviations() -> str:
    """The page of all deviations in the installed release."""
    return page(installed().release, ranked(_groups()))


def updated(text: str, seconds: int | None = None) -> str:
    """README's text with its generated blocks replaced; raises ValueError where a block is missing.

    Without `seconds` the time already in the text stays: it is measured only when the command runs.
    """
    stored = _SECONDS.search(text)
    if seconds is None and stored is None:
        raise ValueError("README.md must hold the time of a check: in **7 s**")
    time_shown = seconds if seconds is not None else int(stored[1]) if stored else 0
    blocks = {"numbers": numbers(time_shown), "output": output(), "worst": worst_table(), "libraries": library_block()}
    for name, block in blocks.items():
        pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README.md must hold a block named {name}")
        text = pattern.sub(lambda match, block=block: match[1] + block + match[2], text)  # type: ignore[misc]
    return text


def run(args: argparse.Namespace) -> int:
    """Check every case, timing it, and rewrite README.md and results/deviations.md."""
    needs_clone("readme", "it writes README.md and results/")
    start = time.perf_counter()
    all_findings()
    seconds = math.ceil(time.perf_counter() - start)
    text = updated(README.read_text(encoding="utf-8"), seconds)
    write_whole(README, text.encode())
    write_whole(DEVIATIONS, deviations().encode())
    print(f"updated: {README.name}, {DEVIATIONS.relative_to(ROOT)}")
    return 0
