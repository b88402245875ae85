"""`python -m suite.libraries.installed_run NAME --out FILE`: every case of the library that is installed here.

It runs inside the temporary environments of `prove`: no bit of an LR is lost.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from .catalogue import library
from .findings import LibraryFinding, findings_of

#: What one case gave: the stage that it reached, its LRs as `float.hex` texts, the exception's type.
InstalledRow = dict[str, object]


def as_rows(findings: Iterable[LibraryFinding]) -> dict[str, InstalledRow]:
    """Each case by its id."""
    return {
        found.case.id: {
            "stage": found.run.stage,
            "lrs": [[lr.hex() for lr in row] for row in found.run.lrs],
            "error": found.run.error,
        }
        for found in findings
    }


def versions() -> dict[str, str]:
    """What decides the figures beside the library."""
    return {
        "torch": torch.__version__.split("+")[0],
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    own = library(args.name)
    release = importlib.metadata.version(own.project)
    rows = as_rows(findings_of(own, release, None))
    args.out.write_text(json.dumps({"release": release, **versions(), "rows": rows}), encoding="utf-8")


if __name__ == "__main__":  # the sandbox's child process imports this module again
    main()
