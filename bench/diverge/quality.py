"""How good an alarm rule is: which failures it detects in time, how often it is wrong, and how early it warns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.toy.measures import CONFIDENCE, Estimate, share
from reference.check import Steps, real

from .alarm_rules import AlarmRule
from .outcome import UNFINISHED
from .populations import Sample

#: Bootstrap resamples for the interval of the median, drawn with a fixed seed.
DRAWS = 2000


class Quality(NamedTuple):
    """How a rule performed on some runs; shares have Wilson intervals, the lead has a bootstrap interval.

    `detected`: the share of failed runs with an alarm at least 1 step before the loss shows the failure;
    `false`: the share of runs that learned with an alarm at any step; `others`: the same for unfinished runs;
    `lead`: median number of steps from alarm to failure over the detected runs; the other fields are counts.
    """

    detected: Estimate
    false: Estimate
    others: Estimate
    lead: Estimate
    failed_runs: int
    good_runs: int
    unfinished_runs: int


def leads(alarm: AlarmRule, runs: Sample) -> Steps:
    """Steps from the alarm to the step at which the loss shows the failure, [failed runs]; 0 or less: too late.

    −T − 1, lower than any other value, where there is no alarm.
    """
    first = alarm.first(runs.records)
    length = runs.population.steps
    return np.array(
        [
            outcome.step - int(step) if step >= 0 else -length - 1
            for outcome, step in zip(runs.outcomes, first, strict=True)
            if outcome.step is not None
        ],
        dtype=np.int64,
    )


def judge(alarm: AlarmRule, samples: Sequence[Sample]) -> Quality:
    """How the rule performed on all these runs together."""
    ahead = np.concatenate([leads(alarm, runs) for runs in samples])
    alarmed = [alarm.first(runs.records) >= 0 for runs in samples]
    false = np.concatenate([flags[runs.good] for flags, runs in zip(alarmed, samples, strict=True)])
    between = np.concatenate([flags[runs.ended(UNFINISHED)] for flags, runs in zip(alarmed, samples, strict=True)])
    return Quality(
        _share(ahead >= 1),
        _share(false),
        _share(between),
        median(ahead[ahead >= 1]),
        ahead.size,
        false.size,
        between.size,
    )


def _share(flags: NDArray[np.bool_]) -> Estimate:
    return share(flags) if flags.size else Estimate(np.nan, np.nan, np.nan)


def median(values: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """The median with a percentile bootstrap interval from `DRAWS` resamples; NaN without values.

    Source: Efron 1979.

    >>> median([7, 7, 7])
    Estimate(value=7.0, low=7.0, high=7.0)
    """
    x = np.asarray(values, dtype=np.float64)
    tail = (1 - real("confidence", confidence, above=0.0, below=1.0)) / 2
    if not x.size:
        return Estimate(np.nan, np.nan, np.nan)
    drawn = np.median(np.random.default_rng(0).choice(x, (DRAWS, x.size)), axis=1)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(float(np.median(x)), float(low), float(high))
