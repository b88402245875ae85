"""Whether this code runs in a clone of the repository or as the installed package, and which version it is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION = re.compile(r"^## (\d{4}\.\d+\.\d+)", re.MULTILINE)


def is_clone() -> bool:
    """Whether the repository's files are there; an editable install runs in its clone."""
    return (ROOT / "CHANGELOG.md").is_file()


def version() -> str:
    """The version: of a clone its newest section in CHANGELOG.md, else that of the installed package."""
    if is_clone():
        found = VERSION.search((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
        return found[1] if found else "unknown"
    from importlib import metadata  # takes longer to import than `--help` takes

    return metadata.version("warmup-bench")
