"""Identify the schedule in a log, or what is wrong with it and how to fix it."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.diagnose.examine import LogDiagnosis, examine
from bench.diagnose.log.axis import Units
from bench.diagnose.log.read_log import Log, read_log
from bench.diagnose.log.run_folder import RunFolder, find_runs, read_run
from bench.diagnose.runs import ExaminedRun, examine_runs
from bench.diagnose.show.comparison import compare
from bench.diagnose.show.words import compared_with, difference, facts_lines, other_explanations, table_rows
from reference import parse
from reference.check import integer, real
from suite.shared.cli import InputError, checked_input
from suite.shared.console import plain_console, plain_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from bench.diagnose import Diagnosis
    from bench.diagnose.plan.factory import FactoryReading


#: Folders without a readable log that are listed below the table of runs.
MOST_UNREAD = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `diagnose`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "TRACE is a log: a table (CSV, JSON, JSON lines, Parquet), an event file of TensorBoard, a Trainer's\n"
        "trainer_state.json, the printed lines of a training script, any of them also as .gz or, for -, from standard\n"
        "input; a folder of runs, which gives one table, the worst first; or module:factory, where factory is a\n"
        "scheduler, or takes an optimizer or nothing and returns one, alone or with its optimizer. A scheduler\n"
        "is read: what was built, whether torch does what is documented, and what is wrong with the plan\n\n"
        "exit codes: 0 healthy, 1 a fault or an unexplained trace, 2 bad input"
    )
    parser.add_argument(
        "trace", metavar="TRACE", help="a log, a folder of runs, - for standard input, or module:factory"
    )
    parser.add_argument("--expect", metavar="SLUG", help="the expected schedule, e.g. linear20+cosine180")
    parser.add_argument("--warmup-steps", type=int, metavar="W", help="configured warmup steps")
    parser.add_argument("--total-steps", type=int, metavar="T", help="configured optimizer steps")
    parser.add_argument("--base-lr", type=float, metavar="B", help="the LR that the optimizer was created with")
    parser.add_argument(
        "--column", metavar="NAME", help="the column to read (default: every column named as a learning rate)"
    )
    parser.add_argument("--first-step", type=int, metavar="N", help="the step number of the first update in the log")
    parser.add_argument(
        "--steps-per-epoch", type=int, metavar="N", help="optimizer steps of an epoch, for a log in epochs"
    )
    parser.add_argument("--tokens-per-step", type=int, metavar="N", help="tokens (or samples) of an optimizer step")
    parser.add_argument("--resumed", action="store_true", help="later rows replace earlier rows of the same steps")
    parser.add_argument("--steps", type=int, metavar="N", help="optimizer steps to run module:factory for (default: T)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="plot the trace beside the expected schedule")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the diagnosis as an HTML page")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Diagnose; exit code 1 unless every trace is healthy."""
    with checked_input():
        expect = None if args.expect is None else parse(args.expect)
        _check_settings(args)
        for name, package in (("plot", "matplotlib"), ("html", "jinja2")):
            path = getattr(args, name)
            if path is not None:
                importlib.import_module(package)
            if path is not None and not path.absolute().parent.is_dir():
                raise InputError(f"{name}={str(path)!r} must be in an existing folder")
        runs = find_runs(Path(args.trace)) if Path(args.trace).is_dir() else []
        reading = None
        if len(runs) < 2:
            log, reading = (read_run(runs[0], **_options(args)), None) if runs else _log(args)

    def diagnosed(log: Log) -> LogDiagnosis:
        settings = {"warmup_steps": args.warmup_steps, "total_steps": args.total_steps}
        return examine(log, expect, base_lr=args.base_lr, **settings)

    if len(runs) > 1:
        return _run_folder(args, runs, diagnosed)
    console, plans = plain_console(), {}
    if reading is not None:
        from bench.diagnose.plan.report import plans_json, print_plans

        plans = plans_json(reading)
        if not args.json:
            print_plans(console, reading)
    # A scheduler that was read needs no guess from its LRs; a picture still shows them.
    guess = reading is None or bool(log.traces and (args.expect or args.plot or args.html))
    result = diagnosed(log) if guess else LogDiagnosis((), log.notes)
    if guess:
        _write(args, result)
    if args.json:
        print(json.dumps({"trace": args.trace, **result.to_json(), **plans}, indent=2))
    elif guess:
        console.print("" if reading is None else "\n", end="")
        _print(console, result)
    healthy = result.healthy if reading is None or expect is not None else reading.healthy
    return 0 if healthy else 1


def _run_folder(args: argparse.Namespace, runs: list[RunFolder], diagnosed: Callable[[Log], LogDiagnosis]) -> int:
    """Diagnose every run of a folder, and print one table, the worst first."""
    with checked_input():
        for name in ("plot", "html"):
            if getattr(args, name) is not None:
                raise InputError(f"{name}={str(getattr(args, name))!r} must be omitted: a folder of runs gives a table")
        options = _options(args)
    examined = examine_runs(runs, lambda run: read_run(run, **options), diagnosed)
    read = [run for run in examined if run.result is not None]
    if not read:
        raise InputError(f"trace={args.trace!r} must have a log of learning rates: {examined[0].unread}")
    if args.json:
        print(json.dumps({"trace": args.trace, "runs": [run.to_json() for run in examined]}, indent=2))
    else:
        _print_runs(plain_console(), examined)
    return 0 if all(run.verdict == "healthy" for run in read) else 1


def _print_runs(console: Console, examined: list[ExaminedRun]) -> None:
    table = plain_table()
    for name in ("run", "verdict", ""):
        table.add_column(name, overflow="fold")
    unread = [run for run in examined if run.result is None]
    for run in examined[: len(examined) - len(unread)]:
        table.add_row(run.name, run.verdict, run.sentence())
    console.print(table)
    for run in unread[:MOST_UNREAD]:
        console.print(f"Not read: {run.name}: {run.unread}")
    if len(unread) > MOST_UNREAD:
        console.print(f"Not read: {len(unread) - MOST_UNREAD} more")


def _check_settings(args: argparse.Namespace) -> None:
    warmup, total, base = args.warmup_steps, args.total_steps, args.base_lr
    if total is not None:
        integer("total_steps", total, 2)
    if warmup is not None:
        integer("warmup_steps", warmup)
    if base is not None:
        real("base_lr", base, above=0.0)


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """How a log is to be read, as the options of `read_log`."""
    units = Units(args.steps_per_epoch, args.tokens_per_step, args.total_steps)
    return {"column": args.column, "first_step": args.first_step, "resumed": args.resumed, "units": units}


def _log(args: argparse.Namespace) -> tuple[Log, FactoryReading | None]:
    """What to diagnose, and the plans where it is a scheduler."""
    path = Path(args.trace)
    if ":" not in args.trace or path.exists():
        if args.steps is not None:
            raise InputError(f"steps={args.steps} must be omitted: it applies to module:factory only")
        return read_log(path, **_options(args)), None
    for name in ("column", "first_step", "steps_per_epoch", "tokens_per_step"):
        if getattr(args, name) is not None:
            raise InputError(f"{name}={getattr(args, name)!r} must be omitted: it applies to files only")
    from bench.diagnose.plan.factory import read_factory  # torch takes a second to import

    steps = args.total_steps if args.steps is None else args.steps
    if steps is None:
        raise InputError(f"steps=None must be given with {args.trace}: --steps N, the optimizer steps of the run")
    reading = read_factory(args.trace, steps, 1.0 if args.base_lr is None else args.base_lr, args.warmup_steps)
    if args.expect is not None and not reading.log.traces:
        raise InputError(f"expect={args.expect!r} must be omitted: {args.trace} gives no LRs without a metric")
    return reading.log, reading if reading.plans else None


def _write(args: argparse.Namespace, result: LogDiagnosis) -> None:
    if args.plot is not None:
        from bench.diagnose.show.picture import write_picture

        with checked_input():
            write_picture(result.diagnoses, args.plot)
    if args.html is not None:
        from bench.diagnose.show.page import render_page, write_page

        page = render_page(result.diagnoses, source=args.trace, notes=result.notes)
        with checked_input():
            write_page(args.html, page)


def _print(console: Console, result: LogDiagnosis) -> None:
    for i, diagnosis in enumerate(result.diagnoses):
        if len(result.diagnoses) > 1:
            console.print(("\n" if i else "") + f"[{diagnosis.trace.name}]")
        _print_diagnosis(console, diagnosis)
    for note in result.notes:
        console.print(f"\nNote: {note}")


def _print_diagnosis(console: Console, diagnosis: Diagnosis) -> None:
    console.print(diagnosis.sentence())
    if diagnosis.best is not None and diagnosis.verdict == "fault":
        console.print(f"Change: {diagnosis.best.fix}")
    if diagnosis.look:
        console.print(f"Where to look: {diagnosis.look}")
    facts = [*facts_lines(diagnosis), *(line for line in (difference(diagnosis), compared_with(diagnosis)) if line)]
    for i, fact in enumerate(facts):
        console.print(f"\n  {fact}" if i == 0 else f"  {fact}")
    rows = table_rows(diagnosis)
    comparison = compare(diagnosis)
    if rows and comparison is not None:
        table = plain_table()
        for name in ("step", comparison.label, "logged", ""):
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(row.step, row.expected, row.logged, "differs" if row.differs else "")
        console.print(table)
    others = other_explanations(diagnosis)
    if others:
        console.print(f"Less likely: {' '.join(others)}")
