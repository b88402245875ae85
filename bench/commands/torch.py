"""Make an environment of a torch release for this CPU, without the CUDA libraries, check it, and keep it."""

from __future__ import annotations

import argparse
import json
import sys

from bench.releases import environment
from suite.shared.cli import needs_clone
from suite.shared.console import printable
from suite.shared.release import canonical


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `torch`."""
    parser.add_argument("releases", nargs="+", metavar="RELEASE", help="e.g. 2.4.1; 1.13.0 or newer")
    parser.add_argument("--no-check", action="store_true", help="do not run the scheduler suite in it")
    parser.add_argument("--remove", action="store_true", help="remove the environments")
    parser.add_argument("--json", action="store_true", help="print one JSON object per release")


def say(line: str) -> None:
    """Print a line on standard error."""
    print(printable(line), file=sys.stderr, flush=True)


def run(args: argparse.Namespace) -> int:
    """Make and check each release; exit code 2 for one that cannot be made."""
    needs_clone("torch", "the environment runs its checks from there")
    for release in map(canonical, args.releases):
        if args.remove:
            gone = environment.remove(release)
            print(f"torch {release}: {'removed' if gone else 'there was no environment'}")
            continue
        python = environment.make(release, say)
        row = environment.record(release) or {}
        if not args.no_check:
            say(f"torch {release}: checking its schedulers, about half a minute")
            row["schedulers"] = environment.check_schedulers(release)
        if args.json:
            print(json.dumps({**row, "interpreter": str(python)}))
        else:
            print(f"torch {release}: {row['disk_mb']} MB in {python.parents[1]}")
            if not args.no_check:
                print(f"  {row['schedulers']}")
            print(f"  its Python: {python}")
    return 0
