"""`python -m suite upgrade FROM TO`: which compositions change their learning rates between two releases."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
from pathlib import Path

from reference import Schedule, parse
from suite.across_releases.change_report import as_record, print_changes, side_by_side
from suite.across_releases.changes import Change, change_of, changed_in, failure, first_difference
from suite.cases.catalogue import all_cases
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.loader import load
from suite.engine.subject import Subject
from suite.engine.user_factory import run_factory
from suite.known.entries.places import places
from suite.releases.cache import numbers
from suite.releases.load import subject
from suite.shared.cli import InputError, checked_input
from suite.shared.console import finite, plain_console, progress_bar

#: Default steps of a run for --composition and --factory.
STEPS = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `upgrade`."""
    parser.add_argument("before", metavar="FROM", help="a release such as 2.8.0, or the path of an lr_scheduler.py")
    parser.add_argument("after", metavar="TO", help="a release such as 2.15.0, or the path of an lr_scheduler.py")
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--composition", metavar="SLUG", help="only this composition, e.g. seq2_m4.linearlr4.cosineannealinglr8"
    )
    only.add_argument(
        "--factory", metavar="MODULE:FACTORY", help="your own scheduler: a function that takes an optimizer"
    )
    parser.add_argument(
        "--steps", type=int, default=None, metavar="N", help=f"steps for --composition and --factory (default: {STEPS})"
    )
    parser.add_argument("--lr", type=float, default=0.1, help="the optimizer's lr for --factory (default: 0.1)")
    parser.add_argument("--offline", action="store_true", help="only releases in the cache, no network")
    parser.add_argument("--json", action="store_true", help="print every change as JSON")


def run(args: argparse.Namespace) -> int:
    """Compare and print; exit code 0 when nothing changes, 1 when something does, 2 for bad input."""
    steps = STEPS if args.steps is None else args.steps
    if steps < 1:
        raise InputError(f"steps={steps} must be >= 1")
    if not (args.lr >= 0 and math.isfinite(args.lr)):
        raise InputError(f"lr={args.lr} must be finite and >= 0")
    old, new = _side(args.before, args.offline), _side(args.after, args.offline)
    if args.factory:
        return _run_factory(args, old, new, steps)
    cases = _cases(args, old, new, steps)
    with progress_bar(quiet=args.json) as progress:
        compared = progress.track(cases, description="comparing")
        changes = [change for case in compared if (change := change_of(case, old, new)) is not None]
    if args.json:
        print(json.dumps([as_record(change) for change in changes], indent=1))
    else:
        _print(args, changes, len(cases), old, new)
    return 1 if changes else 0


def _side(text: str, offline: bool) -> Subject:
    return load(Path(text)) if text.endswith(".py") else subject(text, offline)


def _cases(args: argparse.Namespace, old: Subject, new: Subject, steps: int) -> tuple[Case, ...]:
    """The cases to compare: the whole catalogue, or the composition that was asked for."""
    if not args.composition:
        return all_cases()
    with checked_input():
        schedule: Schedule = parse(args.composition)
    for name in (type(part).__name__ for part, _ in places(schedule)):
        if old.scheduler_class(name) is None and new.scheduler_class(name) is None:
            rule = "must be one of torch's schedulers or a composition of them"
            raise InputError(f"composition={args.composition!r} {rule}, but neither release has {name}")
    return (Case("given", schedule, Setup(), steps if args.steps else _at_most(schedule, steps)),)


def _at_most(schedule: Schedule, steps: int) -> int:
    """Fewer steps where the schedule ends earlier, as OneCycleLR does at its total_steps."""
    for fewer in range(steps, 0, -1):
        with contextlib.suppress(ValueError):
            schedule.trace(fewer)
            return fewer
    return steps


def _print(args: argparse.Namespace, changes: list[Change], total: int, old: Subject, new: Subject) -> None:
    console = plain_console()
    if not changes:
        console.print(f"no change: {old.name} and {new.name} give the same learning rates, errors and warnings")
        return
    two_releases = not any(text.endswith(".py") for text in (args.before, args.after))
    first, last = sorted((old.release, new.release), key=numbers) if two_releases else ("", "")

    def since(case: Case) -> list[str]:
        return changed_in(case, first, last) if two_releases else []

    print_changes(console, changes, total, f"from {old.name} to {new.name}", since)


def _run_factory(args: argparse.Namespace, old: Subject, new: Subject, steps: int) -> int:
    before, after = (run_factory(args.factory, side, args.lr, steps) for side in (old, new))
    if not (before.built or after.built) and type(before.error) is type(after.error):
        raise InputError(f"factory={args.factory!r} must build a scheduler, but raises {failure(before)}")
    difference = first_difference(before, after, "float")
    lrs = [[row[0] for row in run.lrs] for run in (before, after)]
    if args.json:
        rates = {"before": finite(lrs[0]), "after": finite(lrs[1])}
        changed = difference is not None
        print(json.dumps({"changed": changed, "words": difference[2] if difference else "", **rates}))
    elif difference is None:
        plain_console().print(f"no change in {steps} steps of {args.factory} from {old.name} to {new.name}")
    else:
        plain_console().print(f"{args.factory}: {difference[2]}")
        if difference[0] == "lrs":
            plain_console().print(side_by_side(lrs[0], lrs[1]))
    return 1 if difference else 0
