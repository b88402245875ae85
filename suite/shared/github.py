"""What GitHub Actions shows of a job: annotations beside the code, and the summary of a step.

Source: "Workflow commands for GitHub Actions" in GitHub's documentation.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .cli import checked_input
from .files import write_whole

#: Annotations of one step that GitHub shows; it drops the rest.
MOST = 10


def in_actions() -> bool:
    """Whether this process runs in a job of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def annotation(level: str, title: str, text: str, file: str = "", line: int = 0) -> str:
    r"""A line of output that GitHub shows as an annotation; `level`: error, warning or notice.

    >>> annotation("error", "LR: step 5", "50% too low\nfix: load both", "test_lr.py", 7)
    '::error file=test_lr.py,line=7,title=LR%3A step 5::50%25 too low%0Afix: load both'
    """
    place = {"file": file, "line": str(line)} if file else {}
    fields = ",".join(f"{name}={_field(value)}" for name, value in {**place, "title": title}.items())
    return f"::{level} {fields}::{_text(text)}"


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _field(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")


def add_summary(markdown: str) -> None:
    """Add to the summary of the step, which is the file that GITHUB_STEP_SUMMARY names; without one nothing."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{markdown.rstrip()}\n\n")


def publish(markdown: str, annotations: Sequence[str], file: Path | None = None) -> None:
    """Write the Markdown to a file and to the summary of the step, and print the annotations, where there are any."""
    if file is not None:
        with checked_input():
            write_whole(file, f"{markdown.rstrip()}\n".encode())
    if in_actions():
        add_summary(markdown)
        for line in annotations:
            print(line)


def cell(text: str) -> str:
    r"""A text in a cell of a Markdown table.

    >>> cell("a | b\nc")
    'a \\| b<br>c'
    """
    return text.replace("|", "\\|").replace("\n", "<br>")
