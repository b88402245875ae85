"""The recorder's findings as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.diagnose import Diagnosis, diagnose
from bench.diagnose.counted.clock import continues
from bench.diagnose.counted.faults import counted_faults
from bench.diagnose.examine import same
from reference import Schedule
from suite.shared.words import counted

from .lr_series import LrMismatch, LrSeries
from .plans.verdict import notes_of
from .steps.step_log import WatchedOptimizer, column

#: The fix of every mistake in when scheduler.step() is called, for a loop that has no scheduler.
BY_HAND = "no torch scheduler was stepped: compute the LR from the number of updates made so far, 0 for the first"


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
        skipped = f", {counted(watched.skipped, 'step')} skipped by the gradient scaler" if watched.skipped else ""
        return f"{watched.name}: no updates{skipped}"
    once = rows[column(rows, "group") == 0]
    groups = len(set(column(rows, "group").tolist()))
    parts = [f"{watched.name}: {counted(watched.updates, 'step')}, {counted(groups, 'parameter group')}"]
    backwards = usual(column(once, "backwards").astype(int).tolist())
    if backwards not in ("0", "1"):
        parts.append(f"{backwards} backward passes per step")
    if len(once) > 1:
        parts.append(scheduler_rhythm(column(once, "scheduler_steps")[1:].astype(int).tolist()))
    if watched.skipped:
        parts.append(f"{counted(watched.skipped, 'step')} skipped by the gradient scaler")
    return ", ".join(parts)


def notes(group_series: Sequence[LrSeries]) -> list[str]:
    """The mistakes that were counted for the groups of one optimizer, each once; the diagnosis names the same."""
    found = [
        fault.sentence
        for series in group_series
        if series.counts is not None
        for fault in counted_faults(series.counts, series.steps, series.lrs)
    ]
    return list(dict.fromkeys(found))


def alike(recorded: Sequence[LrSeries]) -> list[list[LrSeries]]:
    """The series, grouped by equal LRs at every step, of optimizers that were treated alike."""
    result: list[list[LrSeries]] = []
    for series in recorded:
        for group in result:
            if same(series, group[0]):
                group.append(series)
                break
        else:
            result.append([series])
    return result


def together(recorded: Sequence[LrSeries]) -> list[list[LrSeries]]:
    """The series that get one verdict: those of an optimizer that follows its plan, and those that are alike."""
    planned: dict[str, list[LrSeries]] = {}
    for series in recorded:
        if series.plan is not None and series.plan.explains:
            planned.setdefault(series.optimizer, []).append(series)
    rest = [series for series in recorded if series.optimizer not in planned]
    groups = [*planned.values(), *alike(rest)]
    return sorted(groups, key=lambda group: recorded.index(group[0]))


def continued(recorded: Sequence[LrSeries]) -> list[LrSeries]:
    """The series, each continuation appended to the run that it resumes: see `counted.clock.joined`."""
    result: list[LrSeries] = []
    for series in recorded:
        at = next((i for i, other in enumerate(result) if continues(other.counts, series.counts)), None)
        if at is None:
            result.append(series)
        else:
            result[at] = result[at].then(series)
    return result


def names(group: Sequence[LrSeries]) -> str:
    """The names of the series; only the first and last of four or more."""
    result = [series.name for series in group]
    return ", ".join(result) if len(result) < 4 else f"{result[0]} … {result[-1]} ({len(result)} alike)"


def by_hand(diagnosis: Diagnosis) -> bool:
    """Whether the loop was seen to set the LR without any of torch's schedulers."""
    counts = diagnosis.trace.counts
    return counts is not None and not counts.schedulers and not counts.moves.any()


def fix(diagnosis: Diagnosis) -> list[str]:
    """The line with the fix, or with where to look, if the diagnosis has one."""
    best = diagnosis.best
    if diagnosis.verdict == "fault" and best is not None and best.fix:
        return [f"  fix: {BY_HAND if 'scheduler.step()' in best.fix and by_hand(diagnosis) else best.fix}"]
    return [f"  look at {diagnosis.look}"] if diagnosis.look else []


def failure(group: Sequence[LrSeries], schedule: Schedule, base_lr: float, mismatch: LrMismatch) -> str:
    """Why identical series do not follow a schedule: the first mismatch, the diagnosis and the fix."""
    verb = "does" if len(group) == 1 else "do"
    lines = [
        f"{names(group)} {verb} not follow the schedule at base_lr={base_lr:g} [{schedule.slug}]: {mismatch.sentence()}"
    ]
    if group[0].can_be_traced:
        diagnosis = diagnose(group[0].trace(), schedule, base_lr=base_lr)
        lines += [f"  diagnosis: {diagnosis.sentence()}", *fix(diagnosis)]
    return "\n".join(lines)


def finding(group: Sequence[LrSeries], diagnosis: Diagnosis | None, *, ended: bool = True) -> str:
    """What the diagnosis says about series that get one verdict, and what else a reader should know.

    `ended`: whether the run ended by itself.
    """
    if diagnosis is None:
        lrs = group[0].lrs
        return f"{names(group)}: no diagnosis, " + (
            "at least 2 steps are needed" if len(lrs) < 2 else f"lr={lrs[~np.isfinite(lrs)][0]} must be finite"
        )
    plan_notes = [f"  {note}" for note in notes_of(group[0].plan, diagnosis, ended=ended)]
    return "\n".join(
        [f"{names(group)}: {diagnosis.sentence()}", *fix(diagnosis), *plan_notes, *_unmoved(group[0], diagnosis)]
    )


def _unmoved(series: LrSeries, diagnosis: Diagnosis) -> list[str]:
    """That no scheduler moves an optimizer, which may be on purpose."""
    counts = series.counts
    if (
        diagnosis.verdict == "fault"
        or counts is None
        or counts.schedulers
        or not counts.beside
        or np.ptp(series.lrs) > 0
    ):
        return []
    return [f"  No scheduler moves it, while {counts.beside} beside it follows a schedule."]
