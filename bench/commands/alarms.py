"""Measure how reliable each early warning is, and whether the advised changes prevent the failure."""

from __future__ import annotations

import argparse
import functools
import importlib
from pathlib import Path

from bench.claims.core.publish import publish
from bench.diverge.populations import FRESH, TRAINING, sample
from bench.diverge.runs import train
from bench.sweep.progress import progress
from suite.shared.cli import InputError, checked_input, needs_clone
from suite.shared.console import plain_console
from suite.shared.files import write_whole

RESULTS = Path(__file__).parents[2] / "results" / "alarms"
PARTS = ("alarms", "recommendation")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `alarms`."""
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"what to measure: {' or '.join(PARTS)} (default: both)"
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
    with checked_input():
        for part in args.parts:
            if part not in PARTS:
                raise InputError(f"part={part} must be one of {', '.join(PARTS)}")
        for needed in ("pandas", "matplotlib.figure"):
            importlib.import_module(needed)  # fail now, not after minutes of work
        import platformdirs

        folder = args.runs or Path(platformdirs.user_cache_dir("warmup-bench", appauthor=False)) / "runs"
        args.out.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
    chosen = args.parts or PARTS
    met = [_alarms(args, folder)] if "alarms" in chosen else []
    met += [_recommendation(args, folder)] if "recommendation" in chosen else []
    return int(not all(met))


def _alarms(args: argparse.Namespace, folder: Path) -> bool:
    from bench.claims.alarm_quality import claim, measured, runs_table

    with progress(quiet=args.quiet) as report:
        training, *fresh = [sample(population, folder, report) for population in (TRAINING, *FRESH)]
    published = claim(training, fresh)
    publish(published, args.out)
    write_whole(args.out / "runs.csv", runs_table(fresh).to_csv(index=False, float_format="%.6g").encode())
    plain_console().print("\n".join(published.answer))
    return measured(training, fresh)[0].passes


def _recommendation(args: argparse.Namespace, folder: Path) -> bool:
    from bench.claims.alarm_advice import TARGET, claim
    from bench.diverge.recommend import measured

    with progress(quiet=args.quiet) as report:
        advice = measured(functools.partial(train, folder=folder, report=report))
    published = claim(advice)
    publish(published, args.out)
    plain_console().print("\n".join(published.answer))
    return sum(case.succeeded for case in advice.cases) >= TARGET * len(advice.cases)
