"""Hypotheses that the installed torch turns the expected composition into this trace."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np

from bench.diagnose.core.causes import CAUSES
from reference import (
    SWALR,
    ChainedScheduler,
    ConstantLR,
    CyclicLR,
    LinearLR,
    MultiplicativeLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
)
from reference.check import Rates, Steps

from .evidence import Evidence, Hypothesis, LRFunction

#: A run of torch costs some 10 µs a step.
LONGEST = 20_000
#: Steps that are tried as the place of a restart, and the steps that all their runs may take together.
RESTARTS, BUDGET = 12, 12_000
#: Ways to restore a run that lose the schedule's place, by their names in `suite.engine.loop.RESTORES`.
ORDERS = ("optimizerfirst", "lastepoch", "lastepochouter")
#: Steps for which the LR can be right after a restart that lost its place.
UNSEEN = 2

#: A scheduler of a composition and its place: (schedule, in a chain, in a first phase, in a later phase).
Place = tuple[Schedule, bool, bool, bool]


def torch_defects(evidence: Evidence) -> Iterator[Hypothesis]:
    """What torch does with the composition when it is built, resumed, or given an epoch."""
    schedule, last = evidence.anatomy.schedule, int(evidence.t[-1])
    if isinstance(schedule, ReduceLROnPlateau):
        yield from _plateau(evidence, schedule)
        return
    if evidence.first is None or last >= LONGEST or not _is_torch(schedule):
        return
    from suite.engine.axes import Setup
    from suite.engine.loop import installed_lrs  # torch takes a second to import

    base = evidence.anatomy.base
    cause = name_of(schedule)
    # Nothing is assumed: it is what torch makes of the expected composition.
    says = f"This is what the installed torch makes of it, contrary to its documentation: {CAUSES[cause].title}."
    lrs = installed_lrs(schedule, base, last + 1)
    yield from _made(cause, lrs, last, says=says, extra=-CAUSES[cause].cost)
    if isinstance(schedule, ChainedScheduler):
        yield from _made("torch-built-backwards", installed_lrs(schedule, base, last + 1, Setup(reverse=True)), last)
    gaps = np.flatnonzero(np.diff(evidence.whole.steps) > 1)
    if gaps.size and evidence.stride == 1:
        yield from _given_epochs(evidence, schedule, base)
        return
    gap, most = evidence.gap(evidence.first), max(1, min(RESTARTS, BUDGET // (len(ORDERS) * (last + 1))))
    for r in [r for r in range(gap.start - UNSEEN, gap.stop) if r > 0][-most:]:
        for order in ORDERS:
            cause = "torch-restore-order" if order == "optimizerfirst" else "torch-last-epoch"
            lrs = installed_lrs(schedule, base, last + 1, Setup(resume=order, cuts=(r,)))
            yield from _made(cause, lrs, last, r=r)


def _made(
    cause: str, lrs: Rates | None, last: int, r: int = 0, says: str = "", extra: float = 0.0
) -> Iterator[Hypothesis]:
    if lrs is not None and np.isfinite(lrs).all() and lrs.size > last:
        yield Hypothesis(cause, _at(lrs), {"r": r} if r else {}, extra=extra, says=says)


def _at(lrs: Rates) -> LRFunction:
    return lambda t: lrs[np.minimum(t, lrs.size - 1)]


def _given_epochs(evidence: Evidence, schedule: Schedule, base: float) -> Iterator[Hypothesis]:
    """Where the steps of the trace leap, they are epochs that the scheduler was given."""
    steps = evidence.whole.steps
    from suite.engine.loop import installed_lrs

    leaps = {int(i): int(steps[i + 1]) for i in np.flatnonzero(np.diff(steps) > 1)}
    lrs = installed_lrs(schedule, base, steps.size, epochs=leaps)
    if lrs is not None:
        places = steps

        def at(t: Steps) -> Rates:
            return lrs[np.minimum(np.searchsorted(places, t), lrs.size - 1)]

        yield Hypothesis("torch-step-epoch", at, {"r": int(steps[min(leaps) + 1])})


def _plateau(evidence: Evidence, schedule: ReduceLROnPlateau) -> Iterator[Hypothesis]:
    """A first metric counts as bad, a change by eps is left out, or a tensor shared by n groups is reduced n times."""
    last, base = len(schedule.metrics), evidence.anatomy.base
    # torch compares the first metric with infinity, as if an epoch with that metric had come before it.
    worst = math.inf if schedule.mode == "min" else -math.inf
    late = dataclasses.replace(schedule, metrics=(worst, *schedule.metrics)).trace(last + 2, base)[1:]
    yield from _made("torch-plateau-first", late, last)
    above = dataclasses.replace(schedule, eps=math.nextafter(schedule.eps, math.inf))
    yield from _made("torch-plateau-eps", above.trace(last + 1, base), last)
    free = dataclasses.replace(schedule, min_lr=0.0, eps=0.0).trace(last + 1)
    drops = set((np.flatnonzero(np.diff(free) < 0) + 1).tolist())
    for groups in (2, 3, 4):
        lrs, rate = np.empty(last + 1), base
        for t in range(last + 1):
            for _ in range(groups if t in drops else 0):
                lower = max(rate * schedule.factor, schedule.min_lr)
                rate = lower if rate - lower > schedule.eps else rate
            lrs[t] = rate
        numbers = {"r": min(drops, default=0), "c": schedule.factor ** (groups - 1)}
        yield Hypothesis("factor-twice", _at(lrs), numbers)


def places(schedule: Schedule, chained: bool = False, first: bool = False, later: bool = False) -> Iterator[Place]:
    """Every scheduler of a composition with its place."""
    yield schedule, chained, first, later
    for i, part in enumerate(getattr(schedule, "schedulers", ())):
        phase = isinstance(schedule, SequentialLR)
        yield from places(part, chained or not phase, first or (phase and i == 0), phase and i > 0)


def _is_torch(schedule: Schedule) -> bool:
    return type(schedule).__module__.startswith(f"{Schedule.__module__.rpartition('.')[0]}.torch_") or isinstance(
        schedule, SequentialLR | ChainedScheduler
    )


def _empty(s: Schedule) -> bool:
    if isinstance(s, OneCycleLR):
        return s.pct_start * s.length <= 1 or s.pct_start == 1
    return isinstance(s, CyclicLR) and s.step_size_up == 0


_COMPOSITE = SequentialLR | ChainedScheduler
#: Cause → whether a composition has the structure in which torch does it; the first match names the deviation.
STRUCTURES: tuple[tuple[str, Callable[[list[Place]], bool]], ...] = (
    (
        "start-kept",
        lambda ps: any(isinstance(s, LinearLR | ConstantLR | PolynomialLR) and s.total_iters == 0 for s, *_ in ps),
    ),
    ("torch-empty-rise", lambda ps: any(_empty(s) for s, *_ in ps)),
    ("torch-composite-later", lambda ps: any(isinstance(s, _COMPOSITE) and later for s, _, _, later in ps)),
    ("phase-scaled", lambda ps: any(isinstance(s, MultiplicativeLR) and later for s, _, _, later in ps)),
    ("torch-swalr-goal", lambda ps: len({s.swa_lr for s, *_ in ps if isinstance(s, SWALR)}) > 1),
    ("torch-swalr-continues", lambda ps: any(isinstance(s, SWALR) and later for s, _, _, later in ps)),
    ("torch-sequential-in-chain", lambda ps: any(isinstance(s, SequentialLR) and chained for s, chained, *_ in ps)),
    ("nested-lost-step", lambda ps: any(isinstance(s, SequentialLR) and first for s, _, first, _ in ps)),
    ("torch-cycle-base", lambda ps: len(ps) > 1 and any(isinstance(s, OneCycleLR | CyclicLR) for s, *_ in ps)),
    ("torch-chain-first", lambda ps: any(isinstance(s, ChainedScheduler) and first for s, _, first, _ in ps)),
)


def name_of(schedule: Schedule) -> str:
    """The id of the cause for torch's deviation from this composition."""
    parts = list(places(schedule))
    return next((name for name, matches in STRUCTURES if matches(parts)), "torch-other")
