"""The end of a schedule: the steps up to it and past it, stepped, restored and jumped to."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from reference import (
    SWALR,
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
    StepLR,
)
from suite.cases.schedules.compositions import singles
from suite.cases.schedules.sample import parts, sample
from suite.engine.action import Action, Check
from suite.engine.axes import Setup
from suite.engine.case import Case, is_composite

#: The step up to which a schedule without an end is followed, and the longest run of this file.
ENDLESS, LONGEST = 12, 64


@dataclasses.dataclass(frozen=True)
class Ended(Action):
    """Nothing beside the loop, which leaves the last step of the schedule behind."""

    checks = (
        Check(
            "bounds",
            "the negative part of the LRs",
            "min(0.0, *(float(group['lr']) for group in optimizer.param_groups))",
            "0.0",
            "negative",
        ),
    )
    mark = "pastend"
    words = "past its end"


@dataclasses.dataclass(frozen=True)
class Completed(Action):
    """As many updates as OneCycleLR has, each followed by scheduler.step(), as in the example of its docstring.

    The last step() is one more than the cycle has LRs: the LR has to stay at its minimum, and the next step() fails.
    """

    general = False

    lowest: float  # min_lr of the docstring
    highest: float  # max_momentum

    @property
    def finish(self) -> str:
        """The LR and the momentum, and one more step."""
        return (
            f"import math\n\nlowest, highest = {self.lowest!r}, {self.highest!r}\n"
            "group = optimizer.param_groups[0]\n"
            "lr, momentum = float(group['lr']), group['momentum']\n"
            "lr = lowest if math.isclose(lr, lowest, rel_tol=1e-5) else lr\n"
            "try:\n    scheduler.step()\n    further = 'accepted'\nexcept ValueError:\n    further = 'ValueError'"
        )

    mark = "completed"
    words = "with as many updates as it has steps"

    @property
    def checks(self) -> tuple[Check, ...]:
        """The LR, its bounds, the momentum and the next step."""
        return (
            Check("lr", "the LR after the last step()", "lr", "lowest"),
            Check("bounds", "the negative part of the LR after the last step()", "min(lr, 0.0)", "0.0", "negative"),
            Check("momentum", "the momentum after the last step()", "max(momentum, highest)", "highest"),
            Check("refusal", "one more step()", "further", "'ValueError'", "accepted"),
        )


def end_of(schedule: Schedule) -> int:
    """The first step of the schedule from which it stays or repeats."""
    if isinstance(schedule, ConstantLR | LinearLR | PolynomialLR):
        return schedule.total_iters
    if isinstance(schedule, SequentialLR):
        return (schedule.milestones or (0,))[-1] + end_of(schedule.schedulers[-1])
    if isinstance(schedule, ChainedScheduler):
        return max(map(end_of, schedule.schedulers))
    if isinstance(schedule, CyclicLR):
        return schedule.step_size_up + (schedule.step_size_down or schedule.step_size_up)
    ends = {
        CosineAnnealingLR: lambda s: s.T_max,
        CosineAnnealingWarmRestarts: lambda s: s.T_0 * (1 + s.T_mult),
        MultiStepLR: lambda s: max(s.milestones, default=0),
        OneCycleLR: lambda s: s.length,
        SWALR: lambda s: s.anneal_epochs,
        StepLR: lambda s: 2 * s.step_size,
    }
    return ends[type(schedule)](schedule) if type(schedule) in ends else ENDLESS  # type: ignore[no-untyped-call]


def longest(schedule: Schedule) -> float:
    """The number of updates that the schedule has LRs for."""
    if isinstance(schedule, OneCycleLR):
        return schedule.length
    if isinstance(schedule, ReduceLROnPlateau):
        return len(schedule.metrics)
    if isinstance(schedule, ChainedScheduler):
        return min(map(longest, schedule.schedulers))
    if isinstance(schedule, SequentialLR):
        starts = (0, *schedule.milestones, LONGEST)
        phases = zip(schedule.schedulers, starts[:-1], starts[1:], strict=True)
        return min(
            (start + longest(part) for part, start, end in phases if start + longest(part) < end), default=math.inf
        )
    return math.inf


def past(schedule: Schedule) -> int:
    """Updates up to three steps past the end, past the second period where there is one."""
    again = 2 if isinstance(schedule, CosineAnnealingLR | CyclicLR) else 1
    return int(min(again * end_of(schedule) + 3, longest(schedule), LONGEST))


def cycles() -> Iterator[OneCycleLR]:
    """OneCycleLR in every strategy and number of phases."""
    for strategy in ("cos", "linear"):
        for three_phase in (False, True):
            for length in (10, 23):
                yield OneCycleLR(0.23, length, anneal_strategy=strategy, three_phase=three_phase)


def falls() -> Iterator[LinearLR]:
    """LinearLR down to 0, of various lengths: the last factor is 0 only up to rounding."""
    for start in (1.0, 0.9, 0.7, 0.3, 0.1):
        for length in (2, 4, 5, 7, 9, 14, 23, 59):
            yield LinearLR(start, 0.0, length)


def cases() -> Iterator[Case]:
    """Every class and composition past its end; the end of OneCycleLR; restoring and jumping around each end."""
    for schedule in (*singles(), *sample()):
        for lr_type in ("float", "tensor"):
            yield Case("ends", schedule, Setup(lr_type=lr_type, actions=(Ended(),)), past(schedule))
    for fall in falls():
        yield Case("ends", fall, Setup(actions=(Ended(),)), fall.total_iters + 3)
    for fall in list(falls())[1::5]:
        yield Case("ends", fall, Setup(lr_type="tensor", actions=(Ended(),)), fall.total_iters + 3)
        yield Case("ends", SequentialLR((ConstantLR(0.37, 3), fall), (3,)), Setup(actions=(Ended(),)), past(fall) + 3)
    for cycle in cycles():
        low = cycle.max_lr / cycle.div_factor / cycle.final_div_factor
        for lr_type in ("float", "tensor"):
            setup = Setup(lr_type=lr_type, actions=(Completed(low, cycle.max_momentum),))
            yield Case("ends", cycle, setup, cycle.length)
            chain = ChainedScheduler((cycle, ConstantLR(1.0, 3)))
            yield Case("ends", chain, setup, cycle.length)
    yield from _around()


def _around() -> Iterator[Case]:
    """Restored at, before and after the end, and jumped there by step(epoch)."""
    for schedule in parts():
        end, last = end_of(schedule), longest(schedule)
        steps = int(min(end + 6, last))
        if isinstance(schedule, ReduceLROnPlateau):
            continue
        for cut in (end - 1, end, end + 1):
            if cut < steps:
                for order in ("builtfirst", "lastepoch"):
                    yield Case("ends", schedule, Setup(resume=order, cuts=(cut,)), steps)
        for epoch in (end - 1, end, end + 1, end + 2):
            if not is_composite(schedule) and epoch + 3 < last:
                yield Case("ends", schedule, Setup(jumps=(epoch,)), 6)
