"""Train the toy model over a grid of LRs, warmups, decays and seeds; make tables, a heat map and curves.

Finished runs are kept at once: the same command goes on where it was interrupted, and a larger grid
runs only what is new.
"""

from __future__ import annotations

import argparse
import sys

from bench.sweep.options import add_arguments, spec_of
from bench.sweep.session import finish, kept, prepare, work
from suite.shared.errors import InputError, checked_input

__all__ = ["add_arguments", "run"]


def run(args: argparse.Namespace) -> int:
    """Run the sweep; exit code 2 for bad options, and for a folder or workers that fail (finished runs are kept)."""
    with checked_input():
        spec = spec_of(args)
        prepare(args, spec)
    try:
        results = work(args, spec)
        finish(args, spec, results)
    except KeyboardInterrupt:
        print(f"interrupted; {kept(args.out)}", file=sys.stderr)
        return 130  # what shells say of a process that Ctrl-C ended
    except OSError as error:
        raise InputError(f"out={args.out}: {error.strerror or error}") from error
    return 0
