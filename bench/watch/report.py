"""The recorder's findings in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.trace import Diagnosis, diagnose
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
    early = int(column(once, "scheduler_steps")[0])
    if early:
        parts.append(f"the scheduler moved {plural(early, 'time')} before the first step")
    if watched.skipped:
        parts.append(f"{plural(watched.skipped, 'step')} left out by the gradient scaler")
    return ", ".join(parts)


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
        diagnosis = diagnose(group[0].trace(), schedule, base_lr=base_lr)
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
