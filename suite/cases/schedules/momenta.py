"""Cycles of the momentum in composites: as the first phase, as a later one, in chains, two of them, resumed."""

from __future__ import annotations

from collections.abc import Iterator

from reference import (
    ChainedScheduler,
    CosineAnnealingLR,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    OneCycleLR,
    Schedule,
    SequentialLR,
    StepLR,
)
from suite.engine.axes import Setup
from suite.engine.case import Case

#: The two classes that cycle the momentum, with limits that no optimizer has by itself.
ONE_CYCLE = OneCycleLR(0.23, 40, base_momentum=0.81, max_momentum=0.93)
CYCLIC = CyclicLR(0.017, 0.19, 3, 5, base_momentum=0.71, max_momentum=0.83)
#: The same with the momentum left alone.
STILL = (OneCycleLR(0.23, 40, cycle_momentum=False), CyclicLR(0.017, 0.19, 3, 5, cycle_momentum=False))
#: What they are composed with.
OTHERS = (LinearLR(0.13, 1.0, 6), StepLR(3, 0.7), CosineAnnealingLR(11, 1e-3), LambdaLR(ExponentialLR(0.83)))


def compositions() -> Iterator[Schedule]:
    """Each cycle beside each other part, and beside the other cycle."""
    for cycle, other_cycle in ((ONE_CYCLE, CYCLIC), (CYCLIC, ONE_CYCLE)):
        for part in (*OTHERS, *STILL):
            for both in ((cycle, part), (part, cycle)):
                yield SequentialLR(both, (6,))
                yield ChainedScheduler(both)
        yield SequentialLR((cycle, other_cycle), (6,))
        yield ChainedScheduler((cycle, other_cycle))
        yield SequentialLR((OTHERS[0], cycle, OTHERS[2]), (3, 9))


def setups() -> Iterator[Setup]:
    """Momentum and beta1, groups with limits of their own, restored before and after the milestone, built backwards."""
    yield from (Setup(), Setup(optimizer="adam"), Setup(groups=3, lists=True), Setup(reverse=True))
    yield from (Setup(resume="builtfirst", cuts=(at,)) for at in (3, 7))
    yield Setup(groups=2, optimizer="adam", resume="builtfirst", cuts=(7,), saved=True)


def cases() -> Iterator[Case]:
    """Every composition in every setup."""
    yield from (Case("momenta", schedule, setup) for schedule in compositions() for setup in setups())
