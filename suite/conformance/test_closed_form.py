"""step(epoch): jumps to any epoch, from any epoch, and continues from there."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from reference import (
    SWALR,
    ChainedScheduler,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
)
from suite.cases.schedules import compositions
from suite.engine import tolerances
from suite.engine.axes import Setup
from suite.engine.build import build
from suite.engine.subject import installed

from .support import rates

#: Target epochs, in an order that moves forwards, backwards and not at all.
JUMPS = (0, 1, 7, 3, 3, 2, 12, 11, 5, 6, 4, 13, 14, 8, 9, 10, 0, 16)

#: Their step has no closed form: it multiplies, counts its own calls, or needs a metric.
RECURSIVE = (MultiplicativeLR, SWALR, ReduceLROnPlateau, SequentialLR, ChainedScheduler)
#: Their LR at an epoch overwrites the previous one, so that step() continues from any jump.
OVERWRITING = (LambdaLR, CosineAnnealingWarmRestarts, OneCycleLR, CyclicLR)

CLOSED = [s for s in compositions.singles() if not isinstance(s, RECURSIVE)]


def make(schedule: Schedule, setup: Setup) -> Any:
    """The torch scheduler on a fresh optimizer that has taken its first step."""
    scheduler = build(schedule, setup.make_optimizer(), installed(), lists=setup.lists)
    scheduler.optimizer.step()
    return scheduler


def jump(scheduler: Any, epoch: float) -> None:
    """step(epoch) without its deprecation warning, which test_warnings.py covers."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The epoch parameter")
        scheduler.step(epoch)


def agrees(scheduler: Any, schedule: Schedule, setup: Setup, epoch: int) -> None:
    """The LRs of all groups, and get_last_lr(), match the reference at this epoch."""
    kind = "float" if setup.lr_type == "float" else "float32"
    expected = np.array([schedule(epoch, base) for base in setup.base_lrs()])
    peak = max(float(np.abs(schedule.trace(17, base)).max()) for base in setup.base_lrs())
    allowed = tolerances.relative(17, kind) * np.abs(expected) + tolerances.of_peak(17, kind) * peak
    assert (np.abs(np.array(rates(scheduler.optimizer)) - expected) <= allowed).all(), epoch
    assert [float(lr) for lr in scheduler.get_last_lr()] == rates(scheduler.optimizer)
    assert scheduler.last_epoch == epoch


@pytest.mark.parametrize("setup", [Setup(groups=2), Setup(lr_type="tensor")], ids=["float", "tensor"])
@pytest.mark.parametrize("schedule", CLOSED, ids=[s.slug for s in CLOSED])
def test_step_to_an_epoch(schedule: Schedule, setup: Setup) -> None:
    """After step(e) the LR is the schedule's at e, whatever the epoch before was."""
    scheduler = make(schedule, setup)
    for epoch in JUMPS:
        jump(scheduler, epoch)
        agrees(scheduler, schedule, setup, epoch)


@pytest.mark.parametrize("schedule", CLOSED, ids=[s.slug for s in CLOSED])
def test_steps_go_on_from_a_jump(schedule: Schedule) -> None:
    """step() after step(e) gives the LR at e + 1, unless the LR at e was zero and cannot be multiplied back."""
    setup = Setup(groups=2)
    for epoch in (0, 1, 4, 6, 9):
        scheduler = make(schedule, setup)
        jump(scheduler, epoch)
        for after in range(epoch + 1, epoch + 4):
            lost = min(rates(scheduler.optimizer)) < 1e-12 and not isinstance(schedule, OVERWRITING)
            scheduler.step()
            if not lost:
                agrees(scheduler, schedule, setup, after)


@pytest.mark.parametrize("schedule", CLOSED, ids=[s.slug for s in CLOSED])
def test_a_jump_forgets_the_present_rate(schedule: Schedule) -> None:
    """The closed form starts from the base LR, so step(e) corrects an LR that the user changed."""
    setup = Setup(groups=2)
    scheduler = make(schedule, setup)
    for group in scheduler.optimizer.param_groups:
        group["lr"] *= 17.0
    jump(scheduler, 3)
    agrees(scheduler, schedule, setup, 3)


# Not CosineAnnealingWarmRestarts: it does not derive the cycle from last_epoch; the resumed cases show that.
RESUMED = [s for s in CLOSED if isinstance(s, LambdaLR | CosineAnnealingLR | OneCycleLR | CyclicLR)]


@pytest.mark.parametrize("schedule", RESUMED, ids=[s.slug for s in RESUMED])
def test_get_lr_of_a_resumed_scheduler_is_the_schedule(schedule: Schedule) -> None:
    """Built with last_epoch=k, get_lr() is the documented function of the base LR at epoch k + 1, for every group."""
    setup = Setup(groups=2)
    for last_epoch in (0, 1, 4, 9):
        optimizer = make(schedule, setup).optimizer
        for group in optimizer.param_groups:
            group["lr"] = 17.0  # the LR of the moment has no say
        scheduler = build(schedule, optimizer, installed(), last_epoch=last_epoch)
        with pytest.warns(UserWarning, match="get_last_lr"):
            actual = scheduler.get_lr()
        expected = [schedule(last_epoch + 1, base) for base in setup.base_lrs()]
        assert actual == pytest.approx(expected, rel=1e-12, abs=1e-15)


def cycle_place(epoch: float, first: int, factor: int) -> tuple[float, int]:
    """Epochs since the restart and the length of the cycle, by iterating over the cycles."""
    start, length = 0, first
    while epoch >= start + length:
        start, length = start + length, length * factor
    return epoch - start, length


def fractions(first: int, factor: int) -> Iterator[float]:
    """Epochs within, just before and at the restarts of the first four cycles, forwards and backwards."""
    ends = [first * sum(factor**i for i in range(n)) for n in range(1, 4)]
    for end in ends:
        yield from (end - 0.25, float(end), end, end + 0.5, end + 1)
    yield from (0.0, 0, 0.5, first - 0.5, ends[-1] + 0.75, 1.25)


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("first", [1, 3, 5])
@pytest.mark.parametrize("eta_min", [0.0, 0.01])
def test_warm_restarts_take_a_fraction(first: int, factor: int, eta_min: float) -> None:
    """step(epoch + i/n) gives eta_min + (base − eta_min)·½(1 + cos(π T_cur/T_i)), anywhere in any cycle."""
    setup = Setup(groups=2)
    scheduler = make(CosineAnnealingWarmRestarts(first, factor, eta_min), setup)
    for epoch in fractions(first, factor):
        scheduler.step(epoch)
        place, length = cycle_place(epoch, first, factor)
        share = (1 + math.cos(math.pi * place / length)) / 2
        expected = [eta_min + (base - eta_min) * share for base in setup.base_lrs()]
        assert rates(scheduler.optimizer) == pytest.approx(expected, rel=1e-12, abs=1e-15), epoch
        assert scheduler.get_last_lr() == rates(scheduler.optimizer)
        assert scheduler.T_cur == pytest.approx(place)
        assert scheduler.T_i == length
        assert scheduler.last_epoch == math.floor(epoch)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_warm_restarts_go_on_from_a_jump(factor: int) -> None:
    """step() after step(e) is one whole epoch later, also across restarts."""
    schedule = CosineAnnealingWarmRestarts(3, factor)
    for epoch in range(14):
        scheduler = make(schedule, Setup())
        scheduler.step(epoch)
        for after in range(epoch + 1, epoch + 12):
            scheduler.step()
            assert rates(scheduler.optimizer) == pytest.approx([schedule(after, 0.3)], rel=1e-12, abs=1e-15)
            assert scheduler.last_epoch == after


#: T_mult and the number of the cycle where int(math.log(…, T_mult)) falls one short of a whole logarithm.
ROUNDED_DOWN = {(3, 5), (9, 5), (10, 3)}
CYCLES = [
    pytest.param(
        factor,
        cycle,
        marks=pytest.mark.xfail(
            strict=True, reason="a rounded logarithm puts the restart at the end of the cycle before"
        )
        if (factor, cycle) in ROUNDED_DOWN
        else (),
    )
    for factor in range(2, 11)
    for cycle in range(1, 6)
]


@pytest.mark.parametrize(("factor", "cycle"), CYCLES)
def test_warm_restarts_hit_each_restart(factor: int, cycle: int) -> None:
    """step(e) at the first epoch of a cycle gives the base LR, after any number of cycles."""
    scheduler = make(CosineAnnealingWarmRestarts(2, factor, 1e-3), Setup())
    scheduler.step(2 * (factor**cycle - 1) // (factor - 1))
    assert rates(scheduler.optimizer) == [0.3]


def test_warm_restarts_refuse_a_negative_epoch() -> None:
    """ValueError with the value; the scheduler does not move."""
    scheduler = make(CosineAnnealingWarmRestarts(3), Setup())
    scheduler.step(2)
    before = rates(scheduler.optimizer), scheduler.last_epoch
    for epoch in (-1, -0.5, -1e-9):
        with pytest.raises(ValueError, match=f"non-negative epoch.*{epoch}"):
            scheduler.step(epoch)
        assert (rates(scheduler.optimizer), scheduler.last_epoch) == before


def test_multiplying_has_no_closed_form() -> None:
    """MultiplicativeLR.step(e) multiplies the current LR by the factor of epoch e."""
    factor = LinearLR(0.71, 0.93, 7)
    scheduler = make(MultiplicativeLR(factor), Setup())
    for epoch in (4, 2, 9):
        before = rates(scheduler.optimizer)
        jump(scheduler, epoch)
        assert rates(scheduler.optimizer) == pytest.approx([lr * factor(epoch) for lr in before])
