"""Measures of stability computed from the losses of many runs, with confidence intervals (these need SciPy).

A curve is the validation losses of one setting and seed over a grid of LRs, in nats per token.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.check import Rates, real

#: A run above this loss did not learn: on average it predicts no better than a model that knows all but two of the
#: three digits (1.07 nats). Failed runs end anywhere above it: some just above, some at the 2.3 nats of single tokens.
FAILED_LOSS = 1.0
#: A run below this loss has learned the task: the right token has a probability above e^−0.1 = 0.9 (geometric mean).
STABLE_LOSS = 0.1
#: The edge of stability is where the loss crosses this limit: between learned and failed, on the steep part.
EDGE_LOSS = 0.5
CONFIDENCE = 0.95

Flags = NDArray[np.bool_]


class Estimate(NamedTuple):
    """A value with its interval; `low` and `high` are NaN for a single run."""

    value: float
    low: float
    high: float


def capped(losses: ArrayLike, initial: ArrayLike) -> Rates:
    """min(ℓ, ℓ0), so that no run counts as worse than not training at all; ℓ0 where ℓ is not finite.

    `losses`: ℓ [..., L]; `initial`: ℓ0, finite, one number or one per curve [...].
    Raises ValueError if an ℓ0 is not finite or there are no losses.

    >>> capped([0.5, 9.0, float("nan")], 3.0).tolist()
    [0.5, 3.0, 3.0]
    """
    values, start = np.asarray(losses, dtype=np.float64), np.asarray(initial, dtype=np.float64)
    if not values.ndim or not values.shape[-1]:
        raise ValueError(f"losses={list(values.shape)} must be [..., L], one or more for each curve")
    if not np.isfinite(start).all():
        raise ValueError(f"initial={start[~np.isfinite(start)].flat[0]:g} must be finite")
    ceiling = start[..., None]
    return np.where(np.isfinite(values), np.minimum(values, ceiling), ceiling)


def lr_sensitivity(losses: ArrayLike, initial: ArrayLike) -> Rates:
    """LR sensitivity, the average cost of a wrong LR: mean over the LRs of min(ℓ, ℓ0) − ℓ*.

    `losses`: ℓ [..., L], last axis over a geometric grid of LRs; `initial`: ℓ0 [...], the losses of the
    untrained models; ℓ* is the minimum of min(ℓ, ℓ0) over the grid. Returns [...], nats per token.
    The value depends on the range of LRs: always state it. It is also 0 where every LR fails: check ℓ* as well.
    Raises ValueError as `capped` does. Source: Wortsman et al. 2023, section 2.2.

    >>> lr_sensitivity([[0.5, 0.25, 9.0], [0.5, 0.5, 0.5]], initial=3.0).tolist()
    [1.0, 0.0]
    """
    values = capped(losses, initial)
    return np.asarray(values.mean(-1) - values.min(-1))


def failed(losses: ArrayLike, lrs: ArrayLike, limit: float = FAILED_LOSS) -> Flags:
    """Which runs failed: ℓ not finite, or ℓ > `limit` at an LR above the curve's best one.

    Below the best LR a high loss means that the run was too slow, not that it failed.
    `losses`: ℓ [..., L]; `lrs`: [L], the LRs of the last axis. Returns bool [..., L].
    Without any finite loss, the whole curve failed. Raises ValueError if the lengths differ.

    >>> failed([2.0, 0.5, 0.01, 2.3, float("inf")], [1e-4, 1e-3, 1e-2, 0.1, 1.0]).tolist()
    [False, False, False, True, True]
    """
    values, rates = _curves(losses, lrs)
    finite = np.isfinite(values)
    best = rates[np.where(finite, values, np.inf).argmin(-1)]
    return np.asarray(~finite | ((values > limit) & (rates > best[..., None])))


def stable(losses: ArrayLike, limit: float = STABLE_LOSS) -> Flags:
    """Which runs learned the task: ℓ < `limit` and finite.

    >>> stable([0.01, 0.5, float("nan")]).tolist()
    [True, False, False]
    """
    return np.asarray(np.asarray(losses, dtype=np.float64) < limit)


def max_stable_lr(losses: ArrayLike, lrs: ArrayLike, limit: float = STABLE_LOSS) -> Rates:
    """The largest LR whose run is stable, [...]; 0 where no run of the curve is stable.

    `losses`: [..., L]; `lrs`: [L]. Raises ValueError if the lengths differ.

    >>> float(max_stable_lr([0.5, 0.01, 0.05, 2.3], [1e-3, 1e-2, 0.1, 1.0]))
    0.1
    """
    values, rates = _curves(losses, lrs)
    return np.asarray(np.where(stable(values, limit), rates, 0.0).max(-1))


def interpolated_edge(losses: ArrayLike, lrs: ArrayLike, limit: float = EDGE_LOSS) -> Rates:
    """The LR at which the loss crosses `limit`, [...]: above the largest LR of the curve whose loss is below it.

    log ℓ is interpolated linearly in log LR between that LR and the next; a loss that is not finite there means
    that the crossing is at the LR below. Outside the grid the edge is not known: the largest LR if that is still
    below the limit, and the LR below the grid, lrs[0]²/lrs[1], if none is.
    `losses`: [..., L]; `lrs`: [L], at least 2, ascending. Raises ValueError if the lengths differ.

    >>> interpolated_edge([[0.25, 1.0], [0.25, 0.25], [1.0, 1.0]], [0.01, 0.04]).round(4).tolist()
    [0.02, 0.04, 0.0025]
    """
    values, rates = _curves(losses, lrs)
    if len(rates) < 2 or not (np.diff(rates) > 0).all():
        raise ValueError(f"lrs={rates.tolist()} must be at least 2, ascending")
    below = values < limit
    last = np.where(below.any(-1), len(rates) - 1 - below[..., ::-1].argmax(-1), -1)
    left = last.clip(0, len(rates) - 2)
    here, after = (np.take_along_axis(values, side[..., None], -1)[..., 0] for side in (left, left + 1))
    tiny = np.finfo(np.float64).tiny
    low = np.log(np.where(here < limit, np.maximum(here, tiny), limit))
    rise = np.log(np.where(after >= limit, after, np.inf)) - low  # inf after a loss that is not finite
    crossing = np.exp(np.log(rates[left]) + (np.log(limit) - low) / rise * np.log(rates[left + 1] / rates[left]))
    outside = np.where(last < 0, rates[0] ** 2 / rates[1], rates[-1])
    return np.asarray(np.where((last < 0) | (last == len(rates) - 1), outside, crossing))


def share(flags: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """The share of flagged runs, with Wilson's interval.

    (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n), n flags of any shape, p their mean, z the normal quantile.
    It assumes independent runs with the same probability. The LRs of a grid fail with different probabilities,
    which makes the interval wider than necessary; runs that share a seed are correlated, which makes it too
    narrow. Raises ValueError without flags.
    Source: Wilson 1927; Brown, Cai & DasGupta 2001, section 3.1.1.

    >>> [round(number, 3) for number in share([True] + [False] * 9)]
    [0.1, 0.018, 0.404]
    """
    given = np.asarray(flags)
    if given.dtype != np.bool_ or not given.size:
        raise ValueError(f"flags={given.dtype} {list(given.shape)} must be bool, one or more")
    from scipy.stats import binomtest  # slow to import, and missing in asv's environments

    p = float(given.mean())
    interval = binomtest(int(given.sum()), given.size).proportion_ci(_chance(confidence), method="wilson")
    # At p = 0 and p = 1 one end is p itself; rounding must not move it past p.
    return Estimate(p, min(p, float(interval.low)), max(p, float(interval.high)))


def mean(values: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """The mean over seeds, with Student's interval: x̄ ± t(n−1)·s/√n.

    `values`: x [n], finite. A single value has no interval: NaN.
    Student's rather than a bootstrap: with the usual 3 to 10 seeds, resampling sees only these few values and its
    interval is too short (at n = 5 by √(4/5) in s, and by 1.96/2.78 in the quantile).
    Raises ValueError for other shapes and for values that are not finite. Source: Student 1908.

    >>> [round(number, 3) for number in mean([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484]
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or not x.size or not np.isfinite(x).all():
        raise ValueError(f"values={x.tolist()} must be finite numbers, one for each seed")
    centre, level = float(x.mean()), _chance(confidence)
    if x.size == 1:
        return Estimate(centre, math.nan, math.nan)
    from scipy.stats import t

    spread = float(t.ppf((1 + level) / 2, x.size - 1)) * float(x.std(ddof=1)) / math.sqrt(x.size)
    return Estimate(centre, centre - spread, centre + spread)


def paired_difference(values: ArrayLike, others: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """The mean of `values` − `others`, [n] each and paired by seed, with its interval.

    Pairing removes the variance between seeds. Raises ValueError as `mean` does, and if the lengths differ.

    >>> [round(number, 3) for number in paired_difference([1.1, 5.2, 9.0], [1.0, 5.0, 8.7])]
    [0.2, -0.048, 0.448]
    """
    x, y = np.asarray(values, dtype=np.float64), np.asarray(others, dtype=np.float64)
    if x.shape != y.shape:
        raise ValueError(f"others={list(y.shape)} must have the shape {list(x.shape)}, one for each seed")
    return mean(x - y, confidence)


def geometric_mean(values: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """The geometric mean over seeds, with Student's interval of the mean logarithm: exp(mean of log x).

    `values`: x [n], > 0. Raises ValueError as `mean` does.

    >>> [round(number, 3) for number in geometric_mean([1.0, 2.0, 4.0])]
    [2.0, 0.357, 11.19]
    """
    return Estimate(*(math.exp(number) for number in mean(_logarithms(values), confidence)))


def paired_factor(values: ArrayLike, others: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """How many times as large `values` are as `others`, [n] each, > 0 and paired by seed, with its interval.

    exp(x̄ ± t(n−1)·s/√n) with x = log(value / other): the geometric mean of the ratios.
    Raises ValueError as `mean` does, and if the lengths differ.

    >>> [round(number, 3) for number in paired_factor([2.0, 6.0, 4.0], [1.0, 3.0, 2.0])]
    [2.0, 2.0, 2.0]
    """
    difference = paired_difference(_logarithms(values), _logarithms(others), confidence)
    return Estimate(*(math.exp(number) for number in difference))


def _logarithms(values: ArrayLike) -> Rates:
    """The logarithms of positive numbers; what is not positive becomes NaN, which the callers refuse."""
    x = np.asarray(values, dtype=np.float64)
    return np.log(np.where(x > 0, x, np.nan))


def _chance(confidence: float) -> float:
    """The confidence level; ValueError unless it is between 0 and 1."""
    return real("confidence", confidence, above=0.0, below=1.0)


def _curves(losses: ArrayLike, lrs: ArrayLike) -> tuple[Rates, Rates]:
    """Losses [..., L] and the LRs [L] of their last axis, as arrays; ValueError if the lengths differ."""
    values, rates = np.asarray(losses, dtype=np.float64), np.asarray(lrs, dtype=np.float64)
    if rates.ndim != 1 or not rates.size or values.shape[-1:] != rates.shape:
        raise ValueError(f"lrs={list(rates.shape)} must be as long as the last axis of losses={list(values.shape)}")
    return values, rates
