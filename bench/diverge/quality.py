"""How good an alarm rule is: which failures it detects in time, how often it is wrong, and how early it warns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.toy.measures import CONFIDENCE, EDGE_LOSS, Estimate, Flags, share
from bench.watch.thresholds import levels
from reference.check import Rates, Steps, real

from .outcome import COLLAPSED, FAILURES, LEARNED, NOT_FINITE, UNFINISHED
from .populations import Sample

#: Bootstrap resamples, drawn with a fixed seed.
DRAWS = 2000


@dataclasses.dataclass(frozen=True, eq=False)
class Endings:
    """How K runs ended.

    `populations`, `schedules`, `kinds` (see `outcome`): [K] texts; `lrs`, `seeds`, `lengths` (steps of the run): [K];
    `steps`: the step at which the loss shows the failure, −1 for runs that did not fail, [K]; `lowest`: the lowest
    level of the training loss, [K].
    """

    populations: NDArray[np.str_]
    schedules: NDArray[np.str_]
    lrs: Rates
    seeds: Steps
    lengths: Steps
    kinds: NDArray[np.str_]
    steps: Steps
    lowest: Rates

    def ended(self, *kinds: str) -> Flags:
        """Which runs ended in one of these ways."""
        return np.isin(self.kinds, kinds)

    @property
    def failed(self) -> Flags:
        """Which runs failed."""
        return self.ended(*FAILURES)

    @property
    def observed(self) -> Flags:
        """Which runs failed at a step that can be seen: from a loss that is half learned, or with one not finite.

        A run whose level was at or below 1 but never at or below 0.5 hovers about the limit, and collapses at no step.
        """
        return (self.ended(COLLAPSED) & (self.lowest <= EDGE_LOSS)) | self.ended(NOT_FINITE)

    @property
    def undated(self) -> Flags:
        """Which runs failed without such a step: they never learned, or hover about the limit."""
        return self.failed & ~self.observed

    @property
    def good(self) -> Flags:
        """Which runs learned the task."""
        return self.ended(LEARNED)

    @property
    def unfinished(self) -> Flags:
        """Which runs did neither."""
        return self.ended(UNFINISHED)

    def clusters(self, rows: Flags) -> tuple[list[str], list[str]]:
        """Two ways in which these runs are not independent: runs of one schedule, and runs of one seed."""
        index = np.flatnonzero(rows)
        return (
            [f"{self.populations[i]} {self.schedules[i]}" for i in index],
            [f"{self.populations[i]} {self.seeds[i]}" for i in index],
        )

    def settings(self) -> list[str]:
        """The setting of each run, [K]: its population, schedule and LR."""
        return [f"{p} {s} {lr:g}" for p, s, lr in zip(self.populations, self.schedules, self.lrs, strict=True)]

    def __getitem__(self, rows: Flags) -> Endings:
        """Some of the runs."""
        return Endings(*(values[rows] for values in vars(self).values()))


class Quality(NamedTuple):
    """How a rule performed on some runs.

    `detected`: the share of failed runs with an alarm at least 1 step before the loss shows the failure;
    `false`: the share of runs that learned with an alarm at any step; `others`: the same for unfinished runs;
    their intervals are clustered; `lead`: median number of steps from alarm to failure over the detected runs that
    failed at a step that can be seen, with a bootstrap interval.
    """

    detected: Estimate
    false: Estimate
    others: Estimate
    lead: Estimate


def endings(runs: Sample) -> Endings:
    """How the runs of a sample ended."""
    return Endings(
        np.array([runs.population.name] * len(runs.plans)),
        np.array([plan.schedule for plan in runs.plans]),
        np.array([plan.base_lr for plan in runs.plans]),
        np.array([plan.seed for plan in runs.plans], dtype=np.int64),
        np.array([plan.steps for plan in runs.plans], dtype=np.int64),
        np.array([outcome.kind for outcome in runs.outcomes]),
        np.array([-1 if outcome.step is None else outcome.step for outcome in runs.outcomes], dtype=np.int64),
        levels(runs.records.losses).min(-1),
    )


def in_time(alarms: Steps, ends: Endings) -> Flags:
    """Which runs failed after an alarm, [K]; `alarms`: the step of the alarm or −1, [K]."""
    return ends.failed & (alarms >= 0) & (alarms < ends.steps)


def leads(alarms: Steps, ends: Endings) -> Steps:
    """Steps from the alarm to the failure, of the runs that visibly failed after the alarm."""
    rows = in_time(alarms, ends) & ends.observed
    return ends.steps[rows] - alarms[rows]


def judge(alarms: Steps, ends: Endings) -> Quality:
    """How a rule performed on these runs; `alarms`: the step of its alarm in each run, −1 without one, [K]."""
    alarmed = alarms >= 0
    return Quality(
        clustered_share(in_time(alarms, ends)[ends.failed], ends.clusters(ends.failed)),
        clustered_share(alarmed[ends.good], ends.clusters(ends.good)),
        clustered_share(alarmed[ends.unfinished], ends.clusters(ends.unfinished)),
        median(leads(alarms, ends)),
    )


def clustered_share(flags: Flags, clusterings: Sequence[Sequence[str]], confidence: float = CONFIDENCE) -> Estimate:
    """The share of flagged runs, with an interval for runs that come in clusters; NaN without runs.

    `flags`: [n]; `clusterings`: each has the cluster of every run, [n]. The interval is the widest of Wilson's, which
    takes runs as independent, and one bootstrap for each clustering, which draws whole clusters.
    Source: Davison & Hinkley 1997, section 3.8.

    >>> clustered_share(np.array([True, True, False, False]), [["a", "a", "b", "b"]])
    Estimate(value=0.5, low=0.0, high=1.0)
    """
    if not len(flags):
        return Estimate(np.nan, np.nan, np.nan)
    value, low, high = share(flags, confidence)
    tail = (1 - confidence) / 2
    for clusters in clusterings:
        names, member = np.unique(clusters, return_inverse=True)
        sizes, hits = (np.bincount(member, weights, len(names)) for weights in (None, flags.astype(np.float64)))
        drawn = np.random.default_rng(0).multinomial(len(names), [1 / len(names)] * len(names), DRAWS)
        below, above = np.quantile((drawn @ hits) / (drawn @ sizes), [tail, 1 - tail])
        low, high = min(low, float(below)), max(high, float(above))
    return Estimate(value, low, high)


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
