"""Whether the schedulers and our own trainers are right on the device: the suite and the tests, as programs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

from .sizes import CudaSizes
from .speed import Row

ROOT = Path(__file__).resolve().parents[2]
#: How many lines of a program that failed are kept.
LINES = 15


class CheckError(RuntimeError):
    """A program of ours ended without a result; the text holds its last lines."""


def _run(arguments: list[str], allowed: tuple[int, ...]) -> subprocess.CompletedProcess[str]:
    """Run a Python module in the clone; CheckError for another exit code than the allowed ones."""
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in allowed:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-LINES:])
        raise CheckError(f"python -m {' '.join(arguments)} ended with exit code {done.returncode}:\n{last}")
    return done


def suite(sizes: CudaSizes, device: str) -> list[Row]:
    """How the schedulers behave with parameters and tensor LRs on the device: counts of cases by standing."""
    start = time.perf_counter()
    arguments = ["suite", "check", "--device", device, "--json", *sizes.suite]
    result = json.loads(_run(arguments, (0, 1)).stdout)
    row: Row = {"device": device, "cases": result["cases"]}
    row |= {name.replace(" ", "_"): count for name, count in result["standings"].items()}
    row |= {"known_ways": len(result["entries"]), "exit_code": result["exit_code"]}
    return [row | {"seconds": time.perf_counter() - start}]


def tests(arguments: tuple[str, ...]) -> list[Row]:
    """The outcome of every test that pytest finds by the arguments, with the first line of what a failed one said."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "tests.xml"
        options = ["-q", "-p", "no:cacheprovider", f"--junit-xml={report}"]
        _run(["pytest", *options, *arguments], (0, 1))
        return [_row_of(case) for case in ElementTree.parse(report).iter("testcase")]


def _row_of(case: ElementTree.Element) -> Row:
    """A row from a test case of a JUnit file."""
    outcome, message = "passed", ""
    for child in case:
        if child.tag in ("failure", "error", "skipped"):
            outcome = {"failure": "failed", "error": "failed"}.get(child.tag, child.tag)
            message = (child.get("message") or "").partition("\n")[0]
    name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
    return {"test": name, "outcome": outcome, "seconds": float(case.get("time") or 0), "message": message}
