"""`python -m suite upgrade [LIBRARY] FROM TO`: which schedules change their learning rates between two releases."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
from pathlib import Path

from reference import Schedule, parse
from suite.across_releases.change_report import as_record, print_changes, two_traces
from suite.across_releases.changes import Change, change_of, changed_in
from suite.across_releases.job_summary import (
    factory_annotations,
    factory_markdown,
    upgrade_annotations,
    upgrade_markdown,
)
from suite.across_releases.user_history import (
    FACTORY_HELP,
    STEPS,
    add_factory_arguments,
    change_lines,
    changes_between,
    checked,
    differing,
    plain,
    plain_run,
    precision,
    request,
)
from suite.across_releases.user_run import Request, run_user
from suite.cases.catalogue import all_cases
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.loader import load
from suite.engine.subject import Subject, installed
from suite.known.entries.places import places
from suite.libraries.upgrade import compare_library
from suite.releases.cache import cached, numbers
from suite.releases.index import available
from suite.releases.load import subject
from suite.shared import github
from suite.shared.cli import InputError, checked_input
from suite.shared.console import plain_console, progress_bar

#: Words for a release: that of the installed torch, and the newest one.
INSTALLED, NEWEST = "installed", "newest"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `upgrade`."""
    parser.add_argument(
        "sides",
        nargs="+",
        metavar="[LIBRARY] FROM TO",
        help="two torch releases such as 2.8.0 2.15.0, paths of an lr_scheduler.py, or the words installed and newest; "
        "or a library and two of its releases: transformers 4.46.3 5.24.0",
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--composition", metavar="SLUG", help="only this composition, e.g. seq2_m4.linearlr4.cosineannealinglr8"
    )
    only.add_argument("--factory", metavar="MODULE:FACTORY", help=FACTORY_HELP)
    parser.add_argument(
        "--steps", type=int, default=None, metavar="N", help=f"steps for --composition and --factory (default: {STEPS})"
    )
    add_factory_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print every change as JSON")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="also write a summary to FILE, to paste into a pull request"
    )


def run(args: argparse.Namespace) -> int:
    """Compare and print; exit code 0 when nothing changes, 1 when something does, 2 for bad input."""
    if len(args.sides) == 3:
        return compare_library(*args.sides, offline=args.offline, as_json=args.json)
    if len(args.sides) != 2:
        raise InputError(f"releases={' '.join(args.sides)!r} must be FROM and TO, or LIBRARY, FROM and TO")
    args.before, args.after = (_newest(args.offline) if text == NEWEST else text for text in args.sides)
    wanted = request(args)
    old, new = _side(args.before, args.offline), _side(args.after, args.offline)
    if args.factory is not None:
        return _run_factory(args, wanted, old, new)
    cases = _cases(args, old, new, wanted.steps)
    with progress_bar(quiet=args.json) as progress:
        compared = progress.track(cases, description="comparing")
        changes = [change for case in compared if (change := change_of(case, old, new)) is not None]
    if args.json:
        print(json.dumps([as_record(change) for change in changes], indent=1))
    else:
        _print(args, changes, len(cases), old, new)
    names = f"from {old.name} to {new.name}"
    _publish(args, upgrade_markdown(changes, len(cases), names), upgrade_annotations(changes, names))
    return 1 if changes else 0


def _publish(args: argparse.Namespace, markdown: str, annotations: list[str]) -> None:
    if args.markdown is not None or github.in_actions():
        github.publish(markdown, [] if args.json else annotations, args.markdown)


def _newest(offline: bool) -> str:
    """The newest release, of those in the cache without network."""
    known = cached() if offline else available()[0]
    if not known:
        raise InputError("release=newest must be in the cache when offline: python -m suite fetch")
    return max(known, key=numbers)


def _side(text: str, offline: bool) -> Subject:
    if text == INSTALLED:
        return installed()
    return load(Path(text)) if text.endswith(".py") else subject(text, offline)


def _cases(args: argparse.Namespace, old: Subject, new: Subject, steps: int) -> tuple[Case, ...]:
    """The cases to compare: the whole catalogue, or the composition that was asked for."""
    if not args.composition:
        # A docstring changes no learning rate.
        return tuple(case for case in all_cases() if case.family != "docs")
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
    two_releases = not any(text == INSTALLED or text.endswith(".py") for text in (args.before, args.after))
    first, last = sorted((old.release, new.release), key=numbers) if two_releases else ("", "")

    def since(case: Case) -> list[str]:
        return changed_in(case, first, last) if two_releases else []

    print_changes(console, changes, total, f"from {old.name} to {new.name}", since)


def _run_factory(args: argparse.Namespace, wanted: Request, old: Subject, new: Subject) -> int:
    sides = (functools.partial(_side, text, args.offline) for text in (args.before, args.after))
    before, after = checked([run_user(wanted, side) for side in sides], args.factory)
    changes = changes_between(before, after)
    names, lines = f"from {old.name} to {new.name}", change_lines(changes)
    _publish(args, factory_markdown(args.factory, lines, names), factory_annotations(args.factory, lines, names))
    if args.json:
        words = changes[0].words if changes else ""
        runs = {"before": plain_run(before), "after": plain_run(after)}
        print(json.dumps({"changed": bool(changes), "words": words, "changes": plain(changes), **runs}))
        return 1 if changes else 0
    console = plain_console()
    if changes:
        console.print(f"{args.factory} changes {names}")
        for line in lines:
            console.print(f"  {line}")
    else:
        console.print(f"no change in {after.steps} steps of {args.factory} {names}")
        if after.error:
            console.print(f"  both end with {after.error}")
    for change in changes[:1]:
        if change.group is not None:
            old_values, new_values = (run.group(change.what, change.group) for run in (before, after))
            steps = differing(old_values, new_values, precision(before, after))
            console.print(two_traces(old_values, new_values, steps))
    return 1 if changes else 0
