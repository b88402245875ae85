"""`python -m suite figures`: draw the charts of results/figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from suite.tutorials.figures import draw_all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `figures`."""
    parser.add_argument("--out", type=Path, default=Path("results/figures"), help="folder for the PNG files")


def run(args: argparse.Namespace) -> int:
    """Draw the charts and print the file names; exit code 2 if the folder is not writable or matplotlib is missing."""
    try:
        written = draw_all(args.out)
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed: pip install matplotlib", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"out={str(args.out)!r} must be a writable folder ({error.strerror})", file=sys.stderr)
        return 2
    for path in written:
        print(path)
    return 0
