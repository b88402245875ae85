"""Run a training script unchanged, record the LR of every optimizer step, and diagnose it."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from bench.watch import Recorder, report
from bench.watch.plans.verdict import diagnosed
from bench.watch.run_script import check_target, run_target
from bench.watch.steps.csv_journal import CsvJournal
from reference import Schedule, parse
from reference.check import integer, real
from suite.shared.cli import checked_input, their_program
from suite.shared.console import plain_console

EPILOG = """The trace has the LR that each optimizer step used, for every optimizer and parameter group.
It is written during the run, so a script that fails or is interrupted keeps the steps taken so far.
To record a script from its own folder: PYTHONPATH=<this clone> python -m bench record train.py ...
Under torchrun or accelerate every process writes its own trace, and only the first one reports.
exit codes: the script's own if it is not 0; otherwise 0 as expected, 1 a finding, 2 bad input; among several
processes a finding gives 0 without --exit-code, because the launcher would stop the others"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `record`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.usage = "python -m bench record [options] train.py [ARGS...]"
    parser.add_argument("-m", dest="module", action="store_true", help="run a module instead, as in `python -m`")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("trace.csv"),
        metavar="CSV",
        help="write the trace here (default: trace.csv)",
    )
    parser.add_argument("--expect", metavar="SLUG", help="the expected schedule, such as linear20+cosine180")
    parser.add_argument("--base-lr", type=float, metavar="LR", help="the expected base LR")
    parser.add_argument("--warmup-steps", type=int, metavar="W", help="the expected number of warmup steps")
    parser.add_argument("--total-steps", type=int, metavar="T", help="the expected number of steps in total")
    parser.add_argument(
        "--exit-code", action="store_true", help="a finding gives exit code 1 among several processes too"
    )
    parser.add_argument("script", metavar="train.py", help="the script (with -m: the module) to run")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS", help="arguments for the script")


def processes() -> int:
    """How many processes train together, as their launcher has set it; 1 without a launcher."""
    size = os.environ.get("WORLD_SIZE", "1")
    return int(size) if size.isdecimal() else 1


def own_path(path: Path) -> Path:
    """The path, with the rank appended to its name in all but the first process of a distributed run."""
    rank = os.environ.get("RANK", "0")
    return path if rank == "0" else path.with_name(f"{path.stem}.rank{rank}{path.suffix}")


@contextlib.contextmanager
def written_when_terminated(recorder: Recorder) -> Iterator[None]:
    """Write the steps so far before a SIGTERM ends the process, unless the script handles SIGTERM itself."""

    def write(number: int, frame: FrameType | None) -> None:
        recorder.log.flush()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGTERM, write)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def print_findings(
    recorder: Recorder, path: Path, expect: Schedule | None, settings: dict[str, float | int | None], *, ended: bool
) -> bool:
    """Print on standard error what was recorded and its diagnosis; returns whether there is a finding.

    `ended`: whether the script ended by itself.
    """
    console = plain_console(sys.stderr)
    recorded = recorder.planned()
    if not recorded:
        console.print("record: no optimizer step was recorded")
        return True
    console.print(f"record: {path}")
    for line in recorder.summary(notes=False):  # the verdicts say the same, each with what to change
        console.print(line)
    wrong = False
    continued = report.continued(recorded)
    for group in report.together(continued) if expect is None else report.alike(continued):
        diagnosis = None
        if group[0].can_be_traced:
            diagnosis = diagnosed(group[0].trace(), group[0].plan, expect, ended=ended, **settings)
        console.print(report.finding(group, diagnosis, ended=ended))
        wrong |= diagnosis is None or diagnosis.verdict != "healthy"
    return wrong


def run(args: argparse.Namespace) -> int:
    """Run and record; an exception or exit code of the script takes precedence over ours."""
    with checked_input():
        expect = None if args.expect is None else parse(args.expect)
        settings = {
            "base_lr": None if args.base_lr is None else real("base_lr", args.base_lr, low=0.0),
            "warmup_steps": None if args.warmup_steps is None else integer("warmup_steps", args.warmup_steps),
            "total_steps": None if args.total_steps is None else integer("total_steps", args.total_steps, 1),
        }
        check_target(args.script, module=args.module)
        path = own_path(args.out).absolute()  # the script may change the working directory
        journal = CsvJournal(path)
    recorder = Recorder(journal)
    wrong = ended = False
    try:
        with written_when_terminated(recorder), recorder, their_program():
            run_target(args.script, args.arguments, module=args.module)
        ended = True
    except SystemExit as leaving:
        if leaving.code:
            raise
        ended = True
    finally:
        journal.close()
        if os.environ.get("RANK", "0") == "0":
            wrong = print_findings(recorder, path, expect, settings, ended=ended)
    return int(wrong and (args.exit_code or processes() == 1))
