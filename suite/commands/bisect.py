"""`python -m suite bisect CASE`, or `--factory`: the releases that introduced and fixed a behaviour."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from typing import Any

from suite.across_releases.change_report import composition, loop_in_words
from suite.across_releases.history import Stretch, stretches
from suite.across_releases.user_history import (
    FACTORY_HELP,
    STEPS,
    UserStretch,
    add_factory_arguments,
    change_lines,
    plain,
    plain_run,
    request,
    user_stretches,
)
from suite.across_releases.user_run import Request
from suite.cases.composed import case_of
from suite.engine.case import Case
from suite.known.deviations import table
from suite.releases.groups import chosen_groups
from suite.shared.cli import InputError, checked_input
from suite.shared.console import finite, plain_console, plain_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bisect`."""
    parser.add_argument("case", nargs="?", metavar="CASE", help="a case id as `check` prints it")
    parser.add_argument("--factory", metavar="MODULE:FACTORY", help=f"instead of CASE, {FACTORY_HELP}")
    parser.add_argument("--steps", type=int, default=None, metavar="N", help=f"steps for --factory (default: {STEPS})")
    add_factory_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the history as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the history; exit code 2 for bad input.

    A case: 0 if the newest release follows its documentation, 1 if it deviates.
    A factory: 0 if it does the same in all releases, 1 if it does not.
    """
    wanted = request(args)
    if args.case is not None and args.factory is not None:
        raise InputError(f"case={args.case!r} must not be given beside --factory")
    if args.case is None and args.factory is None:
        raise InputError("case=None must be a case id, or --factory must be given")
    if args.factory is not None:
        return _run_factory(args, wanted)
    with checked_input():
        case = case_of(args.case)
    groups, _ = chosen_groups(args.offline)
    history = stretches(case, groups)
    if args.json:
        print(json.dumps([_plain(stretch) for stretch in history], indent=1))
    else:
        _print(case, history)
    return 0 if history[-1].verdict.kind == "follows" else 1


def _plain(stretch: Stretch) -> dict[str, Any]:
    plain = dataclasses.asdict(stretch)
    for name in ("expected", "actual"):
        plain["verdict"][name] = finite(plain["verdict"][name])
    plain["verdict"]["size"] = finite([stretch.verdict.size])[0]
    return plain


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} – {last}"


def _print(case: Case, history: list[Stretch]) -> None:
    console = plain_console()
    console.print(f"{composition(case.schedule)}{loop_in_words(case.setup)} [{case.id}]")
    rows = plain_table()
    for name in ("releases", "verdict", "what happens", "known deviation"):
        rows.add_column(name, overflow="fold")
    for stretch in history:
        span = _span(stretch.first, stretch.last)
        verdict = stretch.verdict
        rows.add_row(
            span, verdict.shape or verdict.kind, verdict.detail, table()[stretch.entry].title if stretch.entry else ""
        )
    console.print(rows)
    for before, after in itertools.pairwise(history):
        if before.verdict.kind == "follows" != after.verdict.kind:
            console.print(f"introduced in {after.first} ({after.verdict.shape or after.verdict.kind})")
        elif after.verdict.kind == "follows" != before.verdict.kind:
            console.print(f"right since {after.first}")
        else:
            console.print(f"changed in {after.first}")


def _run_factory(args: argparse.Namespace, wanted: Request) -> int:
    groups, _ = chosen_groups(args.offline)
    history = user_stretches(wanted, groups)
    if args.json:
        rows = [{"first": s.first, "last": s.last, "changes": plain(s.changes), **plain_run(s.run)} for s in history]
        print(json.dumps(rows, indent=1))
    else:
        _print_factory(wanted, history)
    return 0 if len(history) == 1 else 1


def _print_factory(wanted: Request, history: list[UserStretch]) -> None:
    console = plain_console()
    if len(history) == 1:
        only = history[0]
        console.print(f"{wanted.spec} does the same in {only.run.steps} steps from torch {only.first} to {only.last}")
        if only.run.error:
            console.print(f"  then {only.run.error}")
        return
    console.print(wanted.spec)
    parting = [stretch.changes[0] for stretch in history[1:] if stretch.changes[0].step is not None]
    shown = {(change.what, change.group or 0, change.step or 0): change.title for change in parting}
    rows = plain_table()
    for name in ("releases", *shown.values(), "end"):
        rows.add_column(name, overflow="fold")
    for stretch in history:
        columns = [(stretch.run.group(what, group), step) for what, group, step in shown]
        values = (f"{column[step]:.6g}" if step < len(column) else "–" for column, step in columns)
        rows.add_row(_span(stretch.first, stretch.last), *values, stretch.run.error or f"{stretch.run.steps} steps")
    console.print(rows)
    for stretch in history[1:]:
        console.print(f"changed in {stretch.first}")
        for line in change_lines(stretch.changes):
            console.print(f"  {line}")
