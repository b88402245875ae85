"""Small training loops that the tests of the recorder and the monitor watch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

#: The gradient that a loop uses at an update: infinite where a gradient scaler shall leave the step out.
Spoiled = frozenset[int]
NOTHING_SPOILED: Spoiled = frozenset()


def parameters(count: int = 2) -> list[nn.Parameter]:
    """Parameters of 2 numbers each."""
    return [nn.Parameter(torch.ones(2)) for _ in range(count)]


def loss_of(optimizer: Optimizer) -> Tensor:
    """A loss with a gradient for every parameter."""
    squares: list[Tensor] = [(p**2).sum() for group in optimizer.param_groups for p in group["params"]]
    return torch.stack(squares).sum()


def loop(optimizer: Optimizer, scheduler: Any, steps: int, *, accumulate: int = 1) -> None:
    """The usual loop: `accumulate` backward passes, a step, the scheduler."""
    for _ in range(steps):
        for _ in range(accumulate):
            loss_of(optimizer).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        if scheduler is not None:
            scheduler.step()


def scaled_loop(
    optimizer: Optimizer, scheduler: Any, steps: int, spoiled: Spoiled, look: Callable[[int], None]
) -> None:
    """A loop under a gradient scaler, with infinite gradients at the steps `spoiled`; `look` is called after each."""
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for step in range(steps):
        loss = loss_of(optimizer) * (torch.inf if step in spoiled else 1.0)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        scheduler.step()
        look(step)
