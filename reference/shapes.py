"""Elementary curves, written so that they keep their relative accuracy next to zero."""

from __future__ import annotations

import numpy as np

from .check import Rates, Steps


def half_cosine(k: Steps, n: int) -> Rates:
    """½(1 + cos(πk/n)) for whole k >= 0 and n >= 1.

    The angle is reduced in whole numbers to at most π/4, where sin² and 1 − sin² keep all their digits:
    1 + cos(x) next to x = π would lose them to cancellation.
    """
    k = k % (2 * n)
    k = np.minimum(k, 2 * n - k)
    near_one = 2 * k <= n
    wave = np.sin(np.where(near_one, k, n - k) * (np.pi / (2 * n))) ** 2
    return np.where(near_one, 1.0 - wave, wave)


def between(start: float, end: float, share: Rates) -> Rates:
    """start·share + end·(1 − share): exact at both ends, and a sum of positive terms inside."""
    return np.asarray(start * share + end * (1.0 - share))


def cosine_left(done: Rates, left: Rates) -> Rates:
    """½(1 + cos(π·done/(done + left))): the same curve where the two lengths need not be whole.

    A phase of length 0 is over: the value is 0.
    """
    length = done + left
    near_one = done <= left
    wave = np.sin(np.pi / 2 * np.where(near_one, done, left) / np.where(length > 0, length, 1.0)) ** 2
    return np.where(length > 0, np.where(near_one, 1.0 - wave, wave), 0.0)
