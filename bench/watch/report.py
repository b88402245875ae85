"""The recorder's findings as text."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.diagnose import Diagnosis, diagnose
from reference import Schedule

from .lr_series import LrMismatch, LrSeries
from .steps.step_log import WatchedOptimizer, column


def plural(count: int, noun: str) -> str:
    """A number with its noun.

    >>> plural(1, "step"), plural(2, "group")
    ('1 step', '2 groups')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def usual(counts: Iterable[int]) -> str:
    """How often something happened per update.

    >>> usual([4, 4, 4]), usual([4, 4, 2])
    ('4', 'mostly 4 (2 to 4)')
    """
    times = Counter(counts)
    if len(times) == 1:
        return str(next(iter(times)))
    return f"mostly {times.most_common(1)[0][0]} ({min(times)} to {max(times)})"


def scheduler_rhythm(counts: list[int]) -> str:
    """How often the scheduler was stepped, from its steps before each update except the first.

    >>> scheduler_rhythm([1, 1, 1]), scheduler_rhythm([0, 0, 1, 0, 0, 1])
    ('scheduler stepped once per step', 'scheduler stepped once every 3 steps')
    """
    moved = np.flatnonzero(counts)
    if not moved.size:
        return "no torch scheduler was stepped"
    if moved.size == len(counts):
        times = usual(counts)
        return "scheduler stepped " + ("once per step" if times == "1" else f"{times} times per step")
    gaps = usual(np.diff(moved).tolist()) if moved.size > 1 else str(int(moved[0]) + 1)
    return f"scheduler stepped once every {gaps} steps"


def rhythm(watched: WatchedOptimizer, rows: NDArray[np.float64]) -> str:
    """What the loop did with one optimizer."""
    if not len(rows):
        skipped = f", {plural(watched.skipped, 'step')} skipped by the gradient scaler" if watched.skipped else ""
        return f"{watched.name}: no updates{skipped}"
    once = rows[column(rows, "group") == 0]
    groups = len(set(column(rows, "group").tolist()))
    parts = [f"{watched.name}: {plural(watched.updates, 'step')}, {plural(groups, 'parameter group')}"]
    backwards = usual(column(once, "backwards").astype(int).tolist())
    if backwards not in ("0", "1"):
        parts.append(f"{backwards} backward passes per step")
    if len(once) > 1:
        parts.append(scheduler_rhythm(column(once, "scheduler_steps")[1:].astype(int).tolist()))
    if watched.skipped:
        parts.append(f"{plural(watched.skipped, 'step')} skipped by the gradient scaler")
    return ", ".join(parts)


def notes(watched: WatchedOptimizer, rows: NDArray[np.float64]) -> list[str]:
    """What the loop did that is usually a mistake, and what to do instead."""
    once = rows[column(rows, "group") == 0]
    if not len(once):
        return []
    moved, skipped, backwards = (column(once, name).astype(int) for name in ("scheduler_steps", "skipped", "backwards"))
    result = []
    if moved[0] > skipped[0]:
        times = plural(int(moved[0] - skipped[0]), "time")
        result.append(
            f"scheduler.step() was called {times} before the first optimizer step; call it after optimizer.step()"
        )
    if skipped.any() and (moved >= skipped)[skipped > 0].all():
        result.append(
            "scheduler.step() was called even when the gradient scaler skipped the optimizer step; "
            "call it only after a step that was taken"
        )
    if len(once) > 1 and (moved[1:] == backwards[1:]).all() and (backwards - skipped > 1).any():
        result.append("scheduler.step() was called after every backward pass; call it only after optimizer.step()")
    if watched.schedulers and len(once) > 1 and not moved.any():
        result.append("a scheduler was built but never stepped; call scheduler.step() after optimizer.step()")
    return result


def of_recording(diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis without explanations that only apply to logs: a recording is exact, complete and never late."""
    possible = [e for e in diagnosis.explanations if not e.cause.startswith("log-")]
    if not possible:
        return diagnosis
    tied = sum(not e.cause.startswith("log-") for e in diagnosis.explanations[: diagnosis.tied])
    return dataclasses.replace(diagnosis, explanations=tuple(possible), tied=tied)


def alike(recorded: Sequence[LrSeries]) -> list[list[LrSeries]]:
    """The series, grouped by equal LRs at every step."""
    same: dict[tuple[bytes, bytes], list[LrSeries]] = {}
    for series in recorded:
        same.setdefault((series.steps.tobytes(), series.lrs.tobytes()), []).append(series)
    return list(same.values())


def names(group: Sequence[LrSeries]) -> str:
    """The names of the series; only the first and last of four or more."""
    result = [series.name for series in group]
    return ", ".join(result) if len(result) < 4 else f"{result[0]} … {result[-1]} ({len(result)} alike)"


def fix(diagnosis: Diagnosis) -> list[str]:
    """The line with the fix, if the diagnosis has one."""
    best = diagnosis.best
    return [f"  fix: {best.fix}"] if diagnosis.verdict == "fault" and best is not None and best.fix else []


def failure(group: Sequence[LrSeries], schedule: Schedule, base_lr: float, mismatch: LrMismatch) -> str:
    """Why identical series do not follow a schedule: the first mismatch, the diagnosis and the fix."""
    verb = "does" if len(group) == 1 else "do"
    lines = [
        f"{names(group)} {verb} not follow the schedule at base_lr={base_lr:g} [{schedule.slug}]: {mismatch.sentence()}"
    ]
    if group[0].can_be_traced:
        diagnosis = of_recording(diagnose(group[0].trace(), schedule, base_lr=base_lr))
        lines += [f"  diagnosis: {diagnosis.sentence()}", *fix(diagnosis)]
    return "\n".join(lines)


def finding(group: Sequence[LrSeries], diagnosis: Diagnosis | None) -> str:
    """What the diagnosis says about identical series."""
    if diagnosis is None:
        lrs = group[0].lrs
        return f"{names(group)}: no diagnosis, " + (
            "at least 2 steps are needed" if len(lrs) < 2 else f"lr={lrs[~np.isfinite(lrs)][0]} must be finite"
        )
    return "\n".join([f"{names(group)}: {diagnosis.sentence()}", *fix(diagnosis)])
