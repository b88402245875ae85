"""`python -m suite show NAME`: a known deviation with everything about it, or a schedule as numbers or a picture."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from reference import Schedule, SlugError, parse
from reference.check import integer
from suite.known.deviations import table
from suite.known.one_entry import print_known
from suite.libraries.known.deviations import deviations
from suite.libraries.report import print_deviation
from suite.shared.cli import InputError, checked_input
from suite.shared.console import plain_console, plain_table
from suite.shared.plots import BLUE, save

#: A longer table is thinned out; it always contains the first and the last step.
ROWS = 40

EXAMPLES = "linear500+cosine9500, seq2_m4.linearlr4_s0p1.cosineannealinglr8"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `show`."""
    parser.add_argument(
        "name",
        metavar="NAME",
        help="a known deviation of torch or of a library, such as optimizer-loaded-before-build, or a schedule such as "
        "linear500+cosine9500",
    )
    parser.add_argument("--steps", type=int, default=None, metavar="N", help="optimizer steps (default: 20)")
    parser.add_argument("--base-lr", type=float, default=1.0, metavar="LR", help="base learning rate (default: 1.0)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it into FILE (.png, .svg, .pdf) instead")
    parser.add_argument("--json", action="store_true", help="print slug, repr and every learning rate as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the deviation, or print or draw the schedule; exit code 2 for an invalid name, number or file."""
    if args.name in table():
        print_known(plain_console(), table()[args.name], args.json)
        return 0
    if args.name in deviations():
        print_deviation(plain_console(), deviations()[args.name], args.json)
        return 0
    steps = 20 if args.steps is None else args.steps
    try:
        schedule = parse(args.name)
    except SlugError as error:
        raise InputError(f"{error}; examples: {EXAMPLES}") from error
    with checked_input(extra="plot"):
        rates = schedule.trace(integer("steps", steps, 1), args.base_lr)
        if args.plot is not None:
            draw(schedule, steps, args.base_lr, args.plot)
    if args.json:
        print(json.dumps({"slug": schedule.slug, "schedule": repr(schedule), "lrs": rates.tolist()}))
    elif args.plot is not None:
        plain_console().print(f"{args.plot}: {schedule.slug}, {steps} steps")
    else:
        _print(schedule, steps, rates.tolist())
    return 0


def _print(schedule: Schedule, steps: int, rates: list[float]) -> None:
    table = plain_table()
    table.add_column("step", justify="right")
    table.add_column("learning rate")
    stride = -(-steps // ROWS)
    for t in sorted({*range(0, steps, stride), steps - 1}):
        table.add_row(str(t), repr(rates[t]))
    console = plain_console()
    console.print(f"{schedule.slug}\n{schedule!r}")
    console.print(table)
    if stride > 1:
        console.print(f"every {stride}th of {steps} steps; --json prints all")


def draw(schedule: Schedule, steps: int, base_lr: float, path: Path) -> None:
    """Write the picture; raises ValueError for a format that matplotlib cannot write."""
    from matplotlib.figure import Figure  # slow to import, and not needed to print

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(range(steps), schedule.trace(steps, base_lr), color=BLUE)
    axes.set(xlabel="optimizer step", ylabel="learning rate", title=schedule.slug, xlim=(0, max(steps - 1, 1)))
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.grid(alpha=0.3)
    save(figure, path)
