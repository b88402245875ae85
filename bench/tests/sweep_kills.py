"""Kill a sweep repeatedly, at random moments and without warning, and check what is left.

``python -m bench.tests.sweep_kills --kills 20`` does so on a grid that takes a few seconds.
The final result must equal that of an undisturbed run to the last byte, and no finished run may be run again.
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
    """How often each run occurs in the shards; a run is identified by schedule, norm, LR and seed."""
    runs: Counter[tuple[str, ...]] = Counter()
    for path in (out / "shards").glob("*.csv"):
        with path.open(newline="") as file:
            runs.update((row["schedule"], row["norm"], row["lr"], row["seed"]) for row in csv.DictReader(file))
    return runs


def kill_after(out: Path, grid: list[str], seconds: float) -> bool:
    """Start a sweep and kill it with signal 9 after this many seconds; return whether it was still running."""
    process = subprocess.Popen(command(out, grid), cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def main() -> int:
    """Run undisturbed, run with kills, compare; exit code 1 if they differ."""
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
        undisturbed, killed = Path(folder, "undisturbed"), Path(folder, "killed")
        start = time.monotonic()
        subprocess.run(command(undisturbed, grid), cwd=ROOT, check=True)
        length = time.monotonic() - start
        kills: list[int] = []
        wrong = 0
        while len(kills) < args.kills:
            before = rows_on_disk(killed)
            still_running = kill_after(killed, grid, moments.uniform(0, length))
            after = rows_on_disk(killed)
            wrong += not before <= after  # finished runs must stay
            if still_running:
                kills.append(after.total())
            else:
                wrong += differences(undisturbed, killed)
                shutil.rmtree(killed)  # a new sweep to kill
        subprocess.run(command(killed, grid), cwd=ROOT, check=True)
        wrong += differences(undisturbed, killed)
    print(
        f"{len(kills)} kills, each within {length:.1f} s of a start; runs finished by then: "
        f"{', '.join(map(str, kills))}"
    )
    print(
        "every sweep ended with the same bytes as an undisturbed one; no run was repeated"
        if not wrong
        else f"{wrong} faults"
    )
    return 1 if wrong else 0


def differences(undisturbed: Path, killed: Path) -> int:
    """The number of tables that differ from the undisturbed sweep's, plus 1 unless each run is on disk exactly once."""
    tables = sum((undisturbed / name).read_bytes() != (killed / name).read_bytes() for name in TABLES)
    return tables + (rows_on_disk(killed) != Counter(dict.fromkeys(rows_on_disk(undisturbed), 1)))


if __name__ == "__main__":
    sys.exit(main())
