"""Read TOML tables, on Python 3.10 too."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:  # the same parser under its name on Python 3.10
    import tomli as tomllib


def read_toml(path: Path) -> dict[str, Any]:
    """The contents of a TOML file; raises tomllib.TOMLDecodeError, a ValueError, with the line of a syntax error."""
    with path.open("rb") as file:
        return tomllib.load(file)
