"""Two mistakes at once: each known mistake with a factor on all LRs, or one step ahead or late."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from bench.diagnose.core.words import number
from bench.diagnose.hypotheses.evidence import Evidence, Hypothesis, LRFunction, factor
from bench.diagnose.hypotheses.resumes import moved

#: Causes that are a factor, a delay, or a single row themselves: a second one on top says nothing.
ALONE = frozenset(
    {
        *("follows", "wrong-base", "start-kept", "blow-up", "lr-zero", "phase-scaled", "resume-scaled", "stuck"),
        *("ahead", "log-after", "late", "zero-twice", "zero-first", "first-update-unscheduled", "one-wrong-update"),
        *("scaler-skips", "waits-at-skips", "plateau-wrong-mode", "other-schedule", "nested-lost-step"),
        *("scheduler-state-without-optimizer", "factor-twice", "milestone-missed", "warmup-longer-than-run"),
    }
)
#: What a second mistake adds to the cost of the first: a number of its own, and that it is a second one.
FACTOR_COST, STEP_COST = 1.5, 1.3
#: Factors this close to 1 are none.
NO_FACTOR = 1e-3


def pairs(
    evidence: Evidence, singles: Iterable[Hypothesis], of_evidence: Callable[[Evidence], Iterator[Hypothesis]]
) -> Iterator[Hypothesis]:
    """Every mistake that can come with a second one, with each of them.

    `singles`: the hypotheses of the evidence as it is; `of_evidence` makes those of a trace that is scaled back.
    """
    for single in singles:
        if _can_be_one_of_two(single):
            yield from _with_factor(evidence, single)
            for k, what in ((1, "early"), (-1, "late")):
                yield _second(single, moved(single.at, k), f"Besides, every LR comes one step {what}.", STEP_COST)
    peak, expected = float(evidence.y.max()), float(evidence.anatomy.at(evidence.t).max())
    if peak > 0 and expected > 0 and abs(peak / expected - 1) > NO_FACTOR:
        c = peak / expected
        scaled = dataclasses.replace(evidence, y=evidence.y / c, tol=evidence.tol / c)
        for single in of_evidence(scaled):
            if _can_be_one_of_two(single):
                yield from _with_factor(evidence, single)


def _can_be_one_of_two(single: Hypothesis) -> bool:
    return single.cause not in ALONE and not single.cause.startswith("torch-")


def _with_factor(evidence: Evidence, single: Hypothesis) -> Iterator[Hypothesis]:
    rates = single.at(evidence.t)
    c = factor(evidence.y, rates, evidence.tol) if np.isfinite(rates).all() else None
    if c is None or c <= 0 or abs(c - 1) < NO_FACTOR:
        return
    for share in dict.fromkeys((float(f"{c:.2g}"), c)):
        also = f"Besides, every LR is {number(share)} times as high: the base LR is another one."
        yield _second(single, _scaled(single.at, share), also, FACTOR_COST)


def _scaled(at: LRFunction, c: float) -> LRFunction:
    return lambda t: c * at(t)


def _second(single: Hypothesis, at: LRFunction, also: str, cost: float) -> Hypothesis:
    return dataclasses.replace(single, at=at, schedule=None, base=None, extra=single.extra + cost, also=also)
