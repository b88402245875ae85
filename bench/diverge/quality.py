"""How good an alarm is: what it detects in time, how often it is false, and how far ahead it is."""

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

#: Resamplings of the median's interval, drawn by a fixed seed.
DRAWS = 2000


class Quality(NamedTuple):
    """What an alarm did on some runs; shares with Wilson's interval, the lead with a bootstrap's.

    `detected`: of the runs that failed, those with the alarm 1 step or more before their loss shows it;
    `false`: of the runs that learned, those with an alarm at any step; `others`: the same of the unfinished ones;
    `lead`: median of the steps from alarm to failure, over those detected; the rest are counts.
    """

    detected: Estimate
    false: Estimate
    others: Estimate
    lead: Estimate
    failed_runs: int
    good_runs: int
    unfinished_runs: int


def leads(alarm: AlarmRule, runs: Sample) -> Steps:
    """Steps from the alarm to the step at which the loss shows the failure, [failed runs]; 0 or less: not in time.

    −T − 1, less than any other, where the alarm does not go off.
    """
    first = alarm.first(runs.records)
    length = runs.population.steps
    return np.array(
        [
            found.step - int(at) if at >= 0 else -length - 1
            for found, at in zip(runs.outcomes, first, strict=True)
            if found.step is not None
        ],
        dtype=np.int64,
    )


def judge(alarm: AlarmRule, samples: Sequence[Sample]) -> Quality:
    """What the alarm did on all these runs together."""
    ahead = np.concatenate([leads(alarm, runs) for runs in samples])
    rung = [alarm.first(runs.records) >= 0 for runs in samples]
    false = np.concatenate([went[runs.good] for went, runs in zip(rung, samples, strict=True)])
    between = np.concatenate([went[runs.ended(UNFINISHED)] for went, runs in zip(rung, samples, strict=True)])
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
    """The median with the percentiles of `DRAWS` resamplings; NaN without values.

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
