"""What the table of known deviations advises against a wrong docstring does what the docstring says."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR, ReduceLROnPlateau

from suite.engine.loop import TrainingLoop, dummy_optimizer
from suite.known.deviations import table

STEPS = 14


def test_a_scale_function_can_count_within_its_cycle() -> None:
    """x % (up + down) gives gamma ** (iterations since the start of the cycle)."""
    assert "x % (up + down)" in table()["docs-cycle-iterations"].workaround
    up, down, gamma = 3, 2, 0.9
    optimizer = dummy_optimizer(0.1)
    scheduler = CyclicLR(
        optimizer, 0.1, 0.5, up, down, scale_fn=lambda x: gamma ** (x % (up + down)), scale_mode="iterations"
    )
    rates = [row[0] for row in TrainingLoop(optimizer, scheduler).lrs(STEPS)]
    within = [step % (up + down) for step in range(STEPS)]
    triangle = [x / up if x <= up else (up + down - x) / down for x in within]
    assert rates == pytest.approx([0.1 + 0.4 * t * gamma**x for t, x in zip(triangle, within, strict=True)])


@pytest.mark.parametrize("mode", ["min", "max"])
def test_an_unchanged_metric_can_count_as_good(mode: Literal["min", "max"]) -> None:
    """A tiny negative threshold leaves the LR alone while the metric stays, and still sees a worse one."""
    assert "threshold=-1e-12 with threshold_mode='abs'" in table()["docs-patience-same"].workaround
    optimizer = dummy_optimizer(0.3)
    scheduler = ReduceLROnPlateau(optimizer, mode=mode, factor=0.5, patience=0, threshold=-1e-12, threshold_mode="abs")
    for metric, expected in ((1.0, 0.3), (1.0, 0.3), (1.0, 0.3), (1.1 if mode == "min" else 0.9, 0.15)):
        optimizer.step()
        scheduler.step(metric)
        assert optimizer.param_groups[0]["lr"] == expected


@pytest.mark.parametrize(("cls", "arguments"), [(OneCycleLR, (0.5, 20)), (CyclicLR, (0.1, 0.5, 3))])
def test_last_epoch_is_one_less_than_the_number_of_batches(cls: type, arguments: tuple[float, ...]) -> None:
    """Built again with last_epoch=4 after five batches, the schedule continues with its sixth LR."""
    assert "batches minus 1" in table()["docs-batches-computed"].workaround
    optimizer = dummy_optimizer(0.3)
    scheduler = cls(optimizer, *arguments, cycle_momentum=False)
    rates = [row[0] for row in TrainingLoop(optimizer, scheduler).lrs(STEPS)]
    cls(optimizer, *arguments, cycle_momentum=False, last_epoch=4)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(rates[5])


def test_the_last_rate_of_a_cycle_is_as_said() -> None:
    """The formula of the table gives the lowest LR of CosineAnnealingWarmRestarts."""
    assert "cos(π(T_i - 1)/T_i))/2" in table()["docs-restart-minimum"].workaround
    low, length = 0.01, 5
    optimizer = dummy_optimizer(0.3)
    scheduler = CosineAnnealingWarmRestarts(optimizer, length, eta_min=low)
    rates = [row[0] for row in TrainingLoop(optimizer, scheduler).lrs(STEPS)]
    assert min(rates) == pytest.approx(low + 0.29 * (1 + math.cos(math.pi * (length - 1) / length)) / 2)


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR"])
def test_cycles_take_any_optimizer_without_their_momentum(name: str) -> None:
    """cycle_momentum=False is enough for an optimizer that has no momentum."""
    assert "cycle_momentum=False" in table()["docs-range-unsaid"].workaround
    optimizer = torch.optim.Adagrad([torch.zeros(1)], lr=0.1)
    arguments = (0.1, 0.5) if name == "CyclicLR" else (0.5, 20)
    cls = {"CyclicLR": CyclicLR, "OneCycleLR": OneCycleLR}[name]
    rates = [row[0] for row in TrainingLoop(optimizer, cls(optimizer, *arguments, cycle_momentum=False)).lrs(3)]
    assert rates == sorted(rates)
