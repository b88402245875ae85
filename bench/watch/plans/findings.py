"""What is wrong with the schedulers of a recorded run that no curve shows: never stepped, resumed, or misled."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.diagnose.core.counts import Counts
from bench.diagnose.plan.deviation import equal_lrs
from bench.diagnose.plan.fact import PlanFact
from bench.watch.steps.live_scheduler import LiveScheduler, PlanReading, PromisedGroup
from reference import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from reference.check import Rates, Steps

#: Schedulers that multiply the LR by the ratio of their own next value, so that several of them multiply.
FACTORS = (LinearLR, ConstantLR, PolynomialLR, ExponentialLR, StepLR, MultiStepLR, MultiplicativeLR)


def factor_of(group: PromisedGroup, at: Steps) -> Rates | None:
    schedule = group.schedule
    multiplies = isinstance(schedule, FACTORS) or (isinstance(schedule, CosineAnnealingLR) and schedule.eta_min == 0)
    return schedule(at, 1.0) if schedule is not None and multiplies else None


def never_stepped(tops: Sequence[LiveScheduler], base: Sequence[float]) -> list[PlanFact]:
    """Schedulers that set the LR when they were built, and then were never stepped while another one was."""
    found = []
    for live in tops:
        group = live.readings[0].groups[0]
        factor = None if live.moved_at else factor_of(group, np.zeros(1, dtype=np.int64))
        if factor is not None and factor[0] != 1:
            text = (
                f"{live.name} was built but never stepped: it multiplied the LR by {factor[0]:.4g} when it was built,"
                " and every update has kept that."
            )
            fix = f"step {live.name} too, or join both with SequentialLR"
            found.append(PlanFact("never-stepped", text, True, fix, 0))
    return found


def resumed(
    live: LiveScheduler, reading: PlanReading, counts: Counts, lrs: Sequence[Rates], follows: bool
) -> list[PlanFact]:
    """What is wrong with how a run was resumed."""
    facts = [
        PlanFact(
            "argument-loaded",
            f"{name} is {now:g}, but it was built with {was:g}: load_state_dict() has put the old number back.",
            True,
            "set it again after load_state_dict(), or build a new scheduler for the rest of the run",
            reading.position,
        )
        for name, (was, now) in reading.replaced.items()
    ]
    if reading.position == 0 and not reading.moved and not facts:
        done = counts.state_step
        lower = not follows and _is_lower(lrs, live.built_lrs)
        if done > 0 or live.loaded or (math.isnan(done) and lower):
            before = f" after {done:.0f} updates" if done > 0 else ""
            lr = f", and the first update runs at LR {lrs[0][0]:.4g}" if lower or live.loaded else ""
            text = f"The optimizer's state was loaded{before}, but its scheduler starts at step 0{lr}."
            fix = "save and load the scheduler's state too: scheduler.load_state_dict(checkpoint[...])"
            facts.append(PlanFact("scheduler-not-loaded", text, True, fix, 0))
    return facts


def _is_lower(lrs: Sequence[Rates], built: Sequence[float]) -> bool:
    """Whether the first update ran below every LR that the scheduler had set, as after a loaded state."""
    return len(built) == len(lrs) and all(0 < values[0] < lr for values, lr in zip(lrs, built, strict=True))


def reloaded(live: LiveScheduler) -> list[PlanFact]:
    texts = [
        f"Another state was loaded before update {reading.call}: the schedule continues at step {reading.position}."
        for reading in live.readings[1:]
    ]
    return [PlanFact("reloaded", text) for text in texts]


def other_writer(
    name: str, lrs: Sequence[Rates], documented: Sequence[Rates], groups: Sequence[PromisedGroup], last: int
) -> PlanFact:
    """That something beside the scheduler sets the LR, from the first update that does not run at its LR."""
    pairs = list(zip(lrs, documented, strict=True))
    wrong = [~equal_lrs(*pair, group.kind, last) for pair, group in zip(pairs, groups, strict=True)]
    first, g = min((int(np.argmax(rows)), g) for g, rows in enumerate(wrong) if rows.any())
    text = (
        f"Something beside {name} sets the LR: update {first} ran at {lrs[g][first]:.4g} instead of its"
        f" {documented[g][first]:.4g}."
    )
    return PlanFact("other-writer", text, step=first)
