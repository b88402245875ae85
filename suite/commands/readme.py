"""`python -m suite readme`: writes the generated parts of README.md anew from the installed torch."""

from __future__ import annotations

import argparse
import io
import re
from pathlib import Path

from suite.engine.subject import installed
from suite.known.deviations import table
from suite.known.findings import all_findings, by_entry
from suite.known.report import print_entry, summary_line
from suite.shared.console import plain_console

README = Path(__file__).parents[2] / "README.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`readme` has no options."""


def numbers() -> str:
    """The sentence with the counts of cases."""
    follow = sum(f.standing == "follows" for f in all_findings())
    known = by_entry(all_findings())
    return (
        f"**{len(all_findings())}** cases of PyTorch's learning-rate schedulers and their compositions,\n"
        f"checked against closed forms in ten seconds: on torch {installed().release},\n"
        f"**{follow}** follow their documentation and **{sum(map(len, known.values()))}** deviate, "
        f"in **{len(known)}** known ways.\n"
    )


def output() -> str:
    """One deviation and the last line, as `check` prints them."""
    text = io.StringIO()
    known = by_entry(all_findings())
    entry = table()["milestones-unchecked"]
    print_entry(plain_console(text), entry, known[entry.id])
    last = summary_line(all_findings(), known, 0)
    return f"```text\n…{text.getvalue()}…\n{last}\n```\n"


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
    for name, block in (("numbers", numbers()), ("output", output()), ("affected", affected())):
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
