"""From the run of a library's schedule to a verdict: each channel on its own."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import numpy as np

from reference.check import Rates
from suite.engine import tolerances
from suite.engine.verdict import Verdict, shape_of

from .core.case import WARMUP, LibraryCase
from .sandbox.child import LibraryRun

#: What is judged, in the order of importance.
LIBRARY_CHANNELS = {
    "lr": "the learning rate of each update before total_steps",
    "bounds": "never negative, never above the peak that was asked for, always a number",
    "error": "no exception, and a clear one at construction where the arguments contradict each other",
    "after-end": "the learning rate of each update from total_steps on",
    "import": "the library's file can be loaded",
}
#: Exceptions that say what is wrong with an argument.
CLEAR = ("ValueError", "TypeError", "AssertionError", "NotImplementedError", "MisconfigurationException")
#: What Python says about a call that another release's function does not take, and about a name it does not know.
ANOTHER_CALL = re.compile(r"unexpected keyword argument|positional arguments? but|^'?\w+'? is not a valid \w+\b")


def judge_library(case: LibraryCase, run: LibraryRun) -> Verdict:
    """The verdict on the run of one case, the most important deviation first."""
    if run.stage == "absent":
        return Verdict("absent", detail=f"{case.schedule.name} does not exist in this release: {run.message}")
    if run.stage == "construction" and run.error in ("TypeError", "ValueError") and ANOTHER_CALL.search(run.message):
        return Verdict("absent", detail=f"{case.schedule.name} takes other arguments in this release: {run.message}")
    if run.stage == "import":
        detail = f"{run.error} while the file was loaded: {run.message}"
        return Verdict("deviates", "error", detail=detail, channel="import")
    if run.stage == "construction" and run.error in CLEAR and (case.rule == "between" or _due(case)[0] is None):
        return Verdict("follows", detail=f"refused: {run.message}")
    found = sorted(_deviations(case, run), key=lambda verdict: list(LIBRARY_CHANNELS).index(verdict.channel))
    return dataclasses.replace(found[0], others=tuple(found[1:])) if found else Verdict("follows")


def _deviations(case: LibraryCase, run: LibraryRun) -> Iterator[Verdict]:
    total, actual = int(case.arguments.total_steps), _table(run, len(case.lrs))
    rows = len(actual)
    if rows:
        low, high = _due(case)
        if low is not None and high is not None:
            yield from _in_rows(case, actual[:total], low[:total], high[:total], 0, "lr")
            if case.rule == "follows" and case.arguments.warmup_steps < total:
                yield from _in_rows(case, actual[total:], low[total:rows], high[total:rows], total, "after-end")
        yield from _bounds(case, actual, high)
    if run.stage != "done":
        yield from _error(run, rows, total)


def _table(run: LibraryRun, groups: int) -> Rates:
    return np.array(run.lrs, dtype=float) if run.lrs else np.empty((0, groups))


def _due(case: LibraryCase) -> tuple[Rates, Rates] | tuple[None, None]:
    """The least and the greatest LR that is right at each update; None where only bounds are known.

    A reference that excludes the arguments leaves the bounds.
    """
    if case.rule == "within":
        return None, None
    if case.rule == "between":
        both = np.array([case.due(warmup_steps=length) for length in (WARMUP, WARMUP + 1)])
        return both.min(axis=0), both.max(axis=0)
    try:
        due = case.due()
    except ValueError:
        return None, None
    return due, due


def tolerance(case: LibraryCase) -> float:
    """Allowed error as a share of the rate and once more of the peak: the rounding of two ways to write a formula."""
    return tolerances.between_releases(case.steps, case.precision)


def _in_rows(case: LibraryCase, actual: Rates, low: Rates, high: Rates, offset: int, channel: str) -> Iterator[Verdict]:
    """The deviation from `low` and `high` in the rows from `offset` on, if there is one."""
    low, high = low[: len(actual)], high[: len(actual)]
    allowed = tolerance(case) * (np.abs(high) + np.array(case.lrs) * case.schedule.peak)
    with np.errstate(invalid="ignore"):
        wrong = ~((actual >= low - allowed) & (actual <= high + allowed))
    if not wrong.any():
        return
    first = here = int(np.argmax(wrong.any(axis=1)))
    group = int(np.argmax(wrong[first]))
    shape, words = shape_of(actual[:, group], high[:, group], here, case.precision)
    distance = np.maximum(low - actual, actual - high)
    size = float(np.nan_to_num(distance[wrong] / _peaks(case, wrong), nan=np.inf).max())
    due = f"{high[here, group]:.6g}" if case.rule == "follows" else f"{low[here, group]:.6g} to {high[here, group]:.6g}"
    detail = f"step {here + offset}: LR {actual[here, group]:.6g}, expected {due}; {words}"
    detail += f" (group {group})" if len(case.lrs) > 1 else ""
    traces = tuple(high[:, group].tolist()), tuple(actual[:, group].tolist())
    yield Verdict("deviates", shape, first + offset, size, detail, *traces, channel)


def _peaks(case: LibraryCase, wrong: np.ndarray) -> Rates:
    """The highest LR of the group of each wrong entry."""
    return np.asarray(np.broadcast_to(np.array(case.lrs) * case.schedule.peak, wrong.shape)[wrong])


def _bounds(case: LibraryCase, actual: Rates, due: Rates | None) -> Iterator[Verdict]:
    top = np.array(case.lrs) * case.schedule.peak
    if due is not None:
        top = np.maximum(top, due.max(axis=0))
    slack = tolerance(case) * top
    checks = (
        ("non-finite", ~np.isfinite(actual), "is not a number"),
        ("negative", actual < -slack, "is negative: the update climbs the gradient"),
        ("above", actual > top + slack, "is above the highest LR that was asked for"),
    )
    for shape, wrong, words in checks:
        if wrong.any():
            step, group = (int(index[0]) for index in np.nonzero(wrong))
            lr = actual[step, group]
            excess = np.maximum(-actual, actual - top)[wrong] / np.broadcast_to(top, actual.shape)[wrong]
            size = float(np.nan_to_num(excess, nan=np.inf).max())
            yield Verdict("deviates", shape, step, size, f"step {step}: LR {lr:.6g} {words}", channel="bounds")


def _error(run: LibraryRun, rows: int, total: int) -> Iterator[Verdict]:
    text = f"{run.error}: {run.message}" if run.message else run.error
    if run.stage == "construction":
        yield Verdict("deviates", "error", detail=f"{text} (at construction)", channel="error")
    elif rows <= total:
        yield Verdict("deviates", "error", rows, detail=f"{text} (before update {rows})", channel="error")
    elif run.error not in CLEAR:
        detail = f"{text} (before update {rows}, after the end)"
        yield Verdict("deviates", "error", rows, detail=detail, channel="after-end")
