"""Small training loops, watched in the tests of the recorder and the monitor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

#: The steps with an infinite gradient, at which a gradient scaler must skip the update.
Spoiled = frozenset[int]
NOTHING_SPOILED: Spoiled = frozenset()


def parameters(count: int = 2) -> list[nn.Parameter]:
    """Parameters with 2 elements each."""
    return [nn.Parameter(torch.ones(2)) for _ in range(count)]


def loss_of(optimizer: Optimizer) -> Tensor:
    """A loss with a gradient for every parameter."""
    squares: list[Tensor] = [(p**2).sum() for group in optimizer.param_groups for p in group["params"]]
    return torch.stack(squares).sum()


def loop(optimizer: Optimizer, scheduler: Any, steps: int, *, accumulate: int = 1) -> None:
    """The usual loop: `accumulate` backward passes, an optimizer step, a scheduler step."""
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
    """A loop with a gradient scaler and infinite gradients at the steps `spoiled`; `look` is called after each step."""
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for step in range(steps):
        loss = loss_of(optimizer) * (torch.inf if step in spoiled else 1.0)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        scheduler.step()
        look(step)
