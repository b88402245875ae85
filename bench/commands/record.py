"""Run a training script unchanged, note the LR of every optimizer step, and say what is wrong with it."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from bench.diagnose import diagnose
from bench.watch import Recorder, report, script
from bench.watch.journal import Journal
from reference import Schedule, parse
from reference.check import integer, real
from suite.shared.console import plain_console
from suite.shared.errors import checked_input

EPILOG = """The trace is the LR in force at each update that really happened, of every optimizer and parameter group.
It is written as the run goes on; a script that fails or is interrupted leaves what it did.
To record a script from its own folder: PYTHONPATH=<this clone> python -m bench record train.py ...
exit code: the script's own if that is not 0; else 1 for a finding, 0 for a trace as it should be."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `record`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.usage = "python -m bench record [options] train.py [ARGS...]"
    parser.add_argument("-m", dest="module", action="store_true", help="the script is a module, as in `python -m`")
    parser.add_argument(
        "--out", type=Path, default=Path("trace.csv"), metavar="CSV", help="the trace (default: trace.csv)"
    )
    parser.add_argument("--expect", metavar="SLUG", help="the schedule that it should be, such as linear20+cosine180")
    parser.add_argument("--base-lr", type=float, metavar="LR", help="the base LR that it should have")
    parser.add_argument("--warmup-steps", type=int, metavar="W", help="the warmup that it should have")
    parser.add_argument("--total-steps", type=int, metavar="T", help="the length that it should have")
    parser.add_argument("script", metavar="train.py", help="the script (with -m: the module) to run")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS", help="its own arguments")


def own_path(path: Path) -> Path:
    """The path, with the rank in it in all but the first process of a distributed run."""
    rank = os.environ.get("RANK", "0")
    return path if rank == "0" else path.with_name(f"{path.stem}.rank{rank}{path.suffix}")


@contextlib.contextmanager
def written_when_terminated(recorder: Recorder) -> Iterator[None]:
    """Write what is known before a SIGTERM ends the process, unless the script handles it by itself."""

    def write(number: int, frame: FrameType | None) -> None:
        recorder.log.settle()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGTERM, write)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def tell(recorder: Recorder, path: Path, expect: Schedule | None, settings: dict[str, float | int | None]) -> bool:
    """Say on standard error what was recorded and what it means; True for a finding."""
    console = plain_console(sys.stderr)
    found = recorder.series()
    if not found:
        console.print("record: no optimizer step was seen")
        return True
    console.print(f"record: {path}")
    for line in recorder.summary():
        console.print(line)
    wrong = False
    for group in report.alike(found):
        traced = group[0].can_be_traced
        found_there = diagnose(group[0].trace(), expect, **settings) if traced else None  # type: ignore[arg-type]
        diagnosis = None if found_there is None else report.of_recording(found_there)
        console.print(report.finding(group, diagnosis))
        wrong |= diagnosis is None or diagnosis.verdict != "healthy"
    return wrong


def run(args: argparse.Namespace) -> int:
    """Run and record; the script's own exception or exit code comes first."""
    with checked_input():
        expect = None if args.expect is None else parse(args.expect)
        settings = {
            "base_lr": None if args.base_lr is None else real("base_lr", args.base_lr, low=0.0),
            "warmup_steps": None if args.warmup_steps is None else integer("warmup_steps", args.warmup_steps),
            "total_steps": None if args.total_steps is None else integer("total_steps", args.total_steps, 1),
        }
        script.checked(args.script, module=args.module)
        path = own_path(args.out).absolute()  # the script may change the folder
        journal = Journal(path)
    recorder = Recorder(journal)
    wrong = False
    try:
        with written_when_terminated(recorder), recorder:
            script.run(args.script, args.arguments, module=args.module)
    except SystemExit as leaving:
        if leaving.code:
            raise
    finally:
        journal.close()
        wrong = tell(recorder, path, expect, settings)
    return int(wrong)
