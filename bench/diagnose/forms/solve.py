"""Read one unknown number off many rows at once: for each clock the interval of values that explain every row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.diagnosis import FITS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
#: A coefficient below this share of the base LR cannot tell its number.
SLIGHT = 1e-9


def unknown(rows: Bools, y: Floats, tol: Floats, known: Floats, slope: Floats, scale: float) -> tuple[Floats, Floats]:
    """The interval of x with y = known + x·slope in all `rows`, for each line of the matrices; empty: low > high.

    `rows`, `known`, `slope`: shape (clocks, rows); `y`, `tol`: shape (rows,); `scale`: the base LR.
    """
    spare = FITS * tol
    slope = np.where(np.isnan(slope), 0.0, slope)
    flat = np.abs(slope) <= SLIGHT * scale
    safe = np.where(flat, 1.0, slope)
    a, b = (y - known - spare) / safe, (y - known + spare) / safe
    use = rows & ~flat
    low = np.where(use, np.minimum(a, b), -np.inf).max(axis=1, initial=-np.inf)
    high = np.where(use, np.maximum(a, b), np.inf).min(axis=1, initial=np.inf)
    broken = (rows & flat & ~(np.abs(y - known) <= spare)).any(axis=1)
    return np.where(broken, np.inf, low), np.where(broken, -np.inf, high)


def roundest(low: float, high: float, favourites: tuple[float, ...]) -> tuple[float, float]:
    """A value in an interval and its price: a favourite, the fewest digits, else the middle.

    >>> roundest(0.0999, 0.1003, (0.0, 0.1))
    (0.1, 0.0)
    >>> roundest(0.0291, 0.0312, (0.0, 0.1))
    (0.03, 0.1)
    """
    for value in favourites:
        if low <= value <= high:
            return value, 0.0
    if not np.isfinite(low) or not np.isfinite(high):
        return (low if np.isfinite(low) else high), 0.3
    middle = (low + high) / 2
    for digits in (1, 2, 3):
        value = float(f"{middle:.{digits}g}")
        if low <= value <= high:
            return value, 0.1 * digits
    return middle, 0.4
