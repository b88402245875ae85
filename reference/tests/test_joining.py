"""A group that joins in mid-training, and an LR that is changed there: the laws that both must obey."""

from __future__ import annotations

import numpy as np
import pytest

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
    MultiplicativeLR,
    OneCycleLR,
    PolynomialLR,
    Schedule,
    SequentialLR,
    StepLR,
)
from reference.joining import OF_THE_BASE, continued, joined

LINEAR, EXPO, COSINE = LinearLR(0.13, 0.97, 6), ExponentialLR(0.89), CosineAnnealingLR(7, 1e-3)
#: Their LR depends on the base LR and the step alone.
FROM_BASE = [
    LINEAR,
    ConstantLR(0.37, 5),
    LambdaLR(EXPO),
    CosineAnnealingWarmRestarts(3, 2, 1e-3),
    OneCycleLR(0.23, 40),
    CyclicLR(0.017, 0.19, 3, 5),
]
#: They start at the base LR, so that a group that joins at step 0 is a group like any other.
DECAYS = [
    EXPO,
    StepLR(3, 0.7),
    MultiplicativeLR(LinearLR(0.71, 0.93, 7)),
    COSINE,
    PolynomialLR(11, 1.7),
    SWALR(0.023, 4),
    ChainedScheduler((EXPO, COSINE)),
    SequentialLR((EXPO, COSINE), (6,)),
]
COMPOSITES = [
    SequentialLR((LINEAR, COSINE), (6,)),
    SequentialLR((LINEAR, LambdaLR(EXPO)), (6,)),
    SequentialLR((SequentialLR((LINEAR, EXPO), (3,)), COSINE), (6,)),
    ChainedScheduler((LINEAR, EXPO)),
    ChainedScheduler((SequentialLR((LINEAR, StepLR(2, 0.7)), (6,)), EXPO)),
]
STEPS, LR = 20, 0.053
#: Products in another order: a few roundings for each of the steps.
RTOL = 8 * STEPS * 2.0**-53


def names(schedule: Schedule) -> str:
    """The test id."""
    return schedule.slug


@pytest.mark.parametrize("at", [0, 3, 6, 19])
@pytest.mark.parametrize("schedule", FROM_BASE, ids=names)
def test_a_function_of_the_base_lr_is_taken_at_the_next_step(schedule: Schedule, at: int) -> None:
    """The LR is in force at once; from the next step on the group is where it would be from the start."""
    assert isinstance(schedule, OF_THE_BASE)
    rates = joined(schedule, at, LR, STEPS)
    assert rates[0] == LR
    np.testing.assert_allclose(rates[1:], schedule.trace(STEPS, LR)[at + 1 :], rtol=RTOL)


@pytest.mark.parametrize("schedule", DECAYS, ids=names)
def test_a_group_that_joins_at_step_0_of_a_decay_is_like_any_other(schedule: Schedule) -> None:
    """Nothing has happened yet."""
    np.testing.assert_allclose(joined(schedule, 0, LR, STEPS), schedule.trace(STEPS, LR), rtol=RTOL)


def test_a_decay_takes_its_next_step_from_the_lr_of_the_group() -> None:
    """Two drops are over: the group takes those that follow."""
    assert joined(StepLR(3, 0.5), 7, 8.0, 13).tolist() == [8.0, 8.0, 4.0, 4.0, 4.0, 2.0]


@pytest.mark.parametrize("schedule", COMPOSITES[:3], ids=names)
@pytest.mark.parametrize("at", [0, 2, 5])
def test_a_phase_after_the_group_joined_starts_from_its_lr(schedule: Schedule, at: int) -> None:
    """From the milestone on it is where it would be from the start."""
    rates = joined(schedule, at, LR, STEPS)
    np.testing.assert_allclose(rates[6 - at :], schedule.trace(STEPS, LR)[6:], rtol=RTOL)


@pytest.mark.parametrize("schedule", COMPOSITES[3:], ids=names)
@pytest.mark.parametrize("at", [0, 2])
def test_in_a_chain_the_warmup_is_taken_whole_and_the_decay_from_here(schedule: Schedule, at: int) -> None:
    """The product of the warmup and of the decay since the group joined."""
    expected = schedule.trace(STEPS, LR) / 0.89**at
    np.testing.assert_allclose(joined(schedule, at, LR, STEPS)[1:], expected[at + 1 :], rtol=RTOL)


@pytest.mark.parametrize("schedule", [*FROM_BASE, *DECAYS, *COMPOSITES], ids=names)
@pytest.mark.parametrize("at", [0, 4, 6, 30])
def test_a_change_by_a_factor_of_1_changes_nothing(schedule: Schedule, at: int) -> None:
    """The maps lead where the closed form does."""
    np.testing.assert_allclose(continued(schedule, at, 1.0, STEPS, 0.3), schedule.trace(STEPS, 0.3), rtol=RTOL)


@pytest.mark.parametrize(
    "schedule", [LINEAR, EXPO, LambdaLR(EXPO), OneCycleLR(0.23, 40), COMPOSITES[1], COMPOSITES[3]], ids=names
)
@pytest.mark.parametrize("at", [0, 4, 8])
def test_a_change_lasts(schedule: Schedule, at: int) -> None:
    """Where nothing is absolute, all later LRs are multiplied; those before are not."""
    rates, changed = schedule.trace(STEPS, 0.3), continued(schedule, at, 0.1, STEPS, 0.3)
    np.testing.assert_allclose(changed[:at], rates[:at], rtol=RTOL)
    np.testing.assert_allclose(changed[at:], 0.1 * rates[at:], rtol=RTOL)


def test_a_changed_cosine_still_ends_at_its_minimum() -> None:
    """eta_min is absolute: the way there starts lower."""
    rates = continued(COSINE, 4, 0.1, 8, 0.3)
    assert rates[7] == pytest.approx(1e-3)
    assert (np.diff(rates[4:]) < 0).all()


def test_a_group_of_lr_0_keeps_its_factors_in_a_chain() -> None:
    """A part with an absolute term lifts it from 0; the warmup acts on that."""
    chain = ChainedScheduler((LinearLR(0.5, 1.0, 4), CosineAnnealingLR(8, 1.0)))
    small = chain.trace(9, 1e-12)
    np.testing.assert_allclose(chain.trace(9, 0.0), small, atol=1e-11)
