"""`python -m suite upgrade FROM TO`: which compositions change their learning rates between two releases."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from reference import Schedule, SlugError, parse
from suite.across_releases.atlas_page import theme_of
from suite.cases.catalogue import all_cases
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.loader import BadModule, load
from suite.engine.loop import Run, run_case
from suite.engine.subject import Subject
from suite.engine.user_factory import run_mine
from suite.engine.verdict import close, judge
from suite.known.deviations import Known, cause_of
from suite.known.predicates import places
from suite.releases.cache import ReleaseError
from suite.releases.load import subject
from suite.shared.console import finite, plain_console, plain_table

#: Cases of one theme beyond this many are counted, not listed.
LISTED = 5
#: Steps of a run for --composition and --mine unless told otherwise.
STEPS = 64


@dataclasses.dataclass(frozen=True)
class Change:
    """One composition whose run is not the same under both releases."""

    case: Case
    what: str  # lrs | momenta | last_lrs | error | warnings
    step: int | None
    before: list[float]
    after: list[float]
    words: str
    entry_before: Known | None
    entry_after: Known | None

    @property
    def advice(self) -> str:
        """What to write instead: of the entry that explains the later release, else of the earlier one."""
        entry = self.entry_after or self.entry_before
        return entry.workaround if entry else "No known way round: compare both traces and report it."


def _failure(run: Run) -> str:
    if run.absent:
        return f"{run.absent} does not exist"
    if run.error is None:
        return ""
    text = str(run.error).splitlines()
    when = f"at step {len(run.lrs)}" if run.built else "at construction"
    return f"{type(run.error).__name__} {when}" + (f": {text[0][:120]}" if text else "")


def first_difference(before: Run, after: Run, kind: str) -> tuple[str, int | None, str] | None:
    """What differs between two runs, from which step, in words; None where nothing does."""
    for what, name in (("lrs", "LR"), ("momenta", "momentum"), ("last_lrs", "get_last_lr()")):
        shared = min(len(getattr(before, what)), len(getattr(after, what)))
        if not shared:
            continue
        a, b = (np.array(getattr(run, what)[:shared]) for run in (before, after))
        wrong = ~(close(b, a, kind) | (a == b) | (np.isnan(a) & np.isnan(b)))
        if wrong.any():
            step = int(np.argmax(wrong.any(axis=1)))
            group = int(np.argmax(wrong[step]))
            where = f" (group {group})" if a.shape[1] > 1 else ""
            return what, step, f"step {step}: {name} {a[step, group]:.6g} becomes {b[step, group]:.6g}{where}"
    old, new = _failure(before), _failure(after)
    if old.split(":")[0] != new.split(":")[0]:
        return "error", None, f"{old or 'no error'} becomes {new or 'no error'}"
    if bool(before.warned) != bool(after.warned):
        said = (before.warned or after.warned)[0].splitlines()[0][:100]
        return "warnings", None, f"{'no longer warns' if before.warned else 'now warns'}: {said}"
    return None


def change_of(case: Case, old: Subject, new: Subject) -> Change | None:
    """How the case differs between two releases, or None."""
    before, after = (run_case(case.schedule, case.setup, case.steps, s) for s in (old, new))
    kind = case.setup.precision
    found = first_difference(before, after, kind)
    if found is None:
        return None
    what, step, words = found
    entries = []
    for run, side in ((before, old), (after, new)):
        verdict = judge(case, run)
        entries.append(cause_of(case, verdict, side.release) if verdict.kind == "deviates" else None)
    lrs = [[row[0] for row in run.lrs] for run in (before, after)]
    return Change(case, what, step, lrs[0], lrs[1], words, entries[0], entries[1])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `upgrade`."""
    parser.add_argument("before", metavar="FROM", help="a release such as 2.8.0, or the path of an lr_scheduler.py")
    parser.add_argument("after", metavar="TO", help="a release such as 2.15.0, or the path of an lr_scheduler.py")
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--composition", metavar="SLUG", help="only this composition, e.g. seq2_m4.linearlr4.cosineannealinglr8"
    )
    only.add_argument("--mine", metavar="MODULE:FACTORY", help="your own scheduler: a function that takes an optimizer")
    parser.add_argument(
        "--steps", type=int, default=None, metavar="N", help=f"steps for --composition and --mine (default: {STEPS})"
    )
    parser.add_argument("--lr", type=float, default=0.1, help="the optimizer's lr for --mine (default: 0.1)")
    parser.add_argument("--offline", action="store_true", help="only releases in the cache, no network")
    parser.add_argument("--json", action="store_true", help="print every change as JSON")


def _side(text: str, offline: bool) -> Subject:
    return load(Path(text)) if text.endswith(".py") else subject(text, offline)


def run(args: argparse.Namespace) -> int:
    """Compare and print; exit code 0 when nothing changes, 1 when something does, 2 for bad input."""
    try:
        steps = STEPS if args.steps is None else args.steps
        if steps < 1:
            raise ValueError(f"steps={steps} must be >= 1")
        if not (args.lr >= 0 and math.isfinite(args.lr)):
            raise ValueError(f"lr={args.lr} must be finite and >= 0")
        old, new = _side(args.before, args.offline), _side(args.after, args.offline)
        if args.mine:
            return _mine(args, old, new, steps)
        changes = list(_changes(args, old, new, steps))
    except (ReleaseError, BadModule, SlugError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps([_plain(c) for c in changes], indent=1))
    else:
        _print(changes, old, new)
    return 1 if changes else 0


def _changes(args: argparse.Namespace, old: Subject, new: Subject, steps: int) -> Iterator[Change]:
    cases: tuple[Case, ...] = all_cases()
    if args.composition:
        schedule: Schedule = parse(args.composition)
        for name in (type(part).__name__ for part, _ in places(schedule)):
            if old.scheduler_class(name) is None and new.scheduler_class(name) is None:
                rule = "must be one of torch's schedulers or a composition of them"
                raise ValueError(f"composition={args.composition!r} {rule}, but neither release has {name}")
        cases = (Case("given", schedule, Setup(), steps if args.steps else _at_most(schedule, steps)),)
    for case in cases:
        change = change_of(case, old, new)
        if change is not None:
            yield change


def _at_most(schedule: Schedule, steps: int) -> int:
    """Fewer steps where the schedule ends earlier, as OneCycleLR does at its total_steps."""
    for fewer in range(steps, 0, -1):
        with contextlib.suppress(ValueError):
            schedule.trace(fewer)
            return fewer
    return steps


def _plain(change: Change) -> dict[str, Any]:
    return {
        "case": change.case.id,
        "theme": theme_of(change.case),
        "what": change.what,
        "step": change.step,
        "words": change.words,
        "before": finite(change.before),
        "after": finite(change.after),
        "known_before": change.entry_before.id if change.entry_before else None,
        "known_after": change.entry_after.id if change.entry_after else None,
        "advice": change.advice,
    }


def side_by_side(before: list[float], after: list[float], kind: str = "float") -> Table:
    """Both traces at the steps where they part, with one step before and after."""
    size = max(len(before), len(after))
    shared = min(len(before), len(after))
    same = close(np.array(after[:shared]).reshape(-1, 1), np.array(before[:shared]).reshape(-1, 1), kind)[:, 0]
    parted = {t for t in range(size) if t >= shared or not same[t]}
    shown = sorted(t for t in range(size) if {t - 1, t, t + 1} & parted)[:24]
    found = plain_table()
    for name in ("step", "before", "after"):
        found.add_column(name, justify="right")
    for t in shown:
        cells = (f"{side[t]:.6g}" if t < len(side) else "–" for side in (before, after))
        found.add_row(str(t), *cells, style="bold" if t in parted else "")
    return found


def _print(changes: list[Change], old: Subject, new: Subject) -> None:
    console = plain_console()
    if not changes:
        console.print(f"no change: {old.name} and {new.name} give the same learning rates, errors and warnings")
        return
    groups: dict[tuple[str, str, str], list[Change]] = defaultdict(list)
    for change in changes:
        entry = change.entry_after or change.entry_before
        fixed = "" if change.entry_after else "fixed: " if change.entry_before else ""
        groups[
            fixed + (entry.title if entry else "not in the table of known deviations"), change.what, change.advice
        ].append(change)
    console.print(f"{len(changes)} compositions change from {old.name} to {new.name}")
    for (title, what, advice), group in sorted(groups.items(), key=lambda item: -len(item[1])):
        first = min(group, key=lambda c: (len(c.case.id), c.case.id))
        console.print(f"\n{title} ({what}, {len(group)} case{'s' if len(group) > 1 else ''})")
        for change in sorted(group, key=lambda c: (len(c.case.id), c.case.id))[:LISTED]:
            console.print(f"  {change.case.id}: {change.words}")
        if len(group) > LISTED:
            console.print(f"  … and {len(group) - LISTED} more (--json lists all)")
        if what == "lrs":
            console.print(side_by_side(first.before, first.after, first.case.setup.precision))
        console.print(f"  to keep the old LRs, or to get the right ones: {advice}")


def _mine(args: argparse.Namespace, old: Subject, new: Subject, steps: int) -> int:
    before, after = (run_mine(args.mine, side, args.lr, steps) for side in (old, new))
    if not (before.built or after.built) and type(before.error) is type(after.error):
        raise ValueError(f"mine={args.mine!r} must build a scheduler, but raises {_failure(before)}")
    found = first_difference(before, after, "float")
    lrs = [[row[0] for row in run.lrs] for run in (before, after)]
    if args.json:
        rates = {"before": finite(lrs[0]), "after": finite(lrs[1])}
        print(json.dumps({"changed": found is not None, "words": found[2] if found else "", **rates}))
    elif found is None:
        plain_console().print(f"no change in {steps} steps of {args.mine} from {old.name} to {new.name}")
    else:
        plain_console().print(f"{args.mine}: {found[2]}")
        if found[0] == "lrs":
            plain_console().print(side_by_side(lrs[0], lrs[1]))
    return 1 if found else 0
