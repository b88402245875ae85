"""`python -m suite prove RELEASE…`: check that a release's scheduler file behaves here as the release itself does.

Each release is installed in its own environment, every case runs there, and the result is compared bit for bit
with what its scheduler file gives in this process, beside the installed torch.
On Linux an install brings several GB of CUDA packages; it is removed before the next one starts.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from suite.cases.catalogue import all_cases
from suite.installs.compare import INSTALLS, UNEXPLAINED, InstallDifference, prove
from suite.releases import load
from suite.releases.cache import canonical
from suite.shared.cli import AS_EXPECTED, FINDING, InputError
from suite.shared.console import plain_console

#: Differences printed for each release; the record has all of them.
SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `prove`."""
    parser.add_argument("releases", nargs="+", metavar="RELEASE", help="a torch release, such as 2.8.0")
    parser.add_argument("--python", type=Path, metavar="PATH", help="an interpreter that already has this one RELEASE")
    parser.add_argument("--out", type=Path, default=INSTALLS, metavar="FOLDER", help="where to write the records")


def _report(release: str, differences: list[InstallDifference]) -> int:
    """Print the outcome; return how many differences have no explanation."""
    total, unexplained = len(all_cases()), sum(d.explanation == UNEXPLAINED for d in differences)
    identical = total - len(differences)
    console = plain_console()
    console.print(f"torch {release}: {identical} of {total} cases identical, {unexplained} differences unexplained")
    for d in differences[:SHOWN]:
        where = d.part if d.step is None else f"{d.part} at step {d.step}"
        console.print(f"  {where}: installed {d.installed}, in process {d.in_process}; {d.explanation} ({d.case})")
    if len(differences) > SHOWN:
        console.print(f"  and {len(differences) - SHOWN} more, in the record")
    return unexplained


def run(args: argparse.Namespace) -> int:
    """Prove each release in turn; exit code 1 for a difference without an explanation."""
    releases = list(dict.fromkeys(map(canonical, args.releases)))
    if args.python is not None and len(releases) != 1:
        raise InputError(f"python={args.python} must come with one RELEASE, not {len(releases)}")
    subjects = {release: load.subject(release) for release in releases}  # small: all before the first install
    outcomes = [
        _report(release, prove(release, subject, args.python, args.out)) for release, subject in subjects.items()
    ]
    return FINDING if any(outcomes) else AS_EXPECTED
