"""Aliasing: no tensor or list that goes in or out is shared with the scheduler or the parameter group."""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import pytest
import torch

from .support import (
    COMPOSITES,
    EVERY,
    PER_GROUP,
    PER_GROUP_IDS,
    SIMPLE,
    fresh,
    future,
    make,
    rates,
    scheduler_class,
    snapshot,
    step,
)

FULL_OR_NOT = pytest.mark.parametrize("full", [False, True], ids=["minimal", "full"])


def same_storage(one: Any, other: Any) -> bool:
    """Whether both are tensors that share memory."""
    return isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor) and one.data_ptr() == other.data_ptr()


@FULL_OR_NOT
@pytest.mark.parametrize("name", EVERY)
def test_a_tensor_rate_is_changed_in_place(name: str, full: bool) -> None:
    """group["lr"] remains the same object, before and after construction: compiled optimizers rely on it."""
    optimizer = fresh(groups=2, lr_type="tensor")
    before = [group["lr"] for group in optimizer.param_groups]
    scheduler = make(name, optimizer, full=full)
    for _ in range(9):
        step(scheduler)
        assert all(group["lr"] is lr for group, lr in zip(optimizer.param_groups, before, strict=True))


@pytest.mark.parametrize("name", SIMPLE)
def test_a_tensor_rate_is_changed_in_place_by_a_jump(name: str) -> None:
    """The same for step(epoch)."""
    optimizer = fresh(lr_type="tensor")
    before = optimizer.param_groups[0]["lr"]
    scheduler = make(name, optimizer)
    optimizer.step()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The epoch parameter")
        for epoch in (3, 1, 8):
            scheduler.step(epoch)
            assert optimizer.param_groups[0]["lr"] is before


@FULL_OR_NOT
@pytest.mark.parametrize("name", EVERY)
def test_the_type_of_a_rate_stays(name: str, full: bool) -> None:
    """A float stays a Python float, and every reported rate has the type of the group's."""
    for lr_type, kind in (("float", float), ("tensor", torch.Tensor)):
        optimizer = fresh(groups=2, lr_type=lr_type)
        scheduler = make(name, optimizer, full=full)
        for _ in range(9):
            assert all(type(group["lr"]) is kind for group in optimizer.param_groups)
            assert all(type(lr) is kind for lr in scheduler.get_last_lr())
            step(scheduler)


@FULL_OR_NOT
@pytest.mark.parametrize("name", EVERY)
def test_reported_rates_are_copies(name: str, full: bool) -> None:
    """Writing into the tensors of get_last_lr() changes no rate, now or later."""
    # Since release 2.10.
    plain, spoiled = (make(name, fresh(groups=2, lr_type="tensor"), full=full) for _ in range(2))
    for _ in range(9):
        for lr in spoiled.get_last_lr():
            assert not any(same_storage(lr, group["lr"]) for group in spoiled.optimizer.param_groups)
            lr.fill_(math.nan)
        assert rates(plain.optimizer) == rates(spoiled.optimizer)
        step(plain)
        step(spoiled)


@FULL_OR_NOT
@pytest.mark.parametrize("name", SIMPLE)
def test_get_lr_gives_copies(name: str, full: bool) -> None:
    """Writing into the tensors of get_lr() changes neither the group's rate nor the base rates."""
    scheduler = make(name, fresh(groups=2, lr_type="tensor"), full=full)
    for _ in range(9):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "To get the last learning rate")
            lrs = scheduler.get_lr()
        before = snapshot(scheduler.optimizer), copy.deepcopy(scheduler.base_lrs)
        for lr in lrs:
            if isinstance(lr, torch.Tensor):  # some classes compute floats from their arguments
                lr.fill_(math.nan)
        assert (snapshot(scheduler.optimizer), scheduler.base_lrs) == before
        step(scheduler)


@FULL_OR_NOT
@pytest.mark.parametrize("name", EVERY)
def test_each_rate_has_its_own_memory(name: str, full: bool) -> None:
    """lr and initial_lr of every group, base_lrs and get_last_lr() are all different tensors, at every step."""
    scheduler = make(name, fresh(groups=2, lr_type="tensor"), full=full)
    for _ in range(9):
        held = [group[k] for group in scheduler.optimizer.param_groups for k in ("lr", "initial_lr") if k in group]
        held += [*getattr(scheduler, "base_lrs", []), *scheduler.get_last_lr()]
        places = [lr.data_ptr() for lr in held if isinstance(lr, torch.Tensor)]
        assert len(places) == len(set(places))
        step(scheduler)


@pytest.mark.parametrize("name", SIMPLE)
def test_the_initial_rate_is_kept_apart(name: str) -> None:
    """The steps leave initial_lr and base_lrs as construction set them."""
    scheduler = make(name, fresh(groups=2, lr_type="tensor"))
    initial = [float(group["initial_lr"]) for group in scheduler.optimizer.param_groups]
    bases = [float(lr) for lr in scheduler.base_lrs]
    step(scheduler, 9)
    assert [float(group["initial_lr"]) for group in scheduler.optimizer.param_groups] == initial
    assert [float(lr) for lr in scheduler.base_lrs] == bases


@pytest.mark.parametrize("lr_type", ["float", "tensor"])
@pytest.mark.parametrize("name", EVERY)
def test_a_report_is_not_changed_by_later_steps(name: str, lr_type: str) -> None:
    """The result of get_last_lr() at a step does not change in later steps."""
    scheduler = make(name, fresh(groups=2, lr_type=lr_type), full=True)
    reports, copies = [], []
    for _ in range(6):
        reports.append(scheduler.get_last_lr())
        copies.append(copy.deepcopy(reports[-1]))
        step(scheduler)
    assert reports == copies


# SequentialLR keeps its milestones and lists of parts without copying: no docstring promises a copy.
OWN_LISTS = [*PER_GROUP, ("MultiStepLR", "milestones", [2, 5, 5])]


@pytest.mark.parametrize(("name", "argument", "values"), OWN_LISTS, ids=[*PER_GROUP_IDS, "MultiStepLR-milestones"])
def test_a_list_of_the_user_is_copied(name: str, argument: str, values: list[Any]) -> None:
    """It is not modified, and modifying it after construction has no effect."""
    given = list(values)
    plain = make(name, fresh(groups=3), **{argument: list(values)})
    spoiled = make(name, fresh(groups=3), **{argument: given})
    assert given == values
    given[:] = [given[-1]] * len(given)
    given.append(given[0])
    assert future(spoiled) == future(plain)


@pytest.mark.parametrize("name", COMPOSITES)
def test_lists_given_to_a_composite_are_left_alone(name: str) -> None:
    """Construction, steps, saving and loading modify neither the list of parts nor the milestones."""
    optimizer = fresh()
    parts = [make("LinearLR", optimizer), make("ExponentialLR", optimizer), make("StepLR", optimizer)]
    milestones = [2, 5]
    before = list(parts)
    cls = scheduler_class(name)
    scheduler = cls(optimizer, parts, milestones) if name == "SequentialLR" else cls(parts)
    step(scheduler, 8)
    scheduler.load_state_dict(scheduler.state_dict())
    assert parts == before
    assert milestones == [2, 5]


TENSORS = [row for row in PER_GROUP if not row[1].endswith(("lambda", "min_lr"))]


@pytest.mark.parametrize(("name", "argument", "values"), TENSORS, ids=[f"{n}-{a}" for n, a, _ in TENSORS])
@pytest.mark.parametrize("each", [False, True], ids=["one", "list"])
def test_a_tensor_argument_is_copied(name: str, argument: str, values: list[Any], each: bool) -> None:
    """One tensor for all groups, or one each: writing into it later changes no group's LR."""
    # Since release 2.10.
    futures = []
    for spoil in (False, True):
        given = [torch.tensor(v) for v in values]
        scheduler = make(name, fresh(groups=3, lr_type="tensor"), **{argument: given if each else given[0]})
        for tensor in given:
            tensor.fill_(math.nan if spoil else float(tensor))
        futures.append(str(future(scheduler)))
        held = [v for group in scheduler.optimizer.param_groups for v in group.values() if isinstance(v, torch.Tensor)]
        assert len({v.data_ptr() for v in held}) == len(held)
    assert futures[0] == futures[1]


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR"])
def test_other_betas_are_kept(name: str) -> None:
    """Cycling beta1 leaves the other betas of every group alone, and `betas` a tuple."""
    scheduler = make(name, fresh(groups=2, optimizer="adam"))
    for _ in range(6):
        assert [group["betas"][1:] for group in scheduler.optimizer.param_groups] == [(0.999,)] * 2
        step(scheduler)
