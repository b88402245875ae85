"""Hypotheses of a right run in a misleading log: its rows or its batches are taken for steps, or one row is off."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference import per_process
from reference.check import Rates, Steps

from .evidence import Evidence, Hypothesis

#: A single wrong update stands out from at least this many right ones.
RIGHT_ROWS = 10


def logs(evidence: Evidence) -> Iterator[Hypothesis]:
    """Every misreading of the step column, and one row that is off."""
    yield from _batches(evidence)
    yield from _one_row(evidence)


def rows_taken_for_steps(evidence: Evidence, n: int) -> Hypothesis:
    """The log has a row for every n updates and numbers the rows."""
    expected = evidence.anatomy
    fast = per_process(expected.schedule, n)
    # A log with numbered rows ends with the schedule; a run that is stepped too often continues after it.
    ends = expected.total is not None and n * (int(evidence.t[-1]) + 1) <= expected.total + n
    return Hypothesis(
        "log-rows",
        lambda t: expected.at(t * n),
        {"n": n},
        fast,
        expected.base,
        (0.0 if ends else 0.3) - (0.0 if expected.warmup_steps else 0.4),
    )


def _batches(evidence: Evidence) -> Iterator[Hypothesis]:
    """Each row is an update, numbered by the batches before it: all steps are multiples of k."""
    common, last, total = int(np.gcd.reduce(evidence.whole.steps)), int(evidence.t[-1]), evidence.anatomy.total
    if common < 2:
        return
    for k in (k for k in range(2, min(common, 512) + 1) if common % k == 0):
        # The run is over after `total` updates, so that only batches have numbers from there on.
        beyond = total is not None and last > total
        if total is not None and last // k > total + k:
            continue
        extra = -0.35 if beyond else 0.5

        def at(t: Steps, k: int = k) -> Rates:
            return evidence.anatomy.at(t // k)

        yield Hypothesis("steps-in-batches", at, {"k": k}, extra=extra)


def _one_row(evidence: Evidence) -> Iterator[Hypothesis]:
    """One update differs, and all others are right."""
    whole = evidence.whole
    off = np.abs(whole.lrs - evidence.anatomy.at(whole.steps)) > whole.tolerance
    if int(off.sum()) != 1 or whole.steps.size <= RIGHT_ROWS:
        return
    i = int(np.argmax(off))
    r, value = int(whole.steps[i]), float(whole.lrs[i])
    if i in (0, whole.steps.size - 1):
        return  # what happens at an end of the run has other causes
    expected = evidence.anatomy

    def at(t: Steps) -> Rates:
        return np.where(t == r, value, expected.at(t))

    yield Hypothesis("one-wrong-update", at, {"r": r, "value": value})
