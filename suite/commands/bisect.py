"""`python -m suite bisect CASE`: the releases that introduced and fixed a behaviour."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import sys
from typing import Any

from suite.cases.catalogue import find
from suite.engine.case import Case
from suite.engine.loader import BadModule
from suite.engine.verdict import Verdict, verdict_of
from suite.known.deviations import cause_of
from suite.releases.cache import ReleaseError, numbers
from suite.releases.groups import chosen_groups
from suite.releases.load import load_release
from suite.shared.console import finite, plain_console, plain_table


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Consecutive releases in which a case does the same."""

    first: str
    last: str
    verdict: Verdict
    entry: str


def _behaviour(verdict: Verdict) -> tuple[object, ...]:
    """What must be equal for two releases to behave the same: the verdict and, where it deviates, the rates."""
    raised = verdict.detail.split()[0] if verdict.shape == "error" else ""  # the class of the error
    rates = tuple(f"{value:.9g}" for value in verdict.actual)
    return verdict.kind, verdict.shape, verdict.step, raised, rates


def stretches(case: Case, groups: list[tuple[str, ...]]) -> list[Stretch]:
    """The history of a case over all releases, oldest first."""
    by_release = {}
    for group in groups:
        verdict = verdict_of(case, load_release(group[0]))
        by_release.update(dict.fromkeys(group, verdict))
    found: list[Stretch] = []
    for release in sorted(by_release, key=numbers):
        verdict = by_release[release]
        entry = cause_of(case, verdict, release) if verdict.kind == "deviates" else None
        if found and _behaviour(found[-1].verdict) == _behaviour(verdict):
            found[-1] = dataclasses.replace(found[-1], last=release)
        else:
            found.append(Stretch(release, release, verdict, entry.id if entry else ""))
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bisect`."""
    parser.add_argument("case", help="a case id as `check` prints it")
    parser.add_argument("--offline", action="store_true", help="only the releases in the cache, no network")
    parser.add_argument("--json", action="store_true", help="print the history as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the history; exit code 0 if the newest release follows, 1 if it deviates, 2 for bad input."""
    try:
        case = find(args.case)
        groups, _ = chosen_groups(args.offline)
        history = stretches(case, groups)
    except (ReleaseError, BadModule, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps([_plain(s) for s in history], indent=1))
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
    console.print(case.id)
    table = plain_table()
    for name in ("releases", "verdict", "what happens", "known as"):
        table.add_column(name, overflow="fold")
    for s in history:
        span = s.first if s.first == s.last else f"{s.first} – {s.last}"
        table.add_row(span, s.verdict.shape or s.verdict.kind, s.verdict.detail, s.entry)
    console.print(table)
    for before, after in itertools.pairwise(history):
        if before.verdict.kind == "follows" != after.verdict.kind:
            console.print(f"introduced in {after.first} ({after.verdict.shape or after.verdict.kind})")
        elif after.verdict.kind == "follows" != before.verdict.kind:
            console.print(f"right since {after.first}")
        else:
            console.print(f"changed in {after.first}")
