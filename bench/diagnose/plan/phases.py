"""The parts of a composition with the steps at which each is in charge."""

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
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
)

from .called import numbers_inside


@dataclasses.dataclass(frozen=True)
class PlannedPhase:
    """A scheduler that is made of no others, and its place.

    `start` and `stop`: the steps of the run from and up to which it acts; `stop` is infinite for the last one;
    `chained`: whether others act at the same steps; `before`: the schedulers that its chain applies before it.
    """

    schedule: Schedule
    start: int
    stop: float
    chained: bool = False
    before: tuple[Schedule, ...] = ()

    @property
    def name(self) -> str:
        """Its class."""
        return type(self.schedule).__name__

    @property
    def length(self) -> int | None:
        """The steps after which it is done, by its own arguments; None if it has no end."""
        schedule = self.schedule
        if isinstance(schedule, LinearLR | ConstantLR | PolynomialLR):
            return schedule.total_iters
        if isinstance(schedule, CosineAnnealingLR):
            return schedule.T_max
        if isinstance(schedule, SWALR):
            return schedule.anneal_epochs
        if isinstance(schedule, OneCycleLR):
            return schedule.length
        return max(schedule.milestones, default=None) if isinstance(schedule, MultiStepLR) else None

    @property
    def rises(self) -> bool:
        """Whether it is a warmup: its last factor is above its first."""
        schedule = self.schedule
        return (isinstance(schedule, LinearLR) and schedule.end_factor > schedule.start_factor) or (
            isinstance(schedule, ConstantLR) and schedule.factor < 1
        )

    @property
    def repeats(self) -> bool:
        """Whether it may rise after a decay by its nature; SWALR goes to its target from below too."""
        return isinstance(self.schedule, CosineAnnealingWarmRestarts | CyclicLR | SWALR)

    @property
    def overwrites(self) -> bool:
        """Whether its value replaces what the schedulers before it in a chain have set."""
        return isinstance(self.schedule, LambdaLR | OneCycleLR | CyclicLR | CosineAnnealingWarmRestarts)


def phases(
    schedule: Schedule,
    start: int = 0,
    stop: float = math.inf,
    chained: bool = False,
    before: tuple[Schedule, ...] = (),
) -> Iterator[PlannedPhase]:
    """Every part that is made of no others; parts that never act are left out.

    >>> from reference import sequential, ExponentialLR
    >>> [(p.name, p.start, p.stop) for p in phases(sequential(LinearLR(), ExponentialLR(0.9), milestones=[5]))]
    [('LinearLR', 0, 5), ('ExponentialLR', 5, inf)]
    """
    if isinstance(schedule, SequentialLR):
        starts = [0, *schedule.milestones]
        ends = [*schedule.milestones, math.inf]
        for part, first, end in zip(schedule.schedulers, starts, ends, strict=True):
            if first < end and start + first < stop:
                yield from phases(part, start + first, min(stop, start + end), chained, before)
    elif isinstance(schedule, ChainedScheduler):
        several = len(schedule.schedulers) > 1
        for i, part in enumerate(schedule.schedulers):
            yield from phases(part, start, stop, chained or several, (*before, *schedule.schedulers[:i]))
    else:
        yield PlannedPhase(schedule, start, stop, chained, before)


def length_of(schedule: Schedule) -> float:
    """The steps after which a schedule ends, by its arguments: infinity if it has no end, NaN if it does not say.

    A function of transformers has its total as an argument. Source: optimization.py, transformers 5.24.

    >>> length_of(CosineAnnealingLR(90)), length_of(MultiStepLR((30, 60)))
    (90, inf)
    """
    if isinstance(schedule, SequentialLR):
        starts = [0, *schedule.milestones]
        return starts[-1] + length_of(schedule.schedulers[-1])
    if isinstance(schedule, ChainedScheduler):
        known = [length for part in schedule.schedulers if not math.isnan(length := length_of(part))]
        return max(known, default=math.nan)
    if isinstance(schedule, LambdaLR):
        function = getattr(schedule.lr_lambda, "function", None)
        return float(numbers_inside(function).get("num_training_steps", math.nan))
    if isinstance(schedule, SWALR | ReduceLROnPlateau | MultiplicativeLR):
        return math.nan
    own = PlannedPhase(schedule, 0, math.inf).length
    return math.inf if own is None or isinstance(schedule, MultiStepLR) else own


def end_of(schedule: Schedule) -> float:
    """The first step for which the schedule has no value: after the end of a OneCycleLR; infinity if it has no end.

    >>> end_of(OneCycleLR(0.1, total_steps=50)), end_of(LinearLR())
    (50, inf)
    """
    cycles = ((p, p.start + p.schedule.length) for p in phases(schedule) if isinstance(p.schedule, OneCycleLR))
    return min((end for phase, end in cycles if end < phase.stop), default=math.inf)
