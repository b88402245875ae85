"""Say what a logged learning rate is, or what is wrong with it: since which step, why, and the line to change."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from bench.diagnose.examine import Examined, examine
from bench.diagnose.log.read_log import Log, read_log
from bench.diagnose.show.comparison import compare, rows_around
from bench.diagnose.show.words import difference, runner_up_text, runners_up
from reference import parse
from reference.check import integer, real
from suite.shared.console import plain_console, plain_table
from suite.shared.errors import InputError, checked_input

if TYPE_CHECKING:
    from rich.console import Console

    from bench.diagnose import Diagnosis


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `diagnose`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "a trace is a CSV of TensorBoard, Weights & Biases or Lightning, a Trainer's trainer_state.json, or plain\n"
        "columns; module:factory names a function that takes an optimizer and returns a scheduler, or a scheduler\n\n"
        "exit codes: 0 healthy, 1 a fault or nothing that explains the trace, 2 bad input"
    )
    parser.add_argument("trace", metavar="TRACE", help="a file of logged learning rates, or module:factory")
    parser.add_argument("--expect", metavar="SLUG", help="the schedule that it should be, e.g. linear20+cosine180")
    parser.add_argument("--warmup-steps", type=int, metavar="W", help="steps of warmup that were asked for")
    parser.add_argument("--total-steps", type=int, metavar="T", help="optimizer steps that were planned")
    parser.add_argument("--base-lr", type=float, metavar="B", help="the LR that the optimizer was built with")
    parser.add_argument("--column", metavar="NAME", help="the column to read (default: all that name a learning rate)")
    parser.add_argument("--first-step", type=int, metavar="N", help="the number that the log gives the first update")
    parser.add_argument("--resumed", action="store_true", help="later rows replace those that they log again")
    parser.add_argument("--steps", type=int, metavar="N", help="optimizer steps of module:factory (default: T)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the trace against what is expected")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the diagnosis as one page")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Diagnose; exit code 1 unless every trace is healthy."""
    with checked_input():
        expect = None if args.expect is None else parse(args.expect)
        _check_settings(args)
        for name, drawn_by in (("plot", "matplotlib"), ("html", "jinja2")):
            path = getattr(args, name)
            if path is not None:
                importlib.import_module(drawn_by)
            if path is not None and not path.absolute().parent.is_dir():
                raise InputError(f"{name}={str(path)!r} must be in a folder that exists")
        log = _log(args)
    found = examine(log, expect, base_lr=args.base_lr, warmup_steps=args.warmup_steps, total_steps=args.total_steps)
    _write(args, found)
    if args.json:
        said = {"trace": args.trace, "notes": found.notes, "diagnoses": [d.to_json() for d in found.diagnoses]}
        print(json.dumps(said, indent=2))
    else:
        _print(plain_console(), found)
    return 0 if found.healthy else 1


def _check_settings(args: argparse.Namespace) -> None:
    warmup, total, base = args.warmup_steps, args.total_steps, args.base_lr
    if total is not None:
        integer("total_steps", total, 2)
    if warmup is not None and integer("warmup_steps", warmup) > (warmup if total is None else total):
        raise InputError(f"warmup_steps={warmup} must be <= total_steps={total}")
    if base is not None:
        real("base_lr", base, above=0.0)


def _log(args: argparse.Namespace) -> Log:
    path = Path(args.trace)
    if ":" not in args.trace or path.exists():
        if args.steps is not None:
            raise InputError(f"steps={args.steps} must be left out: only module:factory is stepped")
        return read_log(path, column=args.column, first_step=args.first_step, resumed=args.resumed)
    for name in ("column", "first_step"):
        if getattr(args, name) is not None:
            raise InputError(f"{name}={getattr(args, name)!r} must be left out: only a file has it")
    from bench.diagnose.log.factory import read_factory

    steps = args.total_steps if args.steps is None else args.steps
    if steps is None:
        raise InputError(f"steps=None must be given with {args.trace}: --steps N, the optimizer steps of the run")
    return read_factory(args.trace, steps, 1.0 if args.base_lr is None else args.base_lr)


def _write(args: argparse.Namespace, found: Examined) -> None:
    if args.plot is not None:
        from bench.diagnose.show.picture import write_picture

        with checked_input():
            write_picture(found.diagnoses, args.plot)
    if args.html is not None:
        from bench.diagnose.show.page import render_page, write_page

        page = render_page(found.diagnoses, source=args.trace, notes=found.notes)
        with checked_input():
            write_page(args.html, page)


def _print(console: Console, found: Examined) -> None:
    for i, diagnosis in enumerate(found.diagnoses):
        if len(found.diagnoses) > 1:
            console.print(("\n" if i else "") + f"[{diagnosis.trace.name}]")
        _print_one(console, diagnosis)
    for note in found.notes:
        console.print(f"\nNote: {note}")


def _print_one(console: Console, diagnosis: Diagnosis) -> None:
    console.print(diagnosis.sentence())
    if diagnosis.best is not None and diagnosis.verdict == "fault":
        console.print(f"\nChange: {diagnosis.best.fix}")
    console.print(f"\n{difference(diagnosis)}")
    held = compare(diagnosis)
    if held is not None:
        table = plain_table()
        for name in ("step", held.label, "logged", ""):
            table.add_column(name, justify="right")
        for row in rows_around(diagnosis):
            table.add_row(str(row.step), f"{row.expected:.6g}", f"{row.logged:.6g}", "differs" if row.differs else "")
        console.print(table)
    others = runners_up(diagnosis)
    if others:
        console.print("Closest to it:" if diagnosis.verdict == "unknown" else "What else it could be:")
    for other in others:
        console.print(f"  {runner_up_text(other)}")
