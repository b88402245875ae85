"""Draw the charts of results/figures."""

from __future__ import annotations

import argparse
from pathlib import Path

from suite.shared.cli import InputError, checked_input, needs_clone
from suite.shared.console import plain_console
from suite.tutorials.figures import draw_all

FIGURES = Path("results/figures")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `figures`."""
    parser.add_argument("--out", type=Path, default=FIGURES, help="folder for the PNG files")


def run(args: argparse.Namespace) -> int:
    """Draw the charts and print the file names; exit code 2 if the folder is not writable or matplotlib is missing."""
    if args.out == FIGURES:
        needs_clone("figures", "it writes results/figures", "--out FOLDER")
    with checked_input(extra="plot"):
        try:
            written = draw_all(args.out)
        except OSError as error:
            raise InputError(f"out={str(args.out)!r} must be a writable folder ({error.strerror})") from error
    for path in written:
        plain_console().print(str(path))
    return 0
