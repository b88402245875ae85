"""The schedule that a trace is compared with, and where the two first differ."""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from bench.diagnose.core.diagnosis import FITS, Diagnosis
from reference import Schedule
from reference.check import Rates, Steps


class ComparisonRow(NamedTuple):
    """One logged step: the expected LR, the logged one, and whether they differ."""

    step: int
    expected: float
    logged: float
    differs: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """The LRs that a trace is compared with.

    `label`: expected (by the user), identified (by the diagnosis) or intended (identified, without the fault);
    `schedule`, `base_lr`; `lrs`: one for each logged step, NaN where the schedule has
    ended; `differs`: where the log is off by more than its rounding; `first`: the index of the first such step, None
    where there is none; `mark`: the index to look at: `first`, or the first wrong step of a fault that the schedule
    itself has.
    """

    label: str
    schedule: Schedule
    base_lr: float
    lrs: Rates
    differs: np.ndarray[tuple[int], np.dtype[np.bool_]]
    first: int | None
    mark: int | None


@functools.lru_cache(maxsize=4)  # the texts, the table and the pictures of one diagnosis all ask
def compare(diagnosis: Diagnosis) -> Comparison | None:
    """The expected LRs of a diagnosis, else those of the identified schedule; None where there is neither.

    For a fault the identified schedule is the intended one if it differs from the log, else the faulty one.
    """
    best, trace = diagnosis.best, diagnosis.trace
    if diagnosis.expected is not None:
        label, schedule, base = "expected", diagnosis.expected, diagnosis.base_lr
    elif best is not None and best.schedule is not None and diagnosis.verdict != "unknown":
        label, schedule, base = "identified", best.schedule, float(best.parameters.get("base_lr", 1.0))
    else:
        return None
    base = 1.0 if base is None else base
    lrs = values_until_end(schedule, trace.steps, base)
    differs = ~(np.abs(trace.lrs - lrs) <= FITS * trace.tolerance)
    first = int(np.argmax(differs)) if differs.any() else None
    mark = first
    if diagnosis.verdict == "fault" and best is not None:
        label = "intended" if label == "identified" and first is not None else label
        if mark is None and best.first_step is not None:
            mark = min(int(np.searchsorted(trace.steps, best.first_step)), trace.steps.size - 1)
    return Comparison(label, schedule, base, lrs, differs, first, mark)


def values_until_end(schedule: Schedule, steps: Steps, base_lr: float) -> Rates:
    """The LRs of a schedule at rising steps; NaN from the first step it rejects, as a OneCycleLR does at its end.

    >>> from reference import OneCycleLR
    >>> values_until_end(OneCycleLR(max_lr=1.0, total_steps=4), np.arange(6), 1.0).round(2).tolist()
    [0.04, 0.81, 0.28, 0.0, nan, nan]
    """
    lrs = np.full(steps.shape, np.nan)
    low, high = 0, steps.size  # the first `low` steps are accepted, those from `high` on are not
    count = high
    while low < high:
        try:
            lrs[:count] = schedule(steps[:count], base_lr)
            low = count
        except ValueError:
            high = count - 1
        count = (low + high + 1) // 2
    return lrs


def rows_around(diagnosis: Diagnosis, before: int = 2, after: int = 4) -> list[ComparisonRow]:
    """The logged steps around the one to look at, or the first ones where there is none."""
    comparison, trace = compare(diagnosis), diagnosis.trace
    if comparison is None:
        return []
    middle = 0 if comparison.mark is None else comparison.mark
    chosen = range(max(middle - before, 0), min(middle + after, trace.steps.size))
    return [
        ComparisonRow(int(trace.steps[i]), float(comparison.lrs[i]), float(trace.lrs[i]), bool(comparison.differs[i]))
        for i in chosen
    ]
