"""Whether this code runs in a clone of the repository or as the installed package, and which version it is."""

from __future__ import annotations

import re
from pathlib import Path

from .errors import InputError

ROOT = Path(__file__).resolve().parents[2]
VERSION = re.compile(r"^## (\d{4}\.\d+\.\d+)", re.MULTILINE)


def is_clone() -> bool:
    """Whether the repository's files are there; an editable install runs in its clone."""
    return (ROOT / "CHANGELOG.md").is_file()


def needs_clone(command: str, writes: str, instead: str = "") -> None:
    """Raise InputError in an installed package: it has no `results/` and no tables that a command may write.

    `writes`: what the command writes; `instead`: what to add to the command to run it here all the same.
    """
    if not is_clone():
        rest = f", or with {instead}" if instead else ""
        raise InputError(f"command={command} must be run in a clone of warmup-bench, where it writes {writes}{rest}")


def version() -> str:
    """The version: of a clone its newest section in CHANGELOG.md, else that of the installed package."""
    if is_clone():
        found = VERSION.search((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
        return found[1] if found else "unknown"
    from importlib import metadata  # takes longer to import than `--help` takes

    return metadata.version("warmup-bench")
