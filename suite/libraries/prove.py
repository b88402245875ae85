"""Compare a library as it is installed with its files run among stubs, bit for bit."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import torch

from suite.engine import tolerances
from suite.installs.temporary_env import CASES_PATIENCE, InstallError, call, environment
from suite.shared.files import write_whole

from .core.library import Library
from .findings import findings_of
from .installed_run import InstalledRow, as_rows
from .wheels.files import files_of

RECORD = Path(__file__).resolve().parents[2] / "results" / "libraries" / "installs.csv"
#: What runs the cases in the environment beside the library.
NEEDS = ("rich>=13", "platformdirs>=3", "tomli>=2; python_version < '3.11'")
UNEXPLAINED = "unexplained"
FLOAT32 = "the installed library computes in float32"


@dataclasses.dataclass(frozen=True)
class LibraryProof:
    """The outcome for one release: the cases, and those that differ, each with an explanation."""

    library: str
    release: str
    torch: str
    numpy: str
    python: str
    platform: str
    cases: int
    differences: dict[str, str]

    @property
    def unexplained(self) -> list[str]:
        """The cases that differ without an explanation."""
        return [case for case, explanation in self.differences.items() if explanation == UNEXPLAINED]


def prove_library(own: Library, release: str, python: Path | None) -> LibraryProof:
    """Install the release (or use the interpreter that has it), run both sides, compare; raises InstallError."""
    here = as_rows(findings_of(own, release, files_of(own, release)))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        command = ["-m", f"{__package__}.installed_run", own.name, "--out", str(out)]
        if python is not None:
            call([str(python), *command], CASES_PATIENCE, Path(folder))
        else:
            needs = [f"{own.project}=={release}", *own.needs, *NEEDS]
            with environment(torch.__version__.split("+")[0], needs=needs) as interpreter:
                call([str(interpreter), *command], CASES_PATIENCE, Path(folder))
        there = json.loads(out.read_text(encoding="utf-8"))
    if there["release"] != release:
        raise InstallError(f"{own.project}={there['release']} must be {release} in the environment")
    rows = there.pop("rows")
    differences = {case: _explained(own, rows.get(case), row) for case, row in here.items() if rows.get(case) != row}
    return LibraryProof(own.name, cases=len(here), differences=differences, **there)


def _explained(own: Library, there: InstalledRow | None, here: InstalledRow) -> str:
    if there is None or not own.stand_ins or there["stage"] != here["stage"]:
        return UNEXPLAINED
    one, two = (np.array([[float.fromhex(lr) for lr in row] for row in side["lrs"]]) for side in (there, here))  # type: ignore[attr-defined]
    if one.shape != two.shape:
        return UNEXPLAINED
    allowed = tolerances.between_releases(len(two), "float32") * (np.abs(two) + np.abs(two).max(initial=0.0))
    return FLOAT32 if bool(np.all(np.abs(one - two) <= allowed)) else UNEXPLAINED


def write_proof(proof: LibraryProof, path: Path = RECORD) -> None:
    """Replace the library's line in the table."""
    head = ["library", "release", "torch", "numpy", "python", "platform", "cases", "identical", "explained", "open"]
    lines = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            lines = {row[0]: row for row in list(csv.reader(file))[1:]}
    different, unexplained = len(proof.differences), len(proof.unexplained)
    values = [proof.library, proof.release, proof.torch, proof.numpy, proof.python, proof.platform, proof.cases]
    counts = [proof.cases - different, different - unexplained, unexplained]
    lines[proof.library] = [str(value) for value in [*values, *counts]]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *(lines[name] for name in sorted(lines))])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.getvalue().encode())
