"""A small training run, with its parts where a test can break them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, OneCycleLR, SequentialLR

LR, WARMUP, TOTAL = 0.1, 4, 24
#: The schedule of `sequential` as a slug.
SLUG = f"seq2_m{WARMUP}.linearlr{WARMUP}_s0p1.cosineannealinglr{TOTAL - WARMUP}"


def sequential(optimizer: Optimizer) -> SequentialLR:
    """A linear warmup, then a cosine."""
    parts = [LinearLR(optimizer, 0.1, total_iters=WARMUP), CosineAnnealingLR(optimizer, TOTAL - WARMUP)]
    return SequentialLR(optimizer, parts, [WARMUP])


def one_cycle(optimizer: Optimizer) -> OneCycleLR:
    """A schedule that moves the momentum too."""
    return OneCycleLR(optimizer, LR, total_steps=TOTAL)


class HalvingLR(LRScheduler):
    """A scheduler of somebody's own."""

    def get_lr(self) -> list[float | torch.Tensor]:
        """Half the LR before, from the second update on."""
        return [group["lr"] * (0.5 if self.last_epoch else 1.0) for group in self.optimizer.param_groups]


class SmallRun:
    """A model of one layer with an optimizer and a scheduler."""

    def __init__(self, scheduler: Callable[[Optimizer], Any] = sequential, kind: type[Optimizer] = AdamW) -> None:
        self.model = torch.nn.Linear(2, 1)
        momentum: dict[str, Any] = {"momentum": 0.9} if kind is SGD else {}
        self.optimizer: Any = kind(self.model.parameters(), lr=LR, **momentum)  # type: ignore[call-arg]
        self.scheduler = scheduler(self.optimizer)

    def train(self, start: int, stop: int, *, late: int = 0, micro_batches: int = 1, steps: int = 1) -> None:
        """Updates from `start` to `stop`; the first `late` ones leave out the scheduler's `steps` steps."""
        for step in range(start, stop):
            for _ in range(micro_batches):
                self.model(torch.full((1, 2), 0.1 * step)).square().sum().backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            for _ in range(steps if step >= late else 0):
                self.scheduler.step()

    def saved(self) -> dict[str, Any]:
        """A checkpoint."""
        return {name: getattr(self, name).state_dict() for name in ("model", "optimizer", "scheduler")}

    def load(self, checkpoint: dict[str, Any], *names: str) -> None:
        """Restore these parts, by default all."""
        for name in names or checkpoint:
            getattr(self, name).load_state_dict(checkpoint[name])
