"""The recorder's findings in words."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.diagnose import Diagnosis, diagnose
from reference import Schedule

from .log import Watched, column
from .series import Difference, Series


def plural(count: int, noun: str) -> str:
    """A number with its noun.

    >>> plural(1, "step"), plural(2, "group")
    ('1 step', '2 groups')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def usual(counts: Iterable[int]) -> str:
    """How often something happened for each update.

    >>> usual([4, 4, 4]), usual([4, 4, 2])
    ('4', 'mostly 4, from 2 to 4')
    """
    found = Counter(counts)
    if len(found) == 1:
        return str(next(iter(found)))
    return f"mostly {found.most_common(1)[0][0]}, from {min(found)} to {max(found)}"


def scheduler_rhythm(counts: list[int]) -> str:
    """When the scheduler moved, from its steps before each update but the first.

    >>> scheduler_rhythm([1, 1, 1]), scheduler_rhythm([0, 0, 1, 0, 0, 1])
    ('the scheduler moved once a step', 'the scheduler moved once in 3 steps')
    """
    moved = np.flatnonzero(counts)
    if not moved.size:
        return "no torch scheduler moved"
    if moved.size == len(counts):
        times = usual(counts)
        return "the scheduler moved " + ("once a step" if times == "1" else f"{times} times a step")
    gaps = usual(np.diff(moved).tolist()) if moved.size > 1 else str(int(moved[0]) + 1)
    return f"the scheduler moved once in {gaps} steps"


def rhythm(watched: Watched, rows: NDArray[np.float64]) -> str:
    """What the loop did with one optimizer."""
    if not len(rows):
        return f"{watched.name}: no step updated anything, {plural(watched.skipped, 'step')} left out by the scaler"
    once = rows[column(rows, "group") == 0]
    groups = len(set(column(rows, "group").tolist()))
    parts = [f"{watched.name}: {plural(watched.updates, 'step')}, {plural(groups, 'parameter group')}"]
    backwards = usual(column(once, "backwards").astype(int).tolist())
    if backwards != "1":
        parts.append(f"{backwards} backward passes a step")
    if len(once) > 1:
        parts.append(scheduler_rhythm(column(once, "scheduler_steps")[1:].astype(int).tolist()))
    if watched.skipped:
        parts.append(f"{plural(watched.skipped, 'step')} left out by the gradient scaler")
    return ", ".join(parts)


def notes(watched: Watched, rows: NDArray[np.float64]) -> list[str]:
    """What the recorder saw the loop do that is seldom meant, and what to do instead."""
    once = rows[column(rows, "group") == 0]
    if not len(once):
        return []
    moved, skipped, backwards = (column(once, name).astype(int) for name in ("scheduler_steps", "skipped", "backwards"))
    found = []
    if moved[0] > skipped[0]:
        times = plural(int(moved[0] - skipped[0]), "time")
        found.append(f"the scheduler moved {times} before the first step; call it after optimizer.step()")
    if skipped.any() and (moved >= skipped)[skipped > 0].all():
        found.append("the scheduler moved where the gradient scaler left a step out; move it only after a real step")
    if len(once) > 1 and (moved[1:] == backwards[1:]).all() and (backwards - skipped > 1).any():
        found.append("the scheduler moved at every backward pass; move it only after optimizer.step()")
    if watched.has_scheduler and len(once) > 1 and not moved.any():
        found.append("a scheduler was built and never moved; call scheduler.step() after optimizer.step()")
    return found


def of_recording(diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis without what only a log can do: a recording is exact, whole, and read before the update."""
    possible = [e for e in diagnosis.explanations if not e.cause.startswith("log-")]
    if not possible:
        return diagnosis
    tied = sum(not e.cause.startswith("log-") for e in diagnosis.explanations[: diagnosis.tied])
    return dataclasses.replace(diagnosis, explanations=tuple(possible), tied=tied)


def alike(found: Sequence[Series]) -> list[list[Series]]:
    """The series, those with the same LR at every step together."""
    same: dict[tuple[bytes, bytes], list[Series]] = {}
    for series in found:
        same.setdefault((series.steps.tobytes(), series.lrs.tobytes()), []).append(series)
    return list(same.values())


def names(group: Sequence[Series]) -> str:
    """The names of some series, the first and the last of many."""
    found = [series.name for series in group]
    return ", ".join(found) if len(found) < 4 else f"{found[0]} … {found[-1]} ({len(found)} alike)"


def fix(diagnosis: Diagnosis) -> list[str]:
    """The line to change, if the diagnosis knows one."""
    best = diagnosis.best
    return [f"  fix: {best.fix}"] if diagnosis.verdict == "fault" and best is not None and best.fix else []


def failure(group: Sequence[Series], schedule: Schedule, base_lr: float, wrong: Difference) -> str:
    """Why some series, all alike, do not follow a schedule: the difference, the diagnosis and the fix."""
    lines = [f"{names(group)} does not follow {schedule.slug} at base_lr={base_lr:g}: {wrong.sentence()}"]
    if group[0].can_be_traced:
        diagnosis = of_recording(diagnose(group[0].trace(), schedule, base_lr=base_lr))
        lines += [f"  diagnosis: {diagnosis.sentence()}", *fix(diagnosis)]
    return "\n".join(lines)


def finding(group: Sequence[Series], diagnosis: Diagnosis | None) -> str:
    """What the diagnosis says of some series, all alike."""
    if diagnosis is None:
        lrs = group[0].lrs
        return f"{names(group)}: no diagnosis, " + (
            "a trace needs 2 steps" if len(lrs) < 2 else f"lr={lrs[~np.isfinite(lrs)][0]} must be finite"
        )
    return "\n".join([f"{names(group)}: {diagnosis.sentence()}", *fix(diagnosis)])
