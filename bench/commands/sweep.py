"""Train the toy model over a grid of LRs, warmups, decays and seeds; write tables, a heat map and curves.

Finished runs are saved at once: after an interruption, rerun the same command to resume; a larger grid
runs only what is new.
"""

from __future__ import annotations

import argparse
import sys

from bench.sweep.options import add_arguments, spec_of
from bench.sweep.session import finish, prepare, resume_hint, work
from suite.shared.cli import InputError, checked_input
from suite.shared.console import printable
from suite.shared.ctrl_c import INTERRUPTED

__all__ = ["add_arguments", "run"]


def run(args: argparse.Namespace) -> int:
    """Run the sweep; exit code 2 for bad options, a write error or lost workers (finished runs are saved)."""
    with checked_input():
        spec = spec_of(args)
        prepare(args, spec)
    try:
        results = work(args, spec)
        finish(args, spec, results)
    except KeyboardInterrupt:
        print(printable(f"interrupted; {resume_hint(args.out)}"), file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        raise InputError(f"out={args.out}: {error.strerror or error}") from error
    return 0
