"""Regenerate the measured parts of README.md and the page of deviations, results/deviations.md."""

from __future__ import annotations

import argparse
import io
import math
import re
import time
from pathlib import Path

from suite.engine.subject import installed
from suite.known.deviations import Known, table
from suite.known.findings import Finding, all_findings, by_entry
from suite.known.report import print_entry, summary_line
from suite.known.severity import worst, worst_factor
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
    follow = sum(finding.standing == "follows" for finding in all_findings())
    known = _groups()
    return (
        f"**{len(all_findings())}** cases, checked in **{seconds} s**. On torch {installed().release}, "
        f"**{follow}** follow the documentation\n"
        f"and **{sum(map(len, known.values()))}** deviate, in **{len(known)}** known ways.\n"
    )


def output() -> str:
    """One deviation and the last line, as `check` prints them."""
    text = io.StringIO()
    known = _groups()
    print_entry(plain_console(text), table()[PRINTED], known[PRINTED])
    return f"```text\n…{text.getvalue()}…\n{summary_line(list(all_findings()), known, 0)}\n```\n"


def _off(findings: list[Finding]) -> str:
    factor = worst_factor(findings)
    if factor == 1:
        return "not silent"
    return "LR 0" if math.isinf(factor) else f"{factor:.3g} ×"


def _links(entry: Known) -> str:
    return ", ".join(f"[#{n}]({link})" for n, link in zip(entry.upstream, entry.links, strict=True)) or "none found"


def worst_table() -> str:
    """The worst deviations that somebody reported upstream."""
    known = _groups()
    header = ("deviation", "off by up to", "what happens", "what to write instead", "upstream")
    rows = [(f"**{e.title}**", _off(known[e.id]), e.symptom, e.workaround, _links(e)) for e in worst(known, SHOWN)]
    return markdown_table(header, rows) + "\n"


def deviations() -> str:
    """The page of all deviations in the installed release."""
    known = _groups()
    entries = sorted((table()[name] for name in known), key=lambda entry: -worst_factor(known[entry.id]))
    header = ("deviation", "since", "cases", "off by up to", "what happens", "what to write instead", "upstream")
    rows = [
        (e.title, e.since, str(len(known[e.id])), _off(known[e.id]), e.symptom, e.workaround, _links(e))
        for e in entries
    ]
    return (
        f"# Known deviations in torch {installed().release}\n\n"
        "Where a scheduler does something else than its documentation says, the largest error first.\n"
        "*Since* is the first release that has the deviation.\n"
        "*Off by up to* is the largest factor between an LR and the documented one in the cases that show only this\n"
        "deviation; *not silent* means an error, a warning, or bad arguments that are accepted.\n\n"
        "`python -m suite readme` regenerates this page; `python -m suite check` prints each with a case.\n\n"
        + markdown_table(header, rows)
        + "\n"
    )


def updated(text: str, seconds: int | None = None) -> str:
    """README's text with its generated blocks replaced; raises ValueError where a block is missing.

    Without `seconds` the time already in the text stays: it is measured only when the command runs.
    """
    stored = _SECONDS.search(text)
    if seconds is None and stored is None:
        raise ValueError("README.md must hold the time of a check: in **7 s**")
    time_shown = seconds if seconds is not None else int(stored[1]) if stored else 0
    for name, block in (("numbers", numbers(time_shown)), ("output", output()), ("worst", worst_table())):
        pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README.md must hold a block named {name}")
        text = pattern.sub(lambda match, block=block: match[1] + block + match[2], text)  # type: ignore[misc]
    return text


def run(args: argparse.Namespace) -> int:
    """Check every case, timing it, and rewrite README.md and results/deviations.md."""
    start = time.perf_counter()
    all_findings()
    seconds = math.ceil(time.perf_counter() - start)
    text = updated(README.read_text(encoding="utf-8"), seconds)
    write_whole(README, text.encode())
    write_whole(DEVIATIONS, deviations().encode())
    print(f"updated: {README.name}, {DEVIATIONS.relative_to(ROOT)}")
    return 0
