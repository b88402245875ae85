"""The command line: `python -m suite --help` lists the commands."""

from __future__ import annotations

import argparse
import sys

from suite.commands import accept as record
from suite.commands import atlas as atlas_run
from suite.commands import bisect as history
from suite.commands import check, fetch, figures, prove, readme, repro, show, upgrade


def main(argv: list[str] | None = None) -> int:
    """Parse and run one command; return its exit code (0 as expected, 1 a finding, 2 bad input)."""
    parser = argparse.ArgumentParser(
        prog="python -m suite",
        description="Checks torch's learning-rate schedulers and their compositions against closed forms.",
        epilog="exit codes: 0 as expected, 1 a finding, 2 bad input",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module, text in (
        ("check", check, "every composition on the installed torch, or on a given lr_scheduler.py"),
        ("show", show, "print or draw one schedule"),
        ("atlas", atlas_run, "every case on every torch release, into results/atlas"),
        ("upgrade", upgrade, "what changes from one torch release to another"),
        ("bisect", history, "the releases that introduced and fixed a behaviour"),
        ("prove", prove, "a release really installed against its scheduler file run here, bit for bit"),
        ("fetch", fetch, "get the scheduler files of torch releases into the cache"),
        ("repro", repro, "print a script that shows one case with torch alone"),
        ("figures", figures, "draw the charts of results/figures again"),
        ("readme", readme, "write the numbers and the table of README.md anew"),
        ("record", record, "write suite/known/known_cases.csv anew from the installed torch"),
    ):
        command = commands.add_parser(name, help=text, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    return int(args.run(args))


if __name__ == "__main__":  # the watchdog's child process imports this module again
    sys.exit(main())
