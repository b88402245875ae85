"""What the docstrings promise for groups beside the LRs; groups that change are cases, in suite/cases/experiments."""

from __future__ import annotations

import pytest
import torch

from .support import SIMPLE, fresh, make, rates, step


def test_plateau_takes_its_default_minimum_for_a_new_group() -> None:
    """A scalar min_lr applies to groups added later too; each group is reduced down to it."""
    scheduler = make("ReduceLROnPlateau", fresh(), patience=0, factor=0.1, min_lr=0.02)
    scheduler.optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 0.5})
    step(scheduler, 2)
    assert rates(scheduler.optimizer) == pytest.approx([0.03, 0.05])
    step(scheduler, 3)
    assert rates(scheduler.optimizer) == [0.02, 0.02]
    assert scheduler.get_last_lr() == [0.02, 0.02]


def test_plateau_continues_when_its_list_of_minima_is_extended() -> None:
    """The error says to set min_lrs; after that the reduction happens, to each group's own minimum."""
    scheduler = make("ReduceLROnPlateau", fresh(groups=2), patience=0, min_lr=[0.01, 0.02])
    scheduler.optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 0.5})
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
