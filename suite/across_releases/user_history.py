"""How a user's own scheduler differs between releases: for each quantity and parameter group, from which step."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.engine.tolerances import between_releases
from suite.releases.cache import numbers
from suite.releases.load import load_release
from suite.shared.cli import InputError, read_metrics
from suite.shared.console import finite

from .user_run import Request, UserRun, run_user

#: Default steps of a run.
STEPS = 64
#: Changes that are listed; the others are counted.
LISTED = 6


@dataclasses.dataclass(frozen=True)
class UserChange:
    """One thing that is not the same in two runs; an error and a warning have neither step nor group."""

    what: str
    step: int | None
    group: int | None
    words: str

    @property
    def title(self) -> str:
        """What to call the value at this step: the quantity, the group unless it is the first, and the step."""
        return f"{self.what}{f' of group {self.group}' if self.group else ''}, step {self.step}"


@dataclasses.dataclass
class UserStretch:
    """Consecutive releases under which the scheduler does the same, and how that differs from those before."""

    first: str
    last: str
    run: UserRun
    changes: list[UserChange]


def add_factory_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a command that runs the user's factory, beside --factory itself."""
    parser.add_argument("--lr", type=float, default=0.1, help="lr of the optimizer that --factory gets (default: 0.1)")
    parser.add_argument(
        "--metrics", metavar="FILE", help="for --factory: the numbers that ReduceLROnPlateau gets, one per step"
    )
    parser.add_argument("--offline", action="store_true", help="only the releases in the cache, no network")


#: Help of --factory itself.
FACTORY_HELP = "your own scheduler: a function that builds it, from an optimizer or from nothing (see README)"


def request(args: argparse.Namespace) -> Request:
    """What the options ask for; raises InputError for numbers that cannot be used."""
    steps = STEPS if args.steps is None else args.steps
    if steps < 1:
        raise InputError(f"steps={steps} must be >= 1")
    if not (args.lr >= 0 and math.isfinite(args.lr)):
        raise InputError(f"lr={args.lr} must be finite and >= 0")
    metrics = read_metrics(args.metrics) if args.metrics else ()
    if metrics and args.steps is None:
        steps = min(steps, len(metrics))
    if metrics and steps > len(metrics):
        raise InputError(f"steps={steps} must be <= {len(metrics)}, the numbers in metrics={args.metrics!r}")
    return Request(args.factory or "", args.lr, steps, metrics)


def changes_between(before: UserRun, after: UserRun) -> list[UserChange]:
    """All that differs, learning rates first and errors last; warnings do not count."""
    found = []
    for what in dict.fromkeys([*before.rows, *after.rows]):
        groups = max(len(run.columns(what)) for run in (before, after))
        for group in range(groups):
            old, new = (_column(run.group(what, group), min(before.steps, after.steps)) for run in (before, after))
            different = _differs(old, new, precision(before, after))
            if different.any():
                step = int(np.argmax(different))
                values = _apart(old[step], new[step])
                where = f" (group {group})" if groups > 1 else ""
                words = f"step {step}: {what} {' becomes '.join(values)}{where}"
                found.append(UserChange(what, step, group, words))
    if before.error.split(":")[0] != after.error.split(":")[0]:
        words = f"{before.error or 'no error'} becomes {after.error or 'no error'}"
        found.append(UserChange("error", None, None, words))
    return found


def precision(before: UserRun, after: UserRun) -> str:
    """The key of `tolerances.UNIT` for comparing two runs."""
    return "float32" if "float32" in (before.precision, after.precision) else "float"


def _column(values: list[float], steps: int) -> NDArray[np.float64]:
    """One group at the first `steps` steps, NaN where the run has no such value."""
    return np.array([*values[:steps], *[math.nan] * (steps - len(values))])


def _apart(old: float, new: float) -> list[str]:
    """Both values in six digits, or in as many as tell them apart."""
    digits = next((digits for digits in (6, 9, 12) if f"{old:.{digits}g}" != f"{new:.{digits}g}"), 17)
    return ["nothing" if math.isnan(value) else f"{value:.{digits}g}" for value in (old, new)]


def differing(old: list[float], new: list[float], kind: str) -> set[int]:
    """The steps at which one group differs, those that only one run has among them."""
    shared = min(len(old), len(new))
    mask = _differs(np.array(old[:shared]), np.array(new[:shared]), kind)
    return {t for t in range(max(len(old), len(new))) if t >= shared or mask[t]}


def _differs(old: NDArray[np.float64], new: NDArray[np.float64], kind: str) -> NDArray[np.bool_]:
    """Where two runs differ by more than rounding; NaN equals NaN."""
    with np.errstate(invalid="ignore"):  # infinite minus infinite
        sizes = np.maximum(np.abs(old), np.abs(new))
        finite_sizes = sizes[np.isfinite(sizes)]
        allowed = between_releases(old.size, kind) * (sizes + finite_sizes.max(initial=0.0))
        near = np.isfinite(sizes) & (np.abs(old - new) <= allowed)
    return np.asarray(~(near | (old == new) | (np.isnan(old) & np.isnan(new))))


def checked(runs: list[UserRun], spec: str) -> list[UserRun]:
    """The runs; raises InputError where the factory works under none of the releases, and fails in one way."""
    errors = {run.error.split(":")[0]: run.error for run in runs}
    if all(run.steps <= 1 and run.error for run in runs) and len({error.split()[0] for error in errors}) == 1:
        does = "return a scheduler that can be stepped" if runs[-1].built else "build a scheduler"
        raise InputError(f"factory={spec!r} must {does}, but raises {runs[-1].error}")
    return runs


def user_stretches(wanted: Request, groups: list[tuple[str, ...]]) -> list[UserStretch]:
    """The history over all releases, oldest first; `groups` lists the releases of equal code."""
    runs = checked([run_user(wanted, functools.partial(load_release, group[0])) for group in groups], wanted.spec)
    by_release = {release: run for group, run in zip(groups, runs, strict=True) for release in group}
    history: list[UserStretch] = []
    for release in sorted(by_release, key=numbers):
        run = by_release[release]
        changes = changes_between(history[-1].run, run) if history else []
        if history and not changes:
            history[-1].last = release
        else:
            history.append(UserStretch(release, release, run, changes))
    return history


def change_lines(changes: list[UserChange]) -> list[str]:
    """One line for each change, and how many more there are."""
    lines = [change.words for change in changes[:LISTED]]
    more = len(changes) - LISTED
    return [*lines, f"… and {more} more (--json lists all)"] if more > 0 else lines


def plain(changes: list[UserChange]) -> list[dict[str, Any]]:
    """The changes as plain data for JSON."""
    return [dataclasses.asdict(change) for change in changes]


def plain_run(run: UserRun) -> dict[str, Any]:
    """What happened under one release, as plain data for JSON: for each quantity one list per group."""
    values = {what: [finite(column) for column in run.columns(what)] for what in run.rows}
    return {"steps": run.steps, "error": run.error, "values": values}
