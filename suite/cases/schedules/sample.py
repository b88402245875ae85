"""The compositions that are crossed with the experiments: every class alone and in composites, few enough to cross."""

from __future__ import annotations

from collections.abc import Iterator

from reference import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
    StepLR,
)

from .compositions import PARTS, pairs

#: Every how many ordered pairs of classes one is in the sample; prime, so that both sides vary.
STRIDE = 23


def crossed() -> tuple[Schedule, ...]:
    """The composites that are crossed with every axis; each has a milestone or a drop at step 6."""
    linear = LinearLR(0.13, 1.0, 6)
    return (
        SequentialLR((linear, CosineAnnealingLR(11)), (6,)),
        SequentialLR((linear, CosineAnnealingLR(11, 1e-3)), (6,)),
        SequentialLR((linear, ConstantLR(1.0, 3), CosineAnnealingLR(7, 1e-3)), (6, 9)),
        SequentialLR((ConstantLR(0.37, 6), ExponentialLR(0.89)), (6,)),
        SequentialLR((linear, StepLR(3, 0.7)), (6,)),
        SequentialLR((linear, LambdaLR(ExponentialLR(0.83))), (6,)),
        SequentialLR((linear, MultiplicativeLR(ExponentialLR(0.83))), (6,)),
        SequentialLR((linear, CosineAnnealingWarmRestarts(3, 2)), (6,)),
        SequentialLR((linear, OneCycleLR(0.23, 40)), (6,)),
        ChainedScheduler((linear, ExponentialLR(0.89))),
        ChainedScheduler((linear, CosineAnnealingLR(11, 1e-3))),
        ChainedScheduler((ConstantLR(0.37, 6), StepLR(3, 0.7), ExponentialLR(0.97))),
        ChainedScheduler((linear, LambdaLR(ExponentialLR(0.83)))),
        SequentialLR((ChainedScheduler((linear, StepLR(4, 0.7))), CosineAnnealingLR(11)), (6,)),
        ChainedScheduler((SequentialLR((linear, ConstantLR(1.0, 3)), (6,)), ExponentialLR(0.89))),
        SequentialLR((SequentialLR((linear, ConstantLR(1.0, 3)), (6,)), CosineAnnealingLR(11)), (9,)),
    )


def parts() -> Iterator[Schedule]:
    """Every public scheduler once; the base class, which schedules nothing, is left out."""
    yield from (part for part in PARTS if not isinstance(part, LRScheduler))


def sample() -> Iterator[Schedule]:
    """Every class alone, the composites with a milestone at step 6, and some pairs of every two classes."""
    yield from parts()
    yield from crossed()
    schedules = [schedule for _, schedule in pairs()]
    for schedule in schedules[::STRIDE]:
        if not any(isinstance(part, LRScheduler | ReduceLROnPlateau) for part in schedule.schedulers):  # type: ignore[attr-defined]
            yield schedule
