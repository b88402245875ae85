"""`python -m suite repro CASE`: a case as a script that needs torch, or the library, alone: for an upstream report."""

from __future__ import annotations

import argparse

from suite.cases.composed import case_of
from suite.libraries.core.program import script_of
from suite.libraries.findings import finding_of, load_of
from suite.libraries.repro import find_library_case, library_script
from suite.libraries.sandbox.sandbox import run_all
from suite.libraries.wheels.files import files_of
from suite.repro.script import script
from suite.shared.cli import InputError, checked_input


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `repro`."""
    parser.add_argument(
        "case",
        help="a case id as printed by `check` or `libraries`: linearlr-optimizerfirst_at3, transformers/cosine/plain",
    )
    parser.add_argument(
        "--release", metavar="R", help="of a library: the release to run (default: the newest compared)"
    )
    parser.add_argument("--offline", action="store_true", help="use what the cache has, and fetch nothing")


def run(args: argparse.Namespace) -> int:
    """Print the script; exit code 2 for an unknown case id."""
    if "/" in args.case:
        print(_of_library(args), end="")
        return 0
    if args.release:
        raise InputError(
            f"release={args.release!r} must come with a case of a library, such as transformers/cosine/plain"
        )
    with checked_input():
        case = case_of(args.case)
    print(script(case), end="")
    return 0


def _of_library(args: argparse.Namespace) -> str:
    with checked_input():
        case = find_library_case(args.case)
    release = args.release or case.library.releases[-1]
    script = script_of(case)
    files = files_of(case.library, release, offline=args.offline)
    run = next(run_all(load_of(case.library, files), [(script.imports, script.body)]))
    return library_script(finding_of(case, release, run))
