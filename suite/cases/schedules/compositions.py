"""The compositions: every scheduler alone, every ordered pair in both composites, nestings to depth 3.

Parameters avoid symmetry: distinct primes for lengths, no factor of one half, so that a swapped
argument or a lost step cannot cancel out.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

from reference import (
    SWALR,
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
    StepLR,
)
from suite.engine.build import unvalidated, unvalidated_copy

#: A metric that improves, stalls, cools down and improves again, for ReduceLROnPlateau.
METRICS = (1.0, 0.8, 0.81, 0.8, 0.7999, 0.5, 0.51, 0.52, 0.53, 0.54, 0.4, 0.45, 0.46, 0.47, 0.48, 0.2, 0.3)

#: Every public scheduler once, with parameters; each ordered pair of them becomes a case.
#: Add a new class of torch here.
PARTS: tuple[Schedule, ...] = (
    LambdaLR(ExponentialLR(0.83)),
    MultiplicativeLR(LinearLR(0.71, 0.93, 7)),
    StepLR(3, 0.7),
    MultiStepLR((2, 5), 0.7),
    ConstantLR(0.37, 3),
    LinearLR(0.13, 0.97, 5),
    ExponentialLR(0.89),
    PolynomialLR(11, 1.7),
    CosineAnnealingLR(13, 1e-3),
    CosineAnnealingWarmRestarts(3, 2, 1e-3),
    OneCycleLR(0.23, 40, cycle_momentum=False),
    CyclicLR(0.017, 0.19, 3, 5, cycle_momentum=False),
    SWALR(0.023, 4),
    SequentialLR((ConstantLR(0.37, 2), ExponentialLR(0.89)), (2,)),
    ChainedScheduler((LinearLR(0.13, 0.97, 5), StepLR(3, 0.7))),
    unvalidated(ReduceLROnPlateau, metrics=METRICS),
    unvalidated(LRScheduler),
)


def twin(part: Schedule) -> Any:
    """The same class with other numbers: each argument that is off its default is moved, to a value as valid."""
    changes = {}
    for field in dataclasses.fields(part):  # type: ignore[arg-type]  # every Schedule is a dataclass
        value = getattr(part, field.name)
        if field.name != "metrics" and value != field.default:
            changes[field.name] = _moved(value)
    return unvalidated_copy(part, **changes)


def _moved(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_moved(item) for item in value)
    if isinstance(value, Schedule):
        return twin(value)
    if isinstance(value, int):
        return value if isinstance(value, bool) else value + 2
    # A contraction towards 1/2: different from before, and a factor or a share stays between 0 and 1.
    return round(0.9 * value + 0.05, 6)


def twins() -> Iterator[tuple[str, Schedule]]:
    """Two schedulers of one class with different arguments, in sequence and chained, in both orders."""
    one_cycle = OneCycleLR(0.23, 40, base_momentum=0.81, max_momentum=0.93)  # these two cycle the momentum as well
    cyclic = CyclicLR(0.017, 0.19, 3, 5, base_momentum=0.71, max_momentum=0.83)
    plateau = unvalidated(ReduceLROnPlateau, metrics=METRICS, factor=0.7, patience=1)
    for part in (*PARTS[:-2], one_cycle, cyclic, plateau):
        for both in ((part, twin(part)), (twin(part), part)):
            yield "sequential", unvalidated(SequentialLR, schedulers=both, milestones=(6,))
            yield "chained", unvalidated(ChainedScheduler, schedulers=both)


def singles() -> Iterator[Schedule]:
    """Every scheduler by itself, with its defaults and with every argument off its default."""
    lam, decay = LinearLR(0.71, 0.93, 7), ExponentialLR(0.83)
    yield from (part for part in PARTS if not isinstance(part, ReduceLROnPlateau | LRScheduler))
    yield from (LambdaLR(lam), MultiplicativeLR(decay))
    yield from (StepLR(1), StepLR(5), StepLR(2, 1.3), MultiStepLR((1,)), MultiStepLR((3, 3, 7), 1.3), MultiStepLR(()))
    yield from (ConstantLR(), ConstantLR(1.0, 3), ConstantLR(0.3, 1))
    yield from (LinearLR(), LinearLR(0.3, 0.0, 7), LinearLR(1.0, 0.1, 7), LinearLR(0.2, 1.0, 1))
    yield from (ExponentialLR(1.07), ExponentialLR(1.0), PolynomialLR(), PolynomialLR(1, 2.0))
    yield from (CosineAnnealingLR(7), CosineAnnealingLR(1), CosineAnnealingLR(2, 1e-3), CosineAnnealingLR(5, 0.01))
    yield from (CosineAnnealingWarmRestarts(5), CosineAnnealingWarmRestarts(1), CosineAnnealingWarmRestarts(2, 3, 1e-3))
    yield from (
        OneCycleLR(0.23, 20),
        OneCycleLR(0.23, epochs=5, steps_per_epoch=4),
        OneCycleLR(0.23, 20, anneal_strategy="linear", pct_start=0.4, div_factor=7.0, final_div_factor=30.0),
        OneCycleLR(0.23, 20, three_phase=True, base_momentum=0.81, max_momentum=0.93),
        OneCycleLR(0.23, 17, pct_start=1.0),
    )
    yield from (
        CyclicLR(0.017, 0.19),
        CyclicLR(0.017, 0.19, 3),
        CyclicLR(0.017, 0.19, 3, mode="triangular2", base_momentum=0.71, max_momentum=0.83),
        CyclicLR(0.017, 0.19, 3, 4, mode="exp_range", gamma=0.93),
        CyclicLR(0.017, 0.19, 3, 4, scale_fn=decay, cycle_momentum=False),
        CyclicLR(0.017, 0.19, 2, 3, scale_fn=decay, scale_mode="iterations"),
    )
    yield from (SWALR(0.023), SWALR(0.5, 5, "linear"), SWALR(0.023, 1))
    yield from (
        ReduceLROnPlateau(METRICS, patience=1),
        ReduceLROnPlateau((1.0,) * 24, patience=3, factor=0.2, threshold=0.0),
        ReduceLROnPlateau(METRICS, factor=0.7, patience=0, cooldown=2, min_lr=0.05),
        ReduceLROnPlateau(METRICS, "max", 0.7, 2, 0.01, "abs"),
        ReduceLROnPlateau(METRICS, "max", 0.7, 0, 0.1, "rel", 1),
        ReduceLROnPlateau(METRICS, "min", 0.3, 1, 0.15, "abs", eps=0.01),
    )


def edges() -> Iterator[Schedule]:
    """Lengths of 0, and other values at the limits of their range."""
    yield from (ConstantLR(0.3, 0), LinearLR(0.01, 1.0, 0), LinearLR(1.0, 0.3, 0), PolynomialLR(0), SWALR(0.023, 0))
    yield from (ConstantLR(0.0, 3), LinearLR(1.0, 0.0, 5), ConstantLR(1.0, 0), StepLR(3, 0.0), ExponentialLR(0.0))
    yield from (OneCycleLR(0.23, 17, pct_start=0.0), OneCycleLR(0.23, 16, pct_start=0.0625), OneCycleLR(0.23, 1))
    yield from (CyclicLR(0.017, 0.19, 1, 1), CyclicLR(0.017, 0.19, 4, 0), CyclicLR(0.017, 0.19, 0, 4))
    yield from (CosineAnnealingLR(7, 0.3), CosineAnnealingLR(7, 0.5), SequentialLR((LinearLR(0.2, 1.0, 4),), ()))
    yield ChainedScheduler((LinearLR(0.2, 1.0, 4),))
    yield ChainedScheduler((SWALR(0.1, 4, "linear"), SWALR(0.2, 6, "linear")))
    yield OneCycleLR(0.23, 16, pct_start=1.0)


def wrong_singles() -> Iterator[Schedule]:
    """Arguments that the documentation forbids: non-integer lengths, meaningless lengths of 0."""
    yield unvalidated(LinearLR, total_iters=4.5)
    yield unvalidated(ConstantLR, total_iters=4.5)
    yield unvalidated(PolynomialLR, total_iters=4.5)
    yield unvalidated(CosineAnnealingLR, T_max=4.5)
    yield unvalidated(CosineAnnealingLR, T_max=0)
    yield unvalidated(StepLR, step_size=2.5)
    yield unvalidated(StepLR, step_size=0)
    yield unvalidated(MultiStepLR, milestones=(2.5, 4))
    yield unvalidated(LinearLR, start_factor=0.0)
    yield unvalidated(LinearLR, start_factor=1.5)
    yield unvalidated(LinearLR, end_factor=-0.5)
    yield unvalidated(ConstantLR, factor=1.5)
    yield unvalidated(CosineAnnealingWarmRestarts, T_0=0)
    yield unvalidated(CosineAnnealingWarmRestarts, T_0=2.5)
    yield unvalidated(OneCycleLR, max_lr=0.1, total_steps=0)
    yield unvalidated(OneCycleLR, max_lr=0.1)
    yield unvalidated(SWALR, swa_lr=0.1, anneal_epochs=2.5)
    yield unvalidated(LRScheduler)


def pairs(milestone: int = 6) -> Iterator[tuple[str, Schedule]]:
    """Every ordered pair of public schedulers, in sequence and chained."""
    for first, second in itertools.product(PARTS, PARTS):
        yield "sequential", unvalidated(SequentialLR, schedulers=(first, second), milestones=(milestone,))
        yield "chained", unvalidated(ChainedScheduler, schedulers=(first, second))


def milestones() -> Iterator[Schedule]:
    """Every kind of milestone, in two and three phases, valid or not."""
    warmup, constant = LinearLR(0.13, 1.0, 4), ConstantLR(0.61, 9)
    cosine, expo = CosineAnnealingLR(11), ExponentialLR(0.89)
    for second in (constant, cosine, expo, StepLR(2, 0.7), LinearLR(0.9, 0.1, 7)):
        for at in (0, 1, 2, 4, 15, 16, 40):
            yield SequentialLR((warmup, second), (at,))
        for wrong in (4.5, -1):
            yield unvalidated(SequentialLR, schedulers=(warmup, second), milestones=(wrong,))
    for places in ((0, 0), (0, 5), (1, 2), (4, 4), (4, 9), (5, 40), (16, 16)):
        for third in (cosine, expo):
            yield SequentialLR((warmup, constant, third), places)
    for wrong_pair in ((9, 4), (4.5, 9), (4,), (4, 9, 12)):
        yield unvalidated(SequentialLR, schedulers=(warmup, constant, cosine), milestones=wrong_pair)
    yield unvalidated(SequentialLR, schedulers=(), milestones=())
    yield unvalidated(ChainedScheduler, schedulers=())


def nested() -> Iterator[tuple[str, Schedule]]:
    """Composites inside composites to depth 3, in every position."""
    leaves = (LinearLR(0.13, 1.0, 3), ExponentialLR(0.89), CosineAnnealingLR(17, 1e-3), ConstantLR(0.37, 2))
    inner: list[tuple[str, Schedule]] = []
    for a, b in itertools.permutations(leaves, 2):
        inner.append(("seq", SequentialLR((a, b), (3,))))
        inner.append(("chain", ChainedScheduler((a, b))))
    for kind, part in inner:
        for leaf in leaves[:2]:
            yield f"sequential[{kind},leaf]", SequentialLR((part, leaf), (7,))
            yield f"sequential[leaf,{kind}]", SequentialLR((leaf, part), (4,))
            yield f"chained[{kind},leaf]", ChainedScheduler((part, leaf))
            yield f"chained[leaf,{kind}]", ChainedScheduler((leaf, part))
    for (ka, a), (kb, b) in itertools.product(inner[:2], inner[2:4]):
        yield f"sequential[{ka},{kb}]", SequentialLR((a, b), (5,))
        yield f"chained[{ka},{kb}]", ChainedScheduler((a, b))
    for (ka, a), leaf, last in itertools.product(inner[:6], leaves[:1], leaves[2:3]):
        for wrap_inner, wrap_outer in itertools.product("sc", "sc"):
            middle: Schedule = SequentialLR((a, leaf), (5,)) if wrap_inner == "s" else ChainedScheduler((a, leaf))
            outer: Schedule = (
                SequentialLR((middle, last), (8,)) if wrap_outer == "s" else ChainedScheduler((middle, last))
            )
            yield f"depth3[{ka}]", outer
