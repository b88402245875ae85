"""Parameter validation; every error message starts with ``name=value``, then states the rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Steps = NDArray[np.int64]
Rates = NDArray[np.float64]


def plain_repr(value: object) -> str:
    """The value as a user would type it: a NumPy scalar prints like a Python number."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def integer(name: str, value: Any, minimum: int = 0) -> int:
    """Return `value` as an int; raise TypeError unless it is an integer, ValueError if it is < `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name}={plain_repr(value)} must be an integer")
    if value < minimum:
        raise ValueError(f"{name}={plain_repr(value)} must be >= {minimum}")
    return int(value)


def real(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """Return `value` as a float; raise unless it is a finite real number in [low, high], > `above` and < `below`."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name}={plain_repr(value)} must be a real number")
    if not math.isfinite(value):
        raise ValueError(f"{name}={plain_repr(value)} must be finite")
    if above is not None and value <= above:
        raise ValueError(f"{name}={plain_repr(value)} must be > {above:g}")
    if below is not None and value >= below:
        raise ValueError(f"{name}={plain_repr(value)} must be < {below:g}")
    if value < low:
        raise ValueError(f"{name}={plain_repr(value)} must be >= {low:g}")
    if value > high:
        raise ValueError(f"{name}={plain_repr(value)} must be <= {high:g}")
    return float(value)


def one_of(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return `value`; raise ValueError unless it is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name}={plain_repr(value)} must be one of {', '.join(choices)}")
    return str(value)


def flag(name: str, value: Any) -> bool:
    """Return `value` as a bool; raise TypeError unless it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}={plain_repr(value)} must be True or False")
    return bool(value)


def integer_steps(step: ArrayLike) -> Steps:
    """Return `step` as an int64 array of the same shape; raise unless all entries are integers in [0, 2**63)."""
    array = np.asarray(step)
    if array.size and (array.dtype == np.bool_ or not np.issubdtype(array.dtype, np.integer)):
        first = array.ravel()[0]
        raise TypeError(f"step={plain_repr(first)} must be an integer (got {array.dtype})")
    if array.size and int(array.min()) < 0:
        raise ValueError(f"step={int(array.min())} must be >= 0")
    if array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"step={int(array.max())} must be < 2**63")
    return array.astype(np.int64, copy=False)
