"""A scheduler that steps where the optimizer's step was skipped: ahead by a number that only grows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.trace import Trace
from reference.check import Rates, Steps

from .anatomy import Anatomy
from .evidence import Evidence, Hypothesis

#: A gradient scaler halves its scale several times at the start, later once in a while. At most: steps ahead at the
#: first update, steps in one later leap, and leaps in all.
FIRST_LEAP, LEAP, LEAPS = 40, 12, 60
#: Of all updates a scaler skips at most this share, and at its start mostly no more than this number in a row.
MOST_SKIPPED, FIRST_SKIPS = 0.1, 8
#: What is saved where all skips come before the first update: one number explains them.
AT_START = -1.8
#: Steps that are compared at a time.
WINDOW = 4096


def skips(evidence: Evidence) -> Iterator[Hypothesis]:
    """The leaps, found one after the other, with their sizes; and the waits."""
    yield from _waits(evidence)
    leaps_found = _leaps(evidence.whole, evidence.anatomy)
    if leaps_found is None:
        return
    places, totals = leaps_found
    if not totals[-1] or totals[-1] > FIRST_LEAP + MOST_SKIPPED * int(evidence.t[-1]):
        return
    if len(places) < 2 and not 2 <= totals[0] <= FIRST_SKIPS:
        return  # one leap at the start is a schedule that runs ahead

    def at(t: Steps) -> Rates:
        ahead = np.array([0, *totals], np.int64)[np.searchsorted(np.array(places), t, "right")]
        return evidence.anatomy.at(t + ahead)

    leaps = len(places) - (totals[0] == 0)
    # All at the start: then it is a schedule that runs ahead by one number.
    extra = 0.01 * leaps if len(places) > 1 else AT_START
    yield Hypothesis("scaler-skips", at, {"k": totals[-1], "leaps": leaps, "r": places[-1]}, extra=extra)


def _waits(evidence: Evidence) -> Iterator[Hypothesis]:
    """The schedule falls behind by a step at each iteration without an update: as little as the rows allow.

    The fewest steps behind at one row are never more than the true ones, so that the search cannot lose its way.
    """
    trace, anatomy = evidence.whole, evidence.anatomy
    steps, lrs, tol = trace.steps, trace.lrs, trace.tolerance
    places, totals, behind, i = [0], [0], 0, 0
    while i < steps.size:
        window = slice(i, i + WINDOW)
        bad = np.abs(anatomy.at(steps[window] - behind) - lrs[window]) > tol[window]
        if not bad.any():
            i += WINDOW
            continue
        i += int(np.argmax(bad))
        gap = int(steps[i] - steps[i - 1]) if i else int(steps[0])
        tried = behind + np.arange(1, min(gap, FIRST_LEAP) + FIRST_LEAP)
        tried = tried[tried <= steps[i]]
        fits: NDArray[np.bool_] = np.abs(anatomy.at(steps[i] - tried) - lrs[i]) <= tol[i]
        if not fits.any() or len(places) > LEAPS:
            return
        behind = int(tried[np.argmax(fits)])
        places.append(int(steps[i]))
        totals.append(behind)
    if not 2 <= behind <= FIRST_LEAP + MOST_SKIPPED * int(steps[-1]):
        return

    def at(t: Steps) -> Rates:
        return anatomy.at(t - np.array([0, *totals], np.int64)[np.searchsorted(np.array(places), t, "right")])

    waits = len(places) - 1
    extra = 0.01 * waits if places[-1] > behind else AT_START + 0.3
    yield Hypothesis("waits-at-skips", at, {"k": behind, "r": places[-1]}, extra=extra)


def _leaps(trace: Trace, anatomy: Anatomy) -> tuple[list[int], list[int]] | None:
    """The steps of the leaps and the steps ahead from each on; None where no such clock reproduces the trace."""
    steps, lrs, tol = trace.steps, trace.lrs, trace.tolerance
    places, totals, ahead, i = [int(steps[0])], [0], 0, 0
    while i < steps.size:
        window = slice(i, i + WINDOW)
        bad = np.abs(anatomy.at(steps[window] + ahead) - lrs[window]) > tol[window]
        if not bad.any():
            i += WINDOW
            continue
        i += int(np.argmax(bad))
        most = FIRST_LEAP if i == 0 else LEAP * max(1, min(trace.stride, 4))
        tried = ahead + np.arange(1, most + 1)
        fits: NDArray[np.bool_] = np.abs(anatomy.at(steps[i] + tried) - lrs[i]) <= tol[i]
        if not fits.any() or len(places) > LEAPS:
            return None
        ahead = int(tried[np.argmax(fits)])
        if int(steps[i]) == places[-1]:
            totals[-1] = ahead
        else:
            places.append(int(steps[i]))
            totals.append(ahead)
    return places, totals
