"""`python -m suite readme`: writes the generated parts of README.md anew from the installed torch."""

from __future__ import annotations

import argparse
import functools
import re
from collections import Counter
from pathlib import Path

from .cases import all_cases
from .known import standing, table
from .subject import installed
from .verdict import verdict_of

README = Path(__file__).parent.parent / "README.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`readme` has no options."""


@functools.cache
def numbers() -> str:
    """The sentence with the counts of cases."""
    subject = installed()
    standings: Counter[str] = Counter()
    entries: Counter[str] = Counter()
    for case in all_cases():
        where, entry = standing(case, verdict_of(case, subject), subject.release)
        standings[where] += 1
        if where == "known" and entry:
            entries[entry.id] += 1
    deviating = standings.total() - standings["follows"] - standings["absent"]
    return (
        f"**{standings.total()}** cases of PyTorch's learning-rate schedulers and their compositions, checked against\n"
        f"closed forms in ten seconds: on torch {subject.release}, **{standings['follows']}** follow their documentation\n"
        f"and **{deviating}** deviate, in **{len(entries)}** known ways.\n"
    )


def affected() -> str:
    """The table of the deviations that are live in the installed release."""
    release = installed().release
    rows = ["| deviation | since | what happens | what to write instead | upstream |", "|---|---|---|---|---|"]
    for entry in table().values():
        if entry.covers(release):
            links = ", ".join(f"[#{n}]({link})" for n, link in zip(entry.upstream, entry.links, strict=True))
            cells = (entry.title, entry.since, entry.symptom, entry.workaround, links or "none found")
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def updated(text: str) -> str:
    """README's text with both generated blocks made anew; raises ValueError where a block is missing."""
    for name, block in (("numbers", numbers()), ("affected", affected())):
        pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README.md must hold a block named {name}")
        text = pattern.sub(lambda m, block=block: m[1] + block + m[2], text)  # type: ignore[misc]
    return text


def run(args: argparse.Namespace) -> int:
    """Rewrite README.md."""
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
    print("README.md: numbers and table written anew")
    return 0
