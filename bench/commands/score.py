"""Score the diagnosis on generated traces: how often it names the right cause first, by cause and kind of log."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from reference.check import integer
from suite.shared.cli import InputError, checked_input
from suite.shared.console import plain_console, plain_table, progress_bar

Scored = TypeVar("Scored")

#: The two generators; neither imports the other.
GENERATORS = ("own", "public")
#: The complete table of the public examples is wider than a terminal of 80 columns.
TABLE_WIDTH = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `score`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "the seed determines an example: the schedule, the mistake (none in a fifth of the own examples, in half of\n"
        "the public ones), whether the log is complete or has few rows and digits, and whether the diagnosis is given\n"
        "the expected schedule, its settings, or nothing; the rules were developed on seeds below 10000\n"
        "own: settings and mistakes drawn by ourselves; public: the schedules and loops of public libraries"
    )
    parser.add_argument("--generator", default="own", metavar="NAME", help=f"{' or '.join(GENERATORS)} (default: own)")
    parser.add_argument(
        "--seeds", nargs=2, type=int, default=[0, 1000], metavar=("A", "B"), help="seeds A to B-1 (default: 0 1000)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write public.csv and public.md here (with --generator public)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Score and print; exit code 2 for invalid seeds."""
    with checked_input():
        low = integer("seeds[0]", args.seeds[0])
        high = integer("seeds[1]", args.seeds[1], low + 1)
        if args.generator not in GENERATORS:
            raise InputError(f"generator={args.generator} must be one of {', '.join(GENERATORS)}")
        if args.out is not None and args.generator != "public":
            raise InputError(f"out={args.out} must be given with --generator public")
    return _public(args, low, high) if args.generator == "public" else _own(args, low, high)


def _scored(score: Callable[[int], Scored], low: int, high: int, quiet: bool) -> list[Scored]:
    """The scores of the seeds, with a progress bar."""
    scored = []
    with progress_bar(quiet=quiet) as progress:
        task = progress.add_task("diagnosing", total=high - low)
        for seed in range(low, high):
            scored.append(score(seed))
            progress.advance(task)
    return scored


def _own(args: argparse.Namespace, low: int, high: int) -> int:
    from bench.diagnose.examples.score import score_example, summary  # torch takes a second

    scored = _scored(score_example, low, high, args.json)
    result = {"seeds": [low, high], **summary(scored)}
    if args.json:
        print(json.dumps(result, indent=1))
        return 0
    _print(result)
    return 0


def _public(args: argparse.Namespace, low: int, high: int) -> int:
    with checked_input():
        import pandas as pd  # noqa: F401  # fail now, not after minutes of work
        import scipy  # noqa: F401

    from bench.diagnose.examples.public.public_score import score_public
    from bench.diagnose.examples.public.report import as_frame, cell, lines, publish_scores, short

    rows = lines(_scored(score_public, low, high, args.json))
    if args.out is not None:
        publish_scores(rows, (low, high), args.out)
    if args.json:
        print(json.dumps({"seeds": [low, high], "rows": as_frame(rows).to_dict("records")}, indent=1))
        return 0
    console = plain_console()
    if not console.is_terminal:  # a file or a pager has no width of its own
        console.width = max(console.width, TABLE_WIDTH)
    complete = console.width >= TABLE_WIDTH
    table = plain_table()
    shown = [name for name in rows[0] if name != "section" and (complete or name != "named_instead")]
    for name in shown:
        words = name in ("kind", "named_instead")
        table.add_column(name.replace("_", " "), justify="left" if words else "right", no_wrap=not words)
    for row in rows:
        table.add_row(*(cell(row[name]) if complete else short(row[name]) for name in shown))
    console.print(table)
    if not complete:
        console.print(f"shares in %; {high - low} traces of seeds {low} to {high - 1}; a wider window shows intervals")
        return 0
    console.print(f"shares in %, with 95 % Wilson intervals; {high - low} traces of seeds {low} to {high - 1}")
    return 0


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _print(result: dict[str, Any]) -> None:
    console = plain_console()
    table = plain_table()
    for name in ("cause", "examples", "clean", "degraded", "mistaken for"):
        table.add_column(name, justify="left" if name in ("cause", "mistaken for") else "right")
    for cause, row in result["kinds"].items():
        taken = ", ".join(f"{name} {count}" for name, count in row["taken_for"].items())
        table.add_row(cause, str(row["examples"]), _percent(row["clean"]), _percent(row["degraded"]), taken)
    console.print(table)
    low, high = result["seeds"]
    console.print(f"{result['examples']} traces of seeds {low} to {high - 1}, {result['healthy']} of them healthy")
    for name, text in (
        ("clean", "right cause first, every step at full precision"),
        ("degraded", "right cause first, every 10th step to 4 digits"),
        ("accused", "healthy traces reported as faulty"),
        ("healthy_unknown", "healthy traces reported as unknown"),
    ):
        console.print(f"{text}: {_percent(result[name])}")
    for mode, text in (("expect", "the expected schedule"), ("settings", "the settings only"), ("nothing", "nothing")):
        console.print(f"right cause first, given {text}: {_percent(result['modes'][mode])}")
