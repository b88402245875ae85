"""Measure how reliable each early warning is, and whether the advised changes prevent the failure.

The runs are published beside the pages: `--from FILE` recomputes a page without training.
"""

from __future__ import annotations

import argparse
import functools
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from bench.claims.core.publish import publish
from bench.claims.core.runs import PUBLISHED, read_runs, runs_file, stamped, write_runs
from bench.diverge.populations import FRESH, TRAINING, sample
from bench.diverge.runs import train
from bench.sweep.progress import progress
from suite.shared.cli import InputError, checked_input, needs_clone
from suite.shared.console import plain_console

if TYPE_CHECKING:
    from pandas import DataFrame

    from bench.claims.core.publish import Claim

RESULTS = Path(__file__).parents[2] / "results" / "alarms"
PARTS = ("alarms", "recommendation")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `alarms`."""
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"what to measure: {' or '.join(PARTS)} (default: both)"
    )
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="recompute one part from these runs (PART.runs.csv.gz)"
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS, metavar="FOLDER", help="write the results here (default: results/alarms)"
    )
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="FOLDER",
        help="cache finished runs in this folder (default: warmup-bench/runs in the user's cache folder)",
    )
    parser.add_argument("--quiet", action="store_true", help="do not show progress")


def run(args: argparse.Namespace) -> int:
    """Publish the results; exit code 1 if a target is not met."""
    if args.out == RESULTS:
        needs_clone("alarms", "it writes results/alarms", "--out FOLDER")
    chosen = args.parts or PARTS
    with checked_input():
        for part in args.parts:
            if part not in PARTS:
                raise InputError(f"part={part} must be one of {', '.join(PARTS)}")
        if args.source is not None and len(chosen) > 1:
            raise InputError(f"from={args.source} must be used with one part: {' or '.join(PARTS)}")
        for needed in ("pandas", "matplotlib.figure"):
            importlib.import_module(needed)  # fail now, not after minutes of work
        import platformdirs

        folder = args.runs or Path(platformdirs.user_cache_dir("warmup-bench", appauthor=False)) / "runs"
        args.out.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
    met = [_alarms(args, folder)] if "alarms" in chosen else []
    met += [_recommendation(args, folder)] if "recommendation" in chosen else []
    return int(not all(met))


def _alarms(args: argparse.Namespace, folder: Path) -> bool:
    from bench.claims.alarm_quality import COLUMNS, claim, measured, runs_table

    if args.source is None:
        with progress(quiet=args.quiet) as report:
            training, *fresh = [sample(population, folder, report) for population in (TRAINING, *FRESH)]
        runs = _written("alarms", stamped(runs_table(training, fresh), PUBLISHED), args.out)
    else:
        with checked_input():
            runs = read_runs(args.source, COLUMNS)
    _published(claim(runs), args)
    return measured(runs)[0][0].passes


def _recommendation(args: argparse.Namespace, folder: Path) -> bool:
    from bench.claims.alarm_advice import COLUMNS, claim, from_table, meets, runs_table
    from bench.diverge.recommend import measured

    if args.source is None:
        with progress(quiet=args.quiet) as report:
            setups = measured(functools.partial(train, folder=folder, report=report))
        runs = _written("recommendation", stamped(runs_table(setups), PUBLISHED), args.out)
    else:
        with checked_input():
            runs = read_runs(args.source, COLUMNS)
    _published(claim(runs), args)
    return meets(from_table(runs))


def _written(part: str, runs: DataFrame, folder: Path) -> DataFrame:
    write_runs(runs, runs_file(part, folder))
    return runs


def _published(claim: Claim, args: argparse.Namespace) -> None:
    publish(claim, args.out)
    plain_console().print("\n".join(claim.answer))
