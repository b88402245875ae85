"""Measure on a GPU, once: correctness, step time, batched speed, memory, set-up and stability under each warmup."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.cuda.page import COMMAND, busy, page
from bench.cuda.parts import parts
from bench.cuda.parts import run as measure
from bench.cuda.sizes import FULL, QUICK, CudaSizes
from bench.cuda.store import Store, facts, measured_load
from bench.toy.devices import require
from reference.check import real
from suite.shared.cli import AS_EXPECTED, FINDING, InputError, checked_input, needs_clone
from suite.shared.console import printable
from suite.shared.files import write_whole

RESULTS = Path(__file__).resolve().parents[2] / "results" / "cuda"
QUICK_RESULTS = Path("cuda_quick")
PAGE = "index.md"
MINUTES = 8.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `cuda`."""
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: results/cuda, or cuda_quick with --quick")
    parser.add_argument("--quick", action="store_true", help="fewer models, replicas and seeds, nothing compiled")
    parser.add_argument(
        "--minutes",
        type=float,
        default=MINUTES,
        metavar="M",
        help=f"stop after M minutes (default: {MINUTES:g}); rerun the same command to resume",
    )


def say(line: str) -> None:
    """Print a line on standard error."""
    print(printable(line, keep="\n"), file=sys.stderr, flush=True)


def run(args: argparse.Namespace) -> int:
    """Measure all parts that are missing; exit code 1 if one failed, or has not been measured yet."""
    needs_clone("cuda", "it runs the tests from there")
    with checked_input():
        real("minutes", args.minutes, above=0.0)
        try:
            require("cuda")
        except NotImplementedError as error:
            raise InputError("device=cuda must be available: torch sees no GPU") from error
    with checked_input("test"):
        import pytest  # noqa: F401  # now, not after a minute
    with checked_input():
        out = args.out or (QUICK_RESULTS if args.quick else RESULTS)
        if out.exists() and not out.is_dir():
            raise ValueError(f"out={out} must be a folder")
    return measured(QUICK if args.quick else FULL, out, "cuda", args.minutes)


def measured(sizes: CudaSizes, out: Path, device: str, minutes: float) -> int:
    """Measure on a device; tests use the CPU."""
    with checked_input():
        store = Store(out, facts(device, sizes))
    if store.replaces:
        say(f"{out} holds results of another card, version or code: all is measured again")
    listed = parts(sizes, device)
    command = COMMAND + (" --quick" if sizes is QUICK else "")
    missing: dict[str, str] = {}

    def write_page() -> None:
        with checked_input():
            write_whole(out / PAGE, page(store, listed, missing, command).encode())

    say(f"{len(listed)} parts, {len(store.parts)} finished, at most {minutes:g} minutes; card: {store.about['card']}")
    load = measured_load(device)
    for line in busy([load]):
        say(line)
    missing |= measure(listed, store, 60 * minutes, say, write_page, load)
    if store.parts:
        write_page()
    for name, why in missing.items():
        print(f"not measured: {name}: {why}")
    failed = [row["test"] for row in store.rows("tests") if row["outcome"] == "failed"]
    news = [row for row in store.rows("suite") if row["exit_code"] != 0]
    for test in failed:
        print(f"failed: {test}")
    if news:
        print("the scheduler suite found something new: python -m suite check --device cuda")
    if store.parts:
        print(f"page: {out / PAGE}")
    if missing:
        print("rerun the same command to resume")
    return FINDING if missing or failed or news else AS_EXPECTED
