"""Kills a sweep again and again, at random moments and without warning, and checks what it left.

``python -m bench.tests.sweep_kills --kills 20`` does it on a grid that takes some seconds.
The result must be that of an undisturbed run, to the last byte, and no finished run may be run twice.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from suite.tests.house.tree import ROOT

TABLES = ("runs.csv", "summary.csv")


def command(out: Path, grid: list[str]) -> list[str]:
    """A sweep of small shards into `out`."""
    return [sys.executable, "-m", "bench", "sweep", "--quiet", "--out", str(out), *grid]


def rows_on_disk(out: Path) -> Counter[tuple[str, ...]]:
    """How often each run stands in the shards: identified by schedule, norm, LR and seed."""
    found: Counter[tuple[str, ...]] = Counter()
    for path in (out / "shards").glob("*.csv"):
        with path.open(newline="") as file:
            found.update((row["schedule"], row["norm"], row["lr"], row["seed"]) for row in csv.DictReader(file))
    return found


def kill_after(out: Path, grid: list[str], seconds: float) -> bool:
    """Start a sweep and kill it with signal 9 after so many seconds; whether it was still running."""
    process = subprocess.Popen(command(out, grid), cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def main() -> int:
    """Run undisturbed, run with kills, compare; exit code 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="draws the moments")
    parser.add_argument("grid", nargs="*", default=[], help="options of `bench sweep`, after --")
    args = parser.parse_args()
    grid = args.grid or [
        "--steps",
        "40",
        "--lr-count",
        "4",
        "--warmup",
        "0",
        "0.2",
        "--norm",
        "post",
        "pre",
        "--shard",
        "4",
    ]
    moments = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        start = time.monotonic()
        subprocess.run(command(whole, grid), cwd=ROOT, check=True)
        length = time.monotonic() - start
        kills: list[int] = []
        wrong = 0
        while len(kills) < args.kills:
            before = rows_on_disk(killed)
            still = kill_after(killed, grid, moments.uniform(0, length))
            after = rows_on_disk(killed)
            wrong += not before <= after  # what was finished must stay
            if still:
                kills.append(after.total())
            else:
                wrong += differences(whole, killed)
                shutil.rmtree(killed)  # a new sweep to kill
        subprocess.run(command(killed, grid), cwd=ROOT, check=True)
        wrong += differences(whole, killed)
    print(
        f"{len(kills)} kills, each within {length:.1f} s of a start; runs finished then: {', '.join(map(str, kills))}"
    )
    print("each sweep ended with the bytes of an undisturbed one, no run twice" if not wrong else f"{wrong} faults")
    return 1 if wrong else 0


def differences(whole: Path, killed: Path) -> int:
    """Tables that are not those of the undisturbed sweep, and runs that are not on disk exactly once."""
    tables = sum((whole / name).read_bytes() != (killed / name).read_bytes() for name in TABLES)
    return tables + (rows_on_disk(killed) != Counter(dict.fromkeys(rows_on_disk(whole), 1)))


if __name__ == "__main__":
    sys.exit(main())
