"""Identify the schedule in a log, or what is wrong with it and how to fix it."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.diagnose.examine import LogDiagnosis, examine
from bench.diagnose.log.axis import Units
from bench.diagnose.log.read_log import Log, read_log
from bench.diagnose.log.run_folder import RunFolder, find_runs, read_run
from bench.diagnose.runs import examine_runs
from bench.diagnose.show.text import headline, print_answer, print_runs
from reference import parse
from reference.check import integer, real
from suite.shared import ctrl_c
from suite.shared.cli import InputError, checked_input, read_metrics
from suite.shared.console import plain_console, plain_table, progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.diagnose.plan.factory import FactoryReading


#: Seconds between two looks at a growing log, and the folder of the demonstration.
INTERVAL, DEMO = 5.0, "diagnose_demo"


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
        "trace", metavar="TRACE", nargs="?", help="a log, a folder of runs, - for standard input, or module:factory"
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
    parser.add_argument(
        "--metrics", metavar="FILE", help="for module:factory: the numbers that ReduceLROnPlateau gets, one per step"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="plot the trace beside the expected schedule")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the diagnosis as an HTML page")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--watch", action="store_true", help="follow a growing log until Ctrl-C, and answer when the answer changes"
    )
    parser.add_argument(
        "--interval", type=float, metavar="S", help=f"seconds between two looks with --watch (default: {INTERVAL:g})"
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help=f"write a faulty log for each cause into a folder (default: {DEMO}), and explain each",
    )


def run(args: argparse.Namespace) -> int:
    """Diagnose; exit code 1 unless every trace is healthy."""
    if args.demo:
        return _demo(args)
    with checked_input():
        if args.trace is None:
            raise InputError("trace=None must be given: a log, a folder of runs, or module:factory (or use --demo)")
        expect = None if args.expect is None else parse(args.expect)
        _check_settings(args)
        _check_watch(args)
        for name, package in (("plot", "matplotlib"), ("html", "jinja2")):
            path = getattr(args, name)
            if path is not None:
                importlib.import_module(package)
            if path is not None and not path.absolute().parent.is_dir():
                raise InputError(f"{name}={str(path)!r} must be in an existing folder")
        runs = find_runs(Path(args.trace)) if Path(args.trace).is_dir() else []
        reading = None
        if len(runs) < 2 and not args.watch:
            log, reading = (read_run(runs[0], **_options(args)), None) if runs else _log(args)

    def diagnosed(log: Log) -> LogDiagnosis:
        settings = {"warmup_steps": args.warmup_steps, "total_steps": args.total_steps}
        return examine(log, expect, base_lr=args.base_lr, **settings)

    if args.watch:
        return _watch(args, diagnosed)
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
        print_answer(console, result)
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
        print_runs(plain_console(), examined)
    return 0 if all(run.verdict == "healthy" for run in read) else 1


def _watch(args: argparse.Namespace, diagnosed: Callable[[Log], LogDiagnosis]) -> int:
    """Follow a log until Ctrl-C; the exit code is that of the last answer, 2 if there was none."""
    from bench.diagnose.follow import follow

    console, errors = plain_console(), plain_console(sys.stderr)
    path, stopped = Path(args.trace), threading.Event()

    def show(result: LogDiagnosis) -> None:
        if args.json:
            print(json.dumps({"trace": args.trace, **result.to_json()}), flush=True)
            return
        last = max(int(diagnosis.trace.steps[-1]) for diagnosis in result.diagnoses)
        console.print(f"Up to step {last}:")
        print_answer(console, result)
        console.print("")
        sys.stdout.flush()

    with ctrl_c.handled_by(lambda number, frame: stopped.set()):
        last = follow(
            path,
            lambda: diagnosed(read_log(path, **_options(args))),
            show,
            lambda: stopped.wait(args.interval or INTERVAL),
            lambda reason: errors.print(f"waiting: {reason}"),
        )
    return 2 if last is None else 0 if last.healthy else 1


def _check_watch(args: argparse.Namespace) -> None:
    if not args.watch:
        if args.interval is not None:
            raise InputError(f"interval={args.interval:g} must be given with --watch")
        return
    if args.interval is not None:
        real("interval", args.interval, above=0.0)
    for name in ("plot", "html"):
        if getattr(args, name) is not None:
            raise InputError(f"{name}={str(getattr(args, name))!r} must be omitted with --watch")
    path = Path(args.trace)
    if args.trace == "-" or path.is_dir() or (":" in args.trace and not path.exists()):
        raise InputError(f"trace={args.trace!r} must be a file with --watch")


def _demo(args: argparse.Namespace) -> int:
    """Write one faulty log for each cause, and print what the diagnosis says about each."""
    from bench.diagnose.examples.demo import COMMANDS, demo_kinds, write_demo

    folder = Path(DEMO if args.trace is None else args.trace)
    with checked_input():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"trace={str(folder)!r} must be a new or empty folder with --demo")
        with progress_bar(quiet=args.json) as progress:
            task = progress.add_task("writing logs", total=len(demo_kinds()))
            logs = write_demo(folder, lambda: progress.advance(task))
    if args.json:
        found = [{"trace": str(log.path), "cause": log.cause, **log.diagnosis.to_json()} for log in logs]
        print(json.dumps({"folder": str(folder), "logs": found}, indent=2))
        return 0
    console, table = plain_console(), plain_table()
    table.add_column("log", overflow="fold")
    table.add_column("what is wrong", overflow="fold")
    table.add_column("what to change", overflow="fold")
    for log in logs:
        best = log.diagnosis.best
        fix = log.diagnosis.look if best is None else best.fix
        table.add_row(log.path.name, headline(log.diagnosis.sentence()), fix)
    console.print(table)
    console.print(f"{len(logs)} logs are in {folder}/; {folder / COMMANDS} has the command that explains each in full.")
    return 0


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
        for name in ("steps", "metrics"):
            if getattr(args, name) is not None:
                raise InputError(f"{name}={getattr(args, name)!r} must be omitted: it applies to module:factory only")
        return read_log(path, **_options(args)), None
    for name in ("column", "first_step", "steps_per_epoch", "tokens_per_step"):
        if getattr(args, name) is not None:
            raise InputError(f"{name}={getattr(args, name)!r} must be omitted: it applies to files only")
    from bench.diagnose.plan.factory import read_factory  # torch takes a second to import

    metrics = () if args.metrics is None else read_metrics(args.metrics)
    steps = args.total_steps if args.steps is None else args.steps
    if metrics and (steps is None or steps > len(metrics)):
        if steps is not None:
            raise InputError(f"steps={steps} must be <= {len(metrics)}, the numbers in metrics={args.metrics!r}")
        steps = len(metrics)
    if steps is None:
        raise InputError(f"steps=None must be given with {args.trace}: --steps N, the optimizer steps of the run")
    reading = read_factory(args.trace, steps, 1.0 if args.base_lr is None else args.base_lr, args.warmup_steps, metrics)
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
