"""`python -m suite bisect CASE`: the releases that introduced and fixed a behaviour."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from typing import Any

from suite.across_releases.change_report import composition, loop_in_words
from suite.across_releases.history import Stretch, stretches
from suite.cases.catalogue import find
from suite.engine.case import Case
from suite.known.deviations import table
from suite.releases.groups import chosen_groups
from suite.shared.cli import checked_input
from suite.shared.console import finite, plain_console, plain_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bisect`."""
    parser.add_argument("case", help="a case id as `check` prints it")
    parser.add_argument("--offline", action="store_true", help="only the releases in the cache, no network")
    parser.add_argument("--json", action="store_true", help="print the history as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the history; exit code 0 if the newest release follows, 1 if it deviates, 2 for bad input."""
    with checked_input():
        case = find(args.case)
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


def _print(case: Case, history: list[Stretch]) -> None:
    console = plain_console()
    console.print(f"{composition(case.schedule)}{loop_in_words(case.setup)} [{case.id}]")
    rows = plain_table()
    for name in ("releases", "verdict", "what happens", "known deviation"):
        rows.add_column(name, overflow="fold")
    for stretch in history:
        span = stretch.first if stretch.first == stretch.last else f"{stretch.first} – {stretch.last}"
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
