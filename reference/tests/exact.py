"""What an exact value is, and the sizes that parameters are drawn from.

The unit of the allowed error is 4 ulp, eight roundings of half an ulp: no formula has more of them in a row
that are not amplified. The factors of amplification, derived:

* `SQUARE` = 2: a half cosine is sin² of a rounded angle, and squaring doubles a relative error;
  its rest 1 − sin² is used only where it is >= ½, so the subtraction adds nothing.
* ``1 + power``: x^power multiplies the relative error of x by power.
* ``1 + |ln r|``: r^e multiplies the relative error of e by |e·ln r|, and e <= 1.
* ``2 + |ln r|`` where r is itself a rounded quotient.
* `rectified`: half the sum of ρ/(ρ−4), ρ/(ρ−2), R/(R−4), R/(R−2) and 2 under the root, plus the root's own 1.
* a sum of two positive terms needs none; past the end of an unbounded decay the terms have opposite signs,
  and the factor is |a| + |b| over |a + b|.
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
Value = Callable[[int], Any]  # mpmath ships no types
#: Class, valid arguments, then (invalid argument, its value, the rule) for each of them.
Refusals = tuple[type[Schedule], dict[str, Any], list[tuple[str, Any, str]]]


@dataclass(frozen=True)
class Exact:
    """A schedule beside its exact value."""

    schedule: Schedule
    base: float
    value: Value
    factor: Callable[[int], float]
    length: int


def half_wave(p: Any) -> Any:
    """½(1 + cos πp)."""
    return (1 + mpmath.cos(mpmath.pi * p)) / 2


def steps_of(draw: Random, low: int = 1) -> int:
    """A number of steps up to 1e6, every size equally likely."""
    return max(low, int(10 ** draw.uniform(0, 6)))


def base_of(draw: Random) -> float:
    """A base LR between 1e-5 and 10."""
    return float(10 ** draw.uniform(-5, 1))


def small(draw: Random) -> float:
    """A start factor or a share of the base LR between 1e-8 and 1."""
    return float(10 ** draw.uniform(-8, 0))
