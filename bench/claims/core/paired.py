"""Comparisons of one table, paired by seed: corrected for their number, and able to say that two things are equal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.toy.measures import CONFIDENCE, Estimate, mean
from reference.check import integer, real

#: Verdicts of a comparison.
HIGHER, LOWER, EQUAL, UNDECIDED = "higher", "lower", "equal", "undecided"


class RatioVerdict(NamedTuple):
    """One comparison of a table.

    `factor`: the geometric mean of the ratios, with its own 95 % interval; `p`: two-sided, after Holm's correction;
    `verdict`: ``higher`` or ``lower`` if p < 5 %, else ``equal`` if the factor is within the margin (two one-sided
    tests at 5 %, after Holm's correction), else ``undecided``; `within`: whether it is within the margin.
    """

    factor: Estimate
    p: float
    verdict: str
    within: bool


def p_value(values: ArrayLike, centre: float = 0.0) -> float:
    """The two-sided p of Student's test that the mean of x [n] is `centre`; n >= 2.

    Without any spread it is 0, or 1 where the mean is `centre`. Source: Student 1908.

    >>> round(p_value([1.0, 2.0, 3.0]), 4), p_value([0.0, 0.0])
    (0.0742, 1.0)
    """
    below = _upper_tail(np.asarray(values, dtype=np.float64) - centre)
    return min(1.0, 2 * min(below, 1 - below)) if below not in (0.0, 1.0) else 0.0


def p_equal(values: ArrayLike, margin: float) -> float:
    """The p of the hypothesis that |mean of x [n]| >= `margin`: the larger of two one-sided tests.

    A small p means that the mean is within the margin. Source: Schuirmann 1987.

    >>> p_equal([0.01, 0.0, -0.01], margin=1.0) < 0.001 < p_equal([0.9, 0.0, -0.8], margin=0.1)
    True
    """
    x, limit = np.asarray(values, dtype=np.float64), real("margin", margin, above=0.0)
    return max(_upper_tail(x + limit), _upper_tail(limit - x))


def _upper_tail(x: NDArray[np.float64]) -> float:
    """P(T > t) with t the statistic of x [n]: small if the mean is well above 0; ½ if all are 0."""
    if x.ndim != 1 or x.size < 2 or not np.isfinite(x).all():
        raise ValueError(f"values={x.tolist()} must be finite numbers, two or more")
    spread = float(x.std(ddof=1)) / math.sqrt(x.size)
    centre = float(x.mean())
    if spread <= abs(centre) * np.finfo(np.float64).eps * x.size:  # equal up to rounding
        return 0.5 if centre == 0 else float(centre < 0)
    from scipy.stats import t

    return float(t.sf(centre / spread, x.size - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p: of the k-th smallest of m, the largest of (m − j + 1)·p(j) over j <= k, at most 1.

    Calling all those below 5 % real is wrong anywhere in the table with a probability of at most 5 %, however the
    comparisons depend on each other. Source: Holm 1979.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def compared(ratios: Sequence[ArrayLike], margin: float) -> list[RatioVerdict]:
    """The comparisons of one table: `ratios` has for each the ratios of its seeds [n], > 0.

    `margin`: > 1; a factor between 1/margin and margin counts as equal.

    >>> [c.verdict for c in compared([[1.5, 1.6, 1.7, 1.6], [1.0, 1.01, 0.99, 1.0], [0.5, 2.0, 1.5, 0.9]], 1.1)]
    ['higher', 'equal', 'undecided']
    """
    limit = math.log(real("margin", margin, above=1.0))
    logs = [np.log(np.asarray(values, dtype=np.float64)) for values in ratios]
    different, same = holm([p_value(x) for x in logs]), holm([p_equal(x, limit) for x in logs])
    rows = []
    for x, p, p_same in zip(logs, different, same, strict=True):
        within = p_same < 1 - CONFIDENCE
        verdict = (HIGHER if x.mean() > 0 else LOWER) if p < 1 - CONFIDENCE else EQUAL if within else UNDECIDED
        rows.append(RatioVerdict(Estimate(*map(math.exp, mean(x))), p, verdict, within))
    return rows


def simultaneous(count: int) -> float:
    """The confidence of each of `count` intervals that together cover with 95 %: 1 − 5 % / count (Bonferroni).

    >>> simultaneous(5)
    0.99
    """
    return 1 - (1 - CONFIDENCE) / integer("count", count, 1)


def shown(p: float) -> str:
    """A p as text: two digits, and nothing below 0.001.

    >>> shown(0.0312), shown(1e-9), shown(1.0)
    ('0.031', '<0.001', '1')
    """
    return "<0.001" if p < 0.001 else f"{p:.2g}"
