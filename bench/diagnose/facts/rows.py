"""Single rows that do not belong: wrong updates among right ones, two traces in one column, noise, jumps, stairs."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from reference.check import Rates, Steps

#: A jump changes the LR by this share of the larger side, and of the peak, at least: three logged digits move it less.
JUMP, JUMP_OF_PEAK = 0.011, 0.003
#: A jump is steeper than the rows around it by this factor.
STEEPER = 5.0
#: A wrong update is off by this share of the peak at least.
WRONG = 0.004
#: Wrong updates in a row, and in all, up to which they are exceptions.
IN_A_ROW, EXCEPTIONS = 3, 8
#: Traces that may share a column.
SHARED = (2, 3, 4)
#: Rows that a pattern needs.
FEWEST = 12

#: Stairs up to which their widths are of no interest.
FEW_STAIRS = 12

Floats = NDArray[np.float64]


def wrong_updates(t: Steps, y: Rates, tol: Floats) -> list[int]:
    """The rows that are off a line through the right ones on both sides; none where there are many."""
    n = y.size
    peak = float(np.abs(y).max())
    if n < FEWEST or peak == 0:
        return []
    change = np.abs(np.diff(y))
    rate = change / np.diff(t)
    big = change > np.maximum(8 * tol[1:], WRONG * peak)
    steep = set(np.flatnonzero(big).tolist())
    starts = np.flatnonzero(big[2:] & (rate[2:] > 4 * np.maximum(rate[1:-1], rate[:-2]))) + 2
    wrong: list[int] = []
    if starts.size <= 10 * EXCEPTIONS + n // 50:
        for first in (starts + 1).tolist():
            if wrong and first <= wrong[-1] + 1:
                continue
            for last in range(first, min(first + IN_A_ROW, n - 3)):
                if last in steep and _off(t, y, tol, first, last, peak):
                    wrong += range(first, last + 1)
                    break
    if n > 4 and _first_is_wrong(t, y, peak):
        wrong = [0, *wrong]
    return wrong if len(wrong) <= max(EXCEPTIONS, n // 200) else []


def _off(t: Steps, y: Rates, tol: Floats, first: int, last: int, peak: float) -> bool:
    """Whether the rows from first to last are off the line between their neighbours, which are in line themselves."""
    a, b = first - 1, last + 1
    inside = slice(first, last + 1)
    line = y[a] + (y[b] - y[a]) * (t[inside] - t[a]) / (t[b] - t[a])
    off = float(np.min(np.abs(y[inside] - line)))
    slopes = np.array([(y[j] - y[j - 1]) / (t[j] - t[j - 1]) for j in (a - 1, a, b + 1, b + 2) if 1 <= j < y.size])
    usual = float(np.max(np.abs(slopes)))
    gap = abs(float(y[b] - y[a])) / float(t[b] - t[a])
    return off > max(WRONG * peak, 8 * float(tol[inside].max()), 5 * usual * float(t[b] - t[a])) and (
        gap <= 2 * usual + float(tol[a] + tol[b])
    )


def _first_is_wrong(t: Steps, y: Rates, peak: float) -> bool:
    """Whether the first row is far above the next ones, which move little."""
    down = float(y[0] - y[1])
    later = float(np.max(np.abs(np.diff(y[1:5]))))
    return down > 0.1 * peak and down > 8 * later and float(y[1:].max()) > 1.5 * float(y[1])


def interleaved(y: Rates, tol: Floats) -> int | None:
    """How many traces alternate in the rows; None where one trace is smooth by itself."""
    if y.size < FEWEST:
        return None
    peak = float(np.abs(y).max())
    whole = np.abs(np.diff(y))
    if float(np.median(whole)) <= max(4 * float(np.median(tol)), 1e-6 * peak):
        return None
    for count in SHARED:
        parts = [y[k::count] for k in range(count)]
        within = sum(float(np.abs(np.diff(part)).sum()) for part in parts)
        apart = np.abs(np.diff(np.array([float(np.median(part)) for part in parts]))).max()
        if float(whole.sum()) > 5 * within and apart > 0.01 * peak:
            return count
    return None


def noise(y: Rates, tol: Floats) -> float | None:
    """The typical change from row to row relative to the peak, where most changes reverse the one before."""
    change = np.diff(y)
    peak = float(np.abs(y).max())
    if change.size < FEWEST or peak == 0:
        return None
    moves = np.abs(change) > np.maximum(4 * tol[1:], 1e-3 * peak)
    turns = moves[1:] & moves[:-1] & (change[1:] * change[:-1] < 0)
    if float(np.mean(turns)) < 0.3:
        return None
    return float(np.median(np.abs(change))) / peak


def jumps(t: Steps, y: Rates, tol: Floats) -> Steps:
    """The rows right after a jump: a change that is steeper than those on both sides of it."""
    if y.size < 4:
        return np.zeros(0, np.int64)
    change, gaps = np.diff(y), np.diff(t)
    peak = float(np.abs(y).max())
    rate = change / gaps
    padded = np.concatenate([[0.0, 0.0], rate, [0.0, 0.0]])
    left, right = padded[:-4], padded[1:-3]
    # At a peak the slope turns; then a jump is one against the rows that follow.
    turned = (right * rate < 0) & (left * rate < 0)
    before = np.where(turned, 0.0, np.maximum(np.abs(left), np.abs(right)))
    around = np.maximum(before, np.maximum(np.abs(padded[3:-1]), np.abs(padded[4:])))
    larger, size = np.maximum(np.abs(y[1:]), np.abs(y[:-1])), np.abs(change)
    high = size > np.maximum(np.maximum(8 * tol[1:], JUMP * larger), JUMP_OF_PEAK * peak)
    at = np.flatnonzero(high & (size > STEEPER * around * gaps))
    first_rise = (at < 2) & (y[at + 1] > y[at])  # a warmup of a row or two
    return np.asarray(at[~first_rise] + 1)


@dataclasses.dataclass(frozen=True)
class Stairs:
    """A trace that keeps each value for some steps: the first rows of its stairs, and the usual width in steps."""

    starts: Steps
    width: int
    regular: bool


def stairs(t: Steps, y: Rates, tol: Floats) -> Stairs | None:
    """The stairs of a trace; None where it moves at nearly every row, or by the rounding of the log alone."""
    changed = np.flatnonzero(np.diff(y) != 0) + 1
    if changed.size < 2 or changed.size > 0.55 * y.size:
        return None
    size = np.abs(y[changed] - y[changed - 1])
    if float(np.median(size / (2 * tol[changed]))) < 3:
        return None
    starts = np.concatenate([[0], changed])
    widths = np.diff(t[starts])
    if widths.size < 2:
        return None
    values, counts = np.unique(widths, return_counts=True)
    width = int(values[np.argmax(counts)])
    stride = float(np.median(np.diff(t)))
    regular = float(np.mean(np.abs(widths - width) <= max(stride, 0.02 * width))) > 0.6
    inside = width > 1.5 * stride
    few = changed.size <= FEW_STAIRS
    return Stairs(starts, width, regular and inside) if few or float(np.median(widths)) > 1.5 * stride else None
