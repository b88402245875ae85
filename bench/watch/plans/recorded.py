"""The plan of one optimizer of a recorded run: what its schedulers documented, beside the LRs that its updates used."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import sys
from collections.abc import Sequence

import numpy as np

from bench.diagnose.plan.deviation import TorchDeviation, equal_lrs
from bench.diagnose.plan.fact import PlanFact
from bench.diagnose.plan.group import GroupPlan
from bench.diagnose.plan.phases import end_of
from bench.diagnose.plan.plan import plan_facts
from bench.watch.steps.lazy_numbers import read_all
from bench.watch.steps.live_scheduler import LiveScheduler, PromisedGroup
from reference import ReduceLROnPlateau, Schedule
from reference.check import Rates, Steps


@dataclasses.dataclass(frozen=True, eq=False)
class RecordedPlan:
    """What the schedulers of one optimizer planned for a run, and how its updates compare.

    `schedulers`: their names; `groups`: what they document for each parameter group together, with the LRs of the whole
    run on their clock; empty where that is not known; `position` and `stop`: the steps of the schedule that the first
    update ran at and that the one after the last would run at; `follows`: whether every update ran at the documented
    LR; `deviation`: where torch leaves its documentation, if every LR is torch's; `findings`: facts that no curve has.
    """

    schedulers: tuple[str, ...]
    groups: tuple[GroupPlan, ...]
    words: str
    position: int
    stop: int
    follows: bool
    deviation: TorchDeviation | None = None
    findings: tuple[PlanFact, ...] = ()

    @property
    def explains(self) -> bool:
        """Whether the plan accounts for every LR."""
        return self.follows or self.deviation is not None

    def facts(self, *, ended: bool = True) -> list[PlanFact]:
        """What a reader should know; of a resumed run, or one that was stopped (`ended`), its length is no fault."""
        partial = self.position > 0 or not ended
        facts = [*self.findings, *self._of_curves]
        return [_unblamed(fact) if partial and fact.kind in LENGTHS else fact for fact in facts]

    @functools.cached_property
    def _of_curves(self) -> list[PlanFact]:
        if not self.groups or not self.follows:
            return []
        with contextlib.redirect_stdout(sys.stderr):  # a function of the user's may print
            return plan_facts(list(self.groups), None, self.position, self.stop - self.position, None)

    def then(self, later: RecordedPlan) -> RecordedPlan:
        """The plan of a run and its continuation, which has the same schedule."""
        groups = tuple(on_clock(g.index, g.schedule, g.base_lr, self.position, later.stop) for g in self.groups)
        follows = self.follows and later.follows
        findings = (*self.findings, *later.findings)
        return dataclasses.replace(self, groups=groups, stop=later.stop, follows=follows, findings=findings)


#: Facts that say that the run is shorter than the plan: a run that is to be continued has them too.
LENGTHS = ("decay-too-long", "warmup-too-long")


def _unblamed(fact: PlanFact) -> PlanFact:
    return dataclasses.replace(fact, wrong=False, fix="")


def positions(live: LiveScheduler, calls: Steps) -> Steps:
    """The step of its schedule at each update."""
    moved = np.searchsorted(np.asarray(live.moved_at), calls, side="right")
    at = np.zeros(calls.size, dtype=np.int64)
    for reading in live.readings:
        own = calls >= reading.call
        at[own] = reading.position + moved[own] - reading.moved
    return at


def documented_lrs(group: PromisedGroup, live: LiveScheduler, at: Steps) -> Rates | None:
    """The LRs that a scheduler documents for these steps, NaN after its end; None where that is not known."""
    schedule = promised(group, live)
    if schedule is None:
        return None
    known = at < end_of(schedule)
    result = np.full(at.size, np.nan)
    try:
        result[known] = schedule(at[known], group.base_lr)
    except (ValueError, ArithmeticError):  # a function of the user's that has no value there
        return None
    return result


def promised(group: PromisedGroup, live: LiveScheduler) -> Schedule | None:
    """The schedule of a group, with the metrics that it was given."""
    if not isinstance(group.schedule, ReduceLROnPlateau):
        return group.schedule
    metrics = tuple(read_all(live.metrics or []))
    if live.readings[0].position or any(math.isnan(metric) for metric in metrics):
        return None
    return dataclasses.replace(group.schedule, metrics=metrics)


def on_clock(g: int, schedule: Schedule | None, base: float | None, position: int, stop: int) -> GroupPlan:
    """The plan of a group from one step of its schedule to another."""
    if schedule is None or base is None:
        return GroupPlan(g, schedule, base, None, None)
    try:
        lrs = schedule(np.arange(position, int(min(stop, end_of(schedule)))), base)
    except (ValueError, ArithmeticError) as error:  # a function of the user's, at a step without an update
        return GroupPlan(g, None, base, None, None, str(error))
    return GroupPlan(g, schedule, base, lrs, lrs)


def same_lrs(lrs: Sequence[Rates], documented: Sequence[Rates], groups: Sequence[PromisedGroup], at: Steps) -> bool:
    """Whether every LR of every group is the documented one, up to the rounding of its type."""
    last = int(at.max()) + 1
    pairs = zip(lrs, documented, groups, strict=True)
    return all(bool(equal_lrs(actual, wanted, group.kind, last).all()) for actual, wanted, group in pairs)
