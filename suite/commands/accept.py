"""Accept today's deviations as known, of the installed torch or of the other libraries: each must have an entry."""

from __future__ import annotations

import argparse

from suite.cases.catalogue import all_cases
from suite.engine.subject import installed
from suite.engine.verdict import verdict_of
from suite.known.ablation import judge_on
from suite.known.deviations import CASES, write_records
from suite.libraries.accept import accept_libraries
from suite.shared.cli import checked_input, needs_clone


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `accept`."""
    parser.add_argument(
        "--libraries",
        action="store_true",
        help="accept the deviations of the other libraries' newest compared releases",
    )
    parser.add_argument("--offline", action="store_true", help="use what the cache has, and fetch nothing")


def run(args: argparse.Namespace) -> int:
    """Write known_cases.csv; exit code 2, and nothing written, if a deviation has no entry in a table."""
    needs_clone("accept", "it writes the tables of known cases")
    if args.libraries:
        print(accept_libraries(args.offline))
        return 0
    subject = installed()
    verdicts = [(case, verdict_of(case, subject)) for case in all_cases()]
    with checked_input():
        number = write_records(subject.release, verdicts, judge_on(subject))
    print(f"{CASES.name}: {number} of {len(all_cases())} cases deviate in torch {subject.release}, each in a known way")
    return 0
