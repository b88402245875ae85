"""`python -m suite prove RELEASE…`: check that a release's files behave here as the release itself does.

Each release is installed in its own environment, every case runs there, and the result is compared bit for bit
with what its scheduler file gives in this process, beside the installed torch.
On Linux an install brings several GB of CUDA packages; it is removed before the next one starts.
LIBRARY==RELEASE does the same for a library of `python -m suite libraries`, beside this torch.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from suite.cases.catalogue import all_cases
from suite.installs.compare import INSTALLS, UNEXPLAINED, InstallDifference, prove
from suite.libraries.catalogue import library
from suite.libraries.core.library import Library
from suite.libraries.prove import prove_library, write_proof
from suite.releases import load
from suite.releases.cache import canonical
from suite.shared.cli import AS_EXPECTED, FINDING, InputError, needs_clone
from suite.shared.console import plain_console

#: Differences printed for each release; the record has all of them.
SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `prove`."""
    parser.add_argument("releases", nargs="+", metavar="RELEASE", help="2.8.0 of torch, or transformers==5.24.0")
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


def _report_library(own: Library, release: str, python: Path | None) -> int:
    """Print the outcome for a library; return how many differences have no explanation."""
    proof = prove_library(own, release, python)
    write_proof(proof)
    identical, unexplained = proof.cases - len(proof.differences), proof.unexplained
    console = plain_console()
    console.print(f"{own.name} {release}: {identical} of {proof.cases} cases identical, {len(unexplained)} unexplained")
    for case in unexplained[:SHOWN]:
        console.print(f"  {case}")
    return len(unexplained)


def run(args: argparse.Namespace) -> int:
    """Prove each release in turn; exit code 1 for a difference without an explanation."""
    needs_clone("prove", "it writes results/")  # the environment imports us from there
    named = [text.partition("==") for text in dict.fromkeys(args.releases) if "==" in text]
    releases = list(dict.fromkeys(map(canonical, (text for text in args.releases if "==" not in text))))
    if args.python is not None and len(releases) + len(named) != 1:
        raise InputError(f"python={args.python} must come with one RELEASE, not {len(args.releases)}")
    subjects = {release: load.subject(release) for release in releases}  # small: all before the first install
    outcomes = [
        _report(release, prove(release, subject, args.python, args.out)) for release, subject in subjects.items()
    ]
    outcomes += [_report_library(library(name), release, args.python) for name, _, release in named]
    return FINDING if any(outcomes) else AS_EXPECTED
