"""`python -m suite repro CASE`: a case as a script that needs torch alone, ready for an upstream report."""

from __future__ import annotations

import argparse

from suite.cases.composed import case_of
from suite.repro.script import script
from suite.shared.cli import checked_input


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `repro`."""
    parser.add_argument("case", help="a case id as printed by `check`, e.g. linearlr-optimizerfirst_at3")


def run(args: argparse.Namespace) -> int:
    """Print the script; exit code 2 for an unknown case id."""
    with checked_input():
        case = case_of(args.case)
    print(script(case), end="")
    return 0
