"""Elementary curves, written so that they keep their relative accuracy next to zero."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from .check import Rates, Steps

#: Steps that are evaluated at a time: their float64 arrays fill half of a small second-level cache.
BLOCK = 16_384


@functools.lru_cache(maxsize=16)
def _turns(angle: float) -> tuple[Rates, Rates]:
    """sin(j·angle) and cos(j·angle) for every j of a block."""
    turned = np.arange(BLOCK) * angle
    return np.sin(turned), np.cos(turned)


def _sine_squared(k: Steps, angle: float, offset: float = 0.0) -> Rates:
    """sin²((k + offset)·angle) for whole k and angles in [0, π/4].

    Consecutive steps, the usual argument, cost one angle addition each instead of one sine:
    sin(a + b) = sin a·cos b + cos a·sin b, a sum of two terms >= 0, so nothing cancels.
    """
    first, last, size = (int(k[0]), int(k[-1]), k.size) if k.size else (0, 0, 0)
    # A table of a whole block pays from about a sixteenth of it on.
    if BLOCK >= size > BLOCK // 16 and abs(last - first) == size - 1:
        way = 1 if last > first else -1
        if (np.diff(k) == way).all():
            start = (min(first, last) + offset) * angle
            sines, cosines = _turns(angle)
            waves = math.sin(start) * cosines[:size]
            waves += math.cos(start) * sines[:size]
            waves *= waves
            return waves[::way]
    return np.asarray(np.sin((k + offset) * angle) ** 2)


def half_cosine(k: Steps, n: int) -> Rates:
    """½(1 + cos(πk/n)) for whole k >= 0 and n >= 1.

    The angle is reduced in whole numbers to at most π/4, where sin² and 1 − sin² keep all their digits:
    1 + cos(x) next to x = π would lose them to cancellation.
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


def between(start: float, end: float, share: Rates) -> Rates:
    """start·share + end·(1 − share): exact at both ends, and a sum of positive terms inside."""
    return np.asarray(start * share + end * (1.0 - share))


def cosine_left(t: Steps, begin: float, end: float) -> Rates:
    """½(1 + cos(π·(t − begin)/(end − begin))): the same curve between corners that need not be whole.

    A phase of length 0 is over: the value is 0.
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


#: Where in an array some steps lie: a mask, or all of it.
Places = NDArray[np.bool_] | slice


def segments(t: Steps, edges: tuple[int, ...]) -> list[tuple[int, Places]]:
    """Cut steps at sorted `edges`: (number of edges at or below, the places of the steps there)."""
    sorted_edges = np.array(edges, dtype=np.int64)
    ends = (t.min(initial=np.iinfo(np.int64).max), t.max(initial=0))
    low, high = (int(i) for i in np.searchsorted(sorted_edges, ends, "right"))
    if low >= high:
        return [(high, slice(None))]
    count = np.searchsorted(sorted_edges, t, "right")
    return [(i, count == i) for i in range(low, high + 1)]


def levels(t: Steps, edges: tuple[int, ...], heights: Rates) -> Rates:
    """The height of a staircase: heights[number of sorted `edges` at or below t]."""
    sorted_edges = np.array(edges, dtype=np.int64)
    if t.size:
        low, high = np.searchsorted(sorted_edges, (t.min(), t.max()), "right")
        if low == high:
            return np.full(t.shape, heights[low])
    return np.asarray(heights[np.searchsorted(sorted_edges, t, "right")])
