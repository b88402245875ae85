"""Elementary curves, computed so that they keep full relative accuracy near zero."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from .check import Rates, Steps

#: Steps evaluated at a time: a float64 array of this size (128 KiB) fits twice in a small L2 cache.
BLOCK = 16_384


@functools.lru_cache(maxsize=16)
def _angle_table(angle: float) -> tuple[Rates, Rates]:
    """sin(j·angle) and cos(j·angle) for every j of a block."""
    angles = np.arange(BLOCK) * angle
    return np.sin(angles), np.cos(angles)


def _sine_squared(k: Steps, angle: float, offset: float = 0.0) -> Rates:
    """sin²((k + offset)·angle) for integers k, where (k + offset)·angle is in [0, π/4].

    For consecutive steps, the usual case, the angle addition formula replaces one sine per step:
    sin(a + b) = sin a·cos b + cos a·sin b. Both terms are >= 0, so there is no cancellation.
    """
    first, last, size = (int(k[0]), int(k[-1]), k.size) if k.size else (0, 0, 0)
    # The table pays off from about a sixteenth of a block.
    if BLOCK >= size > BLOCK // 16 and abs(last - first) == size - 1:
        direction = 1 if last > first else -1
        if (np.diff(k) == direction).all():
            start = (min(first, last) + offset) * angle
            sines, cosines = _angle_table(angle)
            waves = math.sin(start) * cosines[:size]
            waves += math.cos(start) * sines[:size]
            waves *= waves
            return waves[::direction]
    return np.asarray(np.sin((k + offset) * angle) ** 2)


def half_cosine(k: Steps, n: int) -> Rates:
    """½(1 + cos(πk/n)) for integers k >= 0 and n >= 1.

    Integer arithmetic first reduces the angle to at most π/4, where sin² and 1 − sin² are accurate;
    near x = π, 1 + cos(x) would lose its digits to cancellation.
    """
    angle = math.pi / (2 * n)
    low, high = (int(k.min()), int(k.max())) if k.size else (0, 0)
    if high > n:
        k = k % (2 * n)
        k = np.minimum(k, 2 * n - k)
        low, high = int(k.min()), int(k.max())
    if 2 * high <= n:
        return np.asarray(1.0 - _sine_squared(k, angle))
    if 2 * low > n:
        return _sine_squared(n - k, angle)
    near_one = 2 * k <= n
    wave = _sine_squared(np.where(near_one, k, n - k), angle)
    return np.where(near_one, 1.0 - wave, wave)


def blend(start: float, end: float, share: Rates) -> Rates:
    """start·share + end·(1 − share): exact at both ends and a sum of positive terms in between."""
    return np.asarray(start * share + end * (1.0 - share))


def cosine_between(t: Steps, begin: float, end: float) -> Rates:
    """½(1 + cos(π·(t − begin)/(end − begin))): the half cosine between ends that need not be integers.

    Returns 0 if the phase has length 0: it is over before it starts.
    """
    if end <= begin:
        return np.zeros(t.shape)
    angle, middle = np.pi / 2 / (end - begin), (begin + end) / 2
    if t.size and t.max() <= middle:
        return np.asarray(1.0 - _sine_squared(t, angle, -begin))
    if t.size and t.min() > middle:
        return _sine_squared(-t, angle, end)
    near_one = t <= middle
    wave = np.sin(np.where(near_one, t - begin, end - t) * angle) ** 2
    return np.where(near_one, 1.0 - wave, wave)


#: Selects some entries of an array, or all of them.
Selection = NDArray[np.bool_] | slice


def segments(t: Steps, edges: tuple[int, ...]) -> list[tuple[int, Selection]]:
    """Group steps by the number of sorted `edges` at or below them: pairs of that number and a selection of steps."""
    sorted_edges = np.array(edges, dtype=np.int64)
    ends = (t.min(initial=np.iinfo(np.int64).max), t.max(initial=0))
    low, high = (int(i) for i in np.searchsorted(sorted_edges, ends, "right"))
    if low >= high:
        return [(high, slice(None))]
    count = np.searchsorted(sorted_edges, t, "right")
    return [(i, count == i) for i in range(low, high + 1)]


def staircase(t: Steps, edges: tuple[int, ...], heights: Rates) -> Rates:
    """A step function: heights[number of sorted `edges` <= t]."""
    sorted_edges = np.array(edges, dtype=np.int64)
    if t.size:
        low, high = np.searchsorted(sorted_edges, (t.min(), t.max()), "right")
        if low == high:
            return np.full(t.shape, heights[low])
    return np.asarray(heights[np.searchsorted(sorted_edges, t, "right")])
