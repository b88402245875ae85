"""Integers to try: where something may end between two rows, and the likelier ones, which have few digits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Places that are tried between two logged rows, besides round ones.
PLACES = 50
#: Integers that are compared.
INTEGERS = 24


def between(low: int, high: int) -> list[int]:
    """The steps from `low` to `high`; of many, those with few digits and an even spread.

    >>> between(3, 6), len(between(1, 10_000)) <= 2 * PLACES, 5000 in between(1, 10_000)
    ([3, 4, 5, 6], True, True)
    """
    if high - low < PLACES:
        return list(range(low, high + 1))
    unit = 10 ** (len(str((high - low) // PLACES)))
    round_ones = range(-(-low // unit) * unit, high + 1, unit)
    return sorted({*np.linspace(low, high, PLACES).astype(int).tolist(), *round_ones})


def digits(value: float) -> int:
    """The significant digits of a number, at most 9.

    >>> digits(3e-4), digits(1500), digits(0.0125)
    (1, 2, 3)
    """
    return len(f"{value:.8e}".split("e")[0].rstrip("0").replace(".", ""))


def integers_between(low: NDArray[np.float64], high: NDArray[np.float64]) -> list[int]:
    """The integers from the highest of `low` to the lowest of `high`, or near them; those of few digits first."""
    least, most = sorted((float(np.max(low)), float(np.min(high))))
    if not 0 < most < 2**40:
        return []
    numbers = range(max(1, int(np.floor(least)) - 1), int(np.ceil(most)) + 2)
    if len(numbers) > 1000:
        numbers = range(numbers[0], numbers[-1] + 1, len(numbers) // 1000)
    middle = (least + most) / 2
    return sorted(numbers, key=lambda k: (digits(k), abs(k - middle)))[:INTEGERS]
