"""Read the plan of each optimizer of a recorded run from its schedulers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.diagnose.core.counts import Counts
from bench.diagnose.plan.deviation import TorchDeviation, deviation_of
from bench.diagnose.plan.group import words_of
from bench.diagnose.plan.observe import observed
from bench.diagnose.plan.plan import not_in_force
from bench.watch.steps.live_scheduler import LiveScheduler, PlanReading, copied
from reference import ReduceLROnPlateau
from reference.check import Rates, Steps

from .findings import other_writer, reloaded, resumed
from .recorded import RecordedPlan, documented_lrs, on_clock, positions, promised, same_lrs
from .several import several_plan


def recorded_plan(schedulers: Sequence[LiveScheduler], counts: Counts, lrs: Sequence[Rates]) -> RecordedPlan | None:
    """The plan of the optimizer that these schedulers have moved; None where none did, or what they did is unknown.

    `lrs`: those of its updates, for each group.
    """
    if len({values.size for values in lrs}) > 1:  # a group that was added on the way
        return None
    tops = [live for live in schedulers if not live.is_part and live.readings]
    movers = [live for live in tops if live.moved_at]
    if not movers or not all(group.schedule is not None for live in tops for group in live.readings[0].groups):
        return None
    calls = np.arange(counts.moves.size) + np.cumsum(counts.skipped)
    if len(tops) > 1:
        return several_plan(tops, movers, calls, lrs)
    (live,) = tops
    return _single(live, calls, counts, lrs)


def _single(live: LiveScheduler, calls: Steps, counts: Counts, lrs: Sequence[Rates]) -> RecordedPlan | None:
    reading, at = live.readings[0], positions(live, calls)
    pairs = [documented_lrs(group, live, at) for group in reading.groups]
    if len(pairs) != len(lrs) or any(documented is None for documented in pairs):
        return None
    documented = [values for values in pairs if values is not None]
    follows = same_lrs(lrs, documented, reading.groups, at)
    position, stop = int(at[0]), int(at[-1]) + max(counts.pace, 1)
    findings = [*resumed(live, reading, counts, lrs, follows), *reloaded(live)]
    deviation = None
    if not follows and len(live.readings) == 1 and not any(fact.wrong for fact in findings):
        deviation = _of_torch(reading, at, lrs)
        if deviation is not None and deviation.step == position and position:
            findings, deviation = [*findings, not_in_force(deviation)], None
    if not follows and deviation is None and not findings:
        findings.append(other_writer(live.name, lrs, documented, reading.groups, int(at.max()) + 1))
    groups = tuple(on_clock(g.index, promised(g, live), g.base_lr, position, stop) for g in reading.groups)
    words = words_of(live.name, list(groups))
    if len(live.readings) > 1:  # another state was loaded on the way: the clock of the run is not that of one schedule
        groups = ()
    return RecordedPlan((live.name,), groups, words, position, stop, follows, deviation, tuple(findings))


def _of_torch(reading: PlanReading, at: Steps, lrs: Sequence[Rates]) -> TorchDeviation | None:
    """How torch leaves its documentation, if every LR of the run is what torch makes of the scheduler alone."""
    if reading.copied is None or isinstance(reading.groups[0].schedule, ReduceLROnPlateau):
        return None
    count = int(at[-1] - at[0]) + 1
    made = observed(copied(reading.copied), count).lrs
    if made.shape[0] < count or made.shape[1] != len(lrs):
        return None
    alone = [made[at - at[0], g] for g in range(len(lrs))]
    if not same_lrs(lrs, alone, reading.groups, at):
        return None
    for group in reading.groups:
        if group.schedule is not None:
            documented = group.schedule(np.arange(at[0], at[0] + count), group.base_lr)
            found = deviation_of(group.schedule, group.index, made[:, group.index], documented, int(at[0]), group.kind)
            if found is not None:
                return found
    return None


def plans_of(
    schedulers: Mapping[str, Sequence[LiveScheduler]], counts: Mapping[str, Counts], lrs: Mapping[str, Sequence[Rates]]
) -> dict[str, RecordedPlan]:
    """The plan of each optimizer that has one, by its name."""
    plans = {name: recorded_plan(own, counts[name], lrs[name]) for name, own in schedulers.items() if name in counts}
    return {name: plan for name, plan in plans.items() if plan is not None}
