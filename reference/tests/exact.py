"""A schedule paired with its exact values, and random parameters for it.

The allowed error is 4 ulp times a factor. 4 ulp are eight roundings of half an ulp;
no formula has more roundings than that in sequence, apart from those that it amplifies.
The factors are derived from the amplification:

* `SQUARE` = 2: a half cosine is sin² of a rounded angle, and squaring doubles a relative error;
  1 − sin² is used only where it is >= ½, so the subtraction adds nothing.
* ``1 + power``: x^power multiplies the relative error of x by power.
* ``1 + |ln r|``: r^e multiplies the relative error of e by |e·ln r|, and e <= 1.
* ``2 + |ln r|`` if r is itself a rounded quotient.
* `rectified`: half the sum of ρ/(ρ−4), ρ/(ρ−2), R/(R−4), R/(R−2) and 2 under the root, plus 1 for the root.
* A sum of two positive terms has none. Past the end of an unbounded decay the two terms a and b have opposite
  signs, and the factor is (|a| + |b|)/|a + b|.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from reference.schedule import Schedule

SQUARE = 2.0
NAN, INF = float("nan"), float("inf")
Random = np.random.Generator
Value = Callable[[int], Any]  # an mpmath number; mpmath has no type hints
#: Class, valid arguments, then (invalid argument, its value, the rule) for each of them.
Refusals = tuple[type[Schedule], dict[str, Any], list[tuple[str, Any, str]]]


@dataclass(frozen=True)
class Exact:
    """A schedule, its base LR, its exact value and error factor at a step, and the length of its varying part."""

    schedule: Schedule
    base: float
    value: Value
    factor: Callable[[int], float]
    length: int


def constant(amount: float) -> Callable[[int], float]:
    """The same error factor at every step."""
    return lambda t: amount


def half_wave(p: Any) -> Any:
    """½(1 + cos πp)."""
    return (1 + mpmath.cos(mpmath.pi * p)) / 2


def steps_of(draw: Random, low: int = 1) -> int:
    """A number of steps from `low` to 1e6, log-uniform."""
    return max(low, int(10 ** draw.uniform(0, 6)))


def base_of(draw: Random) -> float:
    """A base LR from 1e-5 to 10, log-uniform."""
    return float(10 ** draw.uniform(-5, 1))


def small(draw: Random) -> float:
    """A start factor, or a fraction of the base LR, from 1e-8 to 1, log-uniform."""
    return float(10 ** draw.uniform(-8, 0))
