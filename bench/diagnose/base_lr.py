"""The base LR of an expected schedule whose base LR was not given: read from the trace."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.diagnose.core.diagnosis import FITS, Diagnosis
from bench.diagnose.core.trace import Trace
from bench.diagnose.fit.rise import short_decimals
from bench.diagnose.hypotheses.anatomy import last_step, values
from bench.diagnose.hypotheses.evidence import GRID, misfit, mixture
from reference import Schedule
from reference.check import Rates, Steps

#: The highest logged LR is this close to the peak, where a log has gaps around it.
GAPS = 1e-3
#: A base LR above every floor.
HIGH = 8.0


def base_candidates(trace: Trace, expect: Schedule) -> list[float]:
    """The base LRs at which the expected schedule may have been run, the likeliest first.

    The first is that with which every row agrees, if there is one; the others come from the highest and the first LR.
    An LR is a + b·base for every schedule, where a is what a floor in learning rates adds.

    >>> from reference import parse
    >>> schedule = parse("linear10+cosine90")
    >>> base_candidates(Trace(np.arange(100), schedule.trace(100, 3e-4)), schedule)[0]
    0.0003
    """
    t, y, tol = trace.steps, trace.lrs, trace.tolerance
    none, one = _affine(expect, t)
    found = []
    everywhere = mixture(y, none, one, tol)
    if everywhere is not None and misfit(y, none + everywhere * (one - none), tol) <= FITS:
        found += short_decimals(everywhere, float(np.median(tol / np.maximum(np.abs(y), tol))))
    reach = max(int(t[-1]), last_step(expect) or 0)
    grid = np.unique(np.linspace(0, reach, GRID).astype(np.int64))
    grid = np.union1d(grid, np.arange(min(reach + 1, GRID)))
    lows, rates = _affine(expect, grid)
    top = int(np.argmax(rates))
    low = float(lows[top])
    if rates[top] > low:
        found += short_decimals((float(y.max()) - low) / (float(rates[top]) - low), GAPS)
    if one[0] > none[0]:
        found.append((float(y[0]) - float(none[0])) / float(one[0] - none[0]))
    unique: list[float] = []
    for base in found:
        if base > 0 and all(abs(base - other) > 1e-9 * base for other in unique):
            unique.append(base)
    return unique or [1.0]


def _affine(expect: Schedule, t: Steps) -> tuple[Rates, Rates]:
    """The LRs of a schedule at base LR 0 and 1, from two base LRs above every floor, because none may be below one."""
    one, two = values(expect, t, HIGH), values(expect, t, 2 * HIGH)
    return 2 * one - two, 2 * one - two + (two - one) / HIGH


def with_base_of_trace(trace: Trace, expect: Schedule, diagnose: Callable[[float], Diagnosis]) -> Diagnosis:
    """The diagnosis at the first base LR at which the trace follows; else at the first that explains it.

    A base LR that was read from the trace is no wrong one.
    """
    results = []
    for base in base_candidates(trace, expect):
        result = diagnose(base)
        if result.verdict == "healthy":
            return result
        results.append(result)
    return next(
        (result for result in results if result.best is not None and result.tied and result.best.cause != "wrong-base"),
        results[0],
    )
