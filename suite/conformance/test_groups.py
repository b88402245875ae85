"""Groups added later, and per-group lists: no group is silently ignored."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

from .support import SIMPLE, fresh, make, rates, step

#: They store the groups of their construction by list or by key, so a new group is an error.
FIXED = [
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "LambdaLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "SWALR",
]
#: They multiply a group's current LR, so a new group is scheduled too.
FOLLOWING = sorted(set(SIMPLE) - set(FIXED))


def add_group(optimizer: Any, lr: Any = 0.5) -> None:
    """A parameter group added after the scheduler was built."""
    optimizer.add_param_group({"params": [torch.zeros(1)], "lr": lr})


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("full", [False, True], ids=["minimal", "full"])
@pytest.mark.parametrize("name", FIXED)
def test_a_new_group_is_an_error(name: str, full: bool, groups: int) -> None:
    """The next step raises; no group keeps its LR while the others change."""
    # Since release 2.10 this raises; older releases ignored the last group.
    scheduler = make(name, fresh(groups=groups), full=full)
    step(scheduler, 2)
    add_group(scheduler.optimizer)
    with pytest.raises((ValueError, KeyError)):
        step(scheduler)


@pytest.mark.parametrize("name", FOLLOWING)
@pytest.mark.parametrize("full", [False, True], ids=["minimal", "full"])
def test_a_new_group_follows(name: str, full: bool) -> None:
    """A group added with another group's LR keeps the same LR as that group, until a step needs its base LR."""
    optimizer = fresh()
    scheduler = make(name, optimizer, full=full)
    step(scheduler, 2)
    add_group(optimizer, rates(optimizer)[0])
    for _ in range(5):
        step(scheduler)
        now = rates(optimizer)
        assert now[0] == now[1]
        assert [float(lr) for lr in scheduler.get_last_lr()] == now


@pytest.mark.parametrize("name", FOLLOWING)
def test_a_jump_needs_the_base_rate_of_each_group(name: str) -> None:
    """step(epoch) starts from the base LRs: a group without one is an error, not silently ignored."""
    scheduler = make(name, fresh())
    step(scheduler)
    add_group(scheduler.optimizer)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The epoch parameter")
        with pytest.raises(ValueError, match=r"zip\(\)"):
            scheduler.step(4)


@pytest.mark.parametrize("change", ["added", "removed"])
@pytest.mark.parametrize("length", [1, 3])
def test_the_cosine_needs_the_base_rates_after_its_minimum(change: str, length: int) -> None:
    """One step after eta_min the cosine adds a share of each base LR: the groups must not have changed."""
    scheduler = make("CosineAnnealingLR", fresh(groups=2), T_max=length)
    step(scheduler, length)
    if change == "added":
        add_group(scheduler.optimizer)
    else:
        scheduler.optimizer.param_groups.pop()
    with pytest.raises(ValueError, match=r"zip\(\)"):
        step(scheduler)


@pytest.mark.parametrize("name", SIMPLE)
def test_a_removed_group_is_an_error_or_leaves_the_others_alone(name: str) -> None:
    """With one group fewer, the step raises, or the remaining groups get the same LRs as before."""
    one, two = fresh(groups=1), fresh(groups=2)
    alone, scheduler = make(name, one), make(name, two)
    step(alone, 2)
    step(scheduler, 2)
    two.param_groups.pop()
    step(alone)
    if name in FOLLOWING or name in ("OneCycleLR", "SWALR"):
        step(scheduler)
        assert rates(two) == rates(one)
    else:
        with pytest.raises(ValueError, match=r"zip\(\)"):
            step(scheduler)


def test_plateau_takes_its_default_minimum_for_a_new_group() -> None:
    """A scalar min_lr applies to groups added later too; each group is reduced down to it."""
    scheduler = make("ReduceLROnPlateau", fresh(), patience=0, factor=0.1, min_lr=0.02)
    add_group(scheduler.optimizer)
    step(scheduler, 2)
    assert rates(scheduler.optimizer) == pytest.approx([0.03, 0.05])
    step(scheduler, 3)
    assert rates(scheduler.optimizer) == [0.02, 0.02]
    assert scheduler.get_last_lr() == [0.02, 0.02]


@pytest.mark.parametrize("container", [list, tuple])
def test_plateau_with_a_list_of_minima_refuses_a_new_group(container: Any) -> None:
    """A list has no value for the new group: RuntimeError with both counts, at the reduction."""
    scheduler = make("ReduceLROnPlateau", fresh(groups=2), patience=0, min_lr=container([0.01, 0.02]))
    add_group(scheduler.optimizer)
    step(scheduler)
    with pytest.raises(RuntimeError, match=r"\(3\).*\(2\).*min_lrs"):
        step(scheduler)


def test_plateau_goes_on_when_the_list_is_mended() -> None:
    """The error says to set min_lrs; after that the reduction happens, to each group's own minimum."""
    scheduler = make("ReduceLROnPlateau", fresh(groups=2), patience=0, min_lr=[0.01, 0.02])
    add_group(scheduler.optimizer)
    scheduler.min_lrs = [0.01, 0.02, 0.03]
    step(scheduler, 5)
    assert rates(scheduler.optimizer) == [0.01, 0.02, 0.03]


@pytest.mark.parametrize("name", ["ReduceLROnPlateau", *SIMPLE])
def test_reported_rates_count_the_groups(name: str) -> None:
    """get_last_lr() has one entry for each group, in the order of the groups."""
    for groups in (1, 2, 3):
        scheduler = make(name, fresh(groups=groups), full=True)
        for _ in range(4):
            assert scheduler.get_last_lr() == rates(scheduler.optimizer)
            step(scheduler)
