"""`python -m suite record`: writes down which cases deviate in the installed release, once each is explained."""

from __future__ import annotations

import argparse
import sys

from suite.cases.catalogue import all_cases
from suite.engine.subject import installed
from suite.engine.verdict import verdict_of
from suite.known.deviations import CASES, write_records


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`record` has no options."""


def run(args: argparse.Namespace) -> int:
    """Write the table; exit code 2, and nothing written, when a deviation has no entry in known.toml."""
    subject = installed()
    try:
        number = write_records(subject.release, [(case, verdict_of(case, subject)) for case in all_cases()])
    except ValueError as error:
        print(str(error), file=sys.stderr)
        return 2
    print(f"{CASES.name}: {number} of {len(all_cases())} cases deviate in torch {subject.release}, each in a known way")
    return 0
