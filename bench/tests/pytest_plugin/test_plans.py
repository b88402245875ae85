"""Every form of a plan gives the schedule that it means, and a plan that cannot be used says why in one line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    ReduceLROnPlateau,
    SequentialLR,
)

from bench.pytest_plugin.plans import MeasuredSchedule, called_schedule, planned_groups
from bench.tests.pytest_plugin.runs import LR, SLUG, TOTAL, HalvingLR, sequential
from reference import CosineDecay, LinearWarmup, family, parse
from suite.releases.cache import ReleaseError


def with_its_optimizer() -> tuple[Optimizer, SequentialLR]:
    """A factory that takes nothing."""
    optimizer = SGD([torch.zeros(1)], lr=LR)
    return optimizer, sequential(optimizer)


@pytest.mark.parametrize(
    "plan",
    [
        SLUG,
        parse(SLUG),
        sequential,
        with_its_optimizer,
        lambda optimizer: {"lr_scheduler": {"scheduler": sequential(optimizer)}},
        lambda optimizer: parse(SLUG),
    ],
    ids=["slug", "schedule", "factory", "own_optimizer", "lightning", "gives_a_schedule"],
)
def test_forms_of_one_plan(plan: Any) -> None:
    """A slug, a schedule and a factory of the same schedule are one plan."""
    (group,) = planned_groups(plan, [LR], 1, TOTAL)
    assert (group.schedule, group.base_lr) == (parse(SLUG), LR)


def test_a_class_with_arguments_is_a_factory() -> None:
    """`functools.partial` of a scheduler is a plan for every group, each with its base LR."""
    groups = planned_groups(functools.partial(CosineAnnealingLR, T_max=TOTAL), [0.1, 0.2], 2, TOTAL)
    assert [group.base_lr for group in groups] == [0.1, 0.2]
    assert len({group.schedule for group in groups}) == 1


def test_groups_may_have_schedules_of_their_own() -> None:
    """A LambdaLR with a function for each group gives each group its own."""
    groups = planned_groups(lambda o: LambdaLR(o, [lambda t: 1.0, lambda t: 0.5]), [0.1, 0.1], 2, TOTAL)
    assert [float(group.schedule(3, group.base_lr)) for group in groups] == [0.1, 0.05]


def test_a_scheduler_without_a_closed_form_is_stepped() -> None:
    """The LRs that it gives, one step for each update, are the plan; past them the last one stays."""
    (group,) = planned_groups(HalvingLR, [0.4], 1, 4)
    assert isinstance(group.schedule, MeasuredSchedule)
    assert group.schedule(np.arange(6), group.base_lr).tolist() == [0.4, 0.2, 0.1, 0.05, 0.05, 0.05]


def test_a_call_of_a_library_is_its_documentation() -> None:
    """A call of transformers as text is what it documents: family A."""
    try:
        schedule = called_schedule("get_cosine_schedule_with_warmup(optimizer, 5, 50)", LR, 50)
    except ReleaseError as error:
        pytest.skip(f"the library's files are not at hand: {error}")
    expected = family("A", LinearWarmup(5), CosineDecay(45))
    np.testing.assert_allclose(schedule.trace(50, LR), expected.trace(50, LR), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("plan", "bases", "words"),
    [
        (7, [LR], "plan=7 must be a slug, a schedule, a call"),
        ("linear", [LR], "linear"),
        (SLUG, None, "base_lr=None must be"),
        (sequential, None, "base_lr=None must be the learning rate of the optimizer"),
        (lambda o: None, [LR], "must give one scheduler, but gave None"),
        (lambda o: [ExponentialLR(o, 0.9), LinearLR(o)], [LR], "must give one scheduler, but gave"),
        (ReduceLROnPlateau, [LR], "must not depend on a metric"),
        (with_its_optimizer, [LR, LR], "has 1 parameter groups, the run has 2"),
    ],
)
def test_a_plan_that_cannot_be_used(plan: str | Callable[..., Any], bases: list[float] | None, words: str) -> None:
    """One line says why."""
    with pytest.raises(ValueError, match=words) as error:
        planned_groups(plan, bases, len(bases or [LR]), TOTAL)
    assert "\n" not in str(error.value)
