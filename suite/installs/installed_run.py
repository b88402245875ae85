"""`python -m suite.installs.installed_run --out FILE`: every case on the torch that is installed here, as exact text.

It runs inside the temporary environments of `prove`, so it imports only torch and NumPy.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from suite.cases.catalogue import all_cases
from suite.engine.case import Case
from suite.engine.loop import run_case
from suite.engine.run import CaseRun
from suite.engine.subject import Subject, installed

#: What happened in one case, as plain data: see `as_row`.
InstallRow = dict[str, Any]


def versions(subject: Subject) -> dict[str, str]:
    """What decides the figures: torch (without a build's suffix), NumPy, Python, and a digest of the schedulers."""
    files = [module.__file__ for module in (subject.schedulers, subject.averaging)]
    texts = [Path(file).read_bytes() for file in files if file is not None]
    return {
        "torch": torch.__version__.split("+")[0],
        "numpy": np.__version__,
        "python": platform.python_version(),
        "schedulers": hashlib.sha256(b"".join(texts)).hexdigest(),
    }


def _hex(rows: list[list[float]]) -> list[list[str]]:
    return [[value.hex() for value in row] for row in rows]


def as_row(case: Case, run: CaseRun) -> InstallRow:
    """One case: its rates as `float.hex` texts (which lose no bit), what it raised, and its warnings by category."""
    return {
        "case": case.id,
        "lrs": _hex(run.lrs),
        "last_lrs": _hex(run.last_lrs),
        "momenta": _hex(run.momenta),
        "error": type(run.error).__name__ if run.error is not None else "",
        "message": str(run.error).partition("\n")[0] if run.error is not None else "",
        "absent": run.absent,
        "warned": dict(sorted(Counter(text.partition(":")[0] for text in run.warned).items())),
    }


def rows(cases: Iterable[Case], subject: Subject) -> Iterator[InstallRow]:
    """Every case run under `subject`, in order."""
    for case in cases:
        yield as_row(case, run_case(case.schedule, case.setup, case.steps, subject))


def write(path: Path, about: dict[str, str], rows: Iterable[InstallRow]) -> None:
    """Write the versions on the first line, then one case per line."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in (about, *rows):
            file.write(json.dumps(row) + "\n")


def read(path: Path) -> tuple[dict[str, str], list[InstallRow]]:
    """What `write` wrote: versions, rows; raises ValueError for a truncated file or one of another format."""
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        first, *rows = [json.loads(line) for line in lines]
    except ValueError as error:  # an empty file too: there is no first line to unpack
        raise ValueError(f"dump={path.name} must have one JSON object per line: {error}") from None
    return first, rows


def main(argv: list[str] | None = None) -> int:
    """Run every case and write the file."""
    parser = argparse.ArgumentParser(prog="python -m suite.installs.installed_run", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="write here")
    args = parser.parse_args(argv)
    subject = installed()
    write(args.out, versions(subject), rows(all_cases(), subject))
    return 0


if __name__ == "__main__":
    sys.exit(main())
