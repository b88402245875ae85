"""Several schedulers on one optimizer, which multiply where each of them is a factor."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from bench.diagnose.plan.group import GroupPlan, words_of
from bench.watch.steps.live_scheduler import LiveScheduler
from reference import ChainedScheduler
from reference.check import Rates, Steps

from .findings import factor_of, never_stepped
from .recorded import RecordedPlan, on_clock, positions, same_lrs


def several_plan(
    tops: Sequence[LiveScheduler], movers: Sequence[LiveScheduler], calls: Steps, lrs: Sequence[Rates]
) -> RecordedPlan | None:
    """Several schedulers on one optimizer, which multiply where each of them is a factor."""
    if any(len(live.readings) > 1 or len(live.readings[0].groups) != len(lrs) for live in tops):
        return None
    clocks = [positions(live, calls) for live in tops]
    base = [group.base_lr for group in tops[0].readings[0].groups]
    findings = tuple(never_stepped(tops, base))
    names = tuple(live.name for live in tops)
    pairs = list(zip(tops, clocks, strict=True))
    found = [[factor_of(group, at) for group in live.readings[0].groups] for live, at in pairs]
    factors = [[factor for factor in own if factor is not None] for own in found]
    words = "; ".join(words_of(live.name, described(live)) for live in movers)
    stop = max(int(at[-1]) for at in clocks) + 1
    unknown = RecordedPlan(names, (), words, 0, stop, False, None, findings)
    if any(len(own) != len(lrs) for own in factors):
        return unknown
    documented = [base[g] * np.prod([own[g] for own in factors], axis=0) for g in range(len(lrs))]
    follows = same_lrs(lrs, documented, tops[0].readings[0].groups, clocks[0])
    moving = [at for live, at in pairs if live.moved_at]
    groups: tuple[GroupPlan, ...] = ()
    if follows and all(np.array_equal(at, moving[0]) for at in moving) and len(movers) == len(tops):
        joint = [
            ChainedScheduler(tuple(s for live in tops if (s := live.readings[0].groups[g].schedule) is not None))
            for g in range(len(lrs))
        ]
        groups = tuple(on_clock(g, schedule, base[g], 0, stop) for g, schedule in enumerate(joint))
    return dataclasses.replace(unknown, groups=groups, follows=follows)


def described(live: LiveScheduler) -> list[GroupPlan]:
    return [GroupPlan(g.index, g.schedule, g.base_lr, None, None) for g in live.readings[0].groups]
