"""A training loop as people write it, with a switch for each mistake."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

BASE_LR, WARMUP, TOTAL = 3e-3, 10, 60


def make_scheduler(optimizer: torch.optim.Optimizer) -> SequentialLR:
    """A linear warmup, then a cosine."""
    warmup = LinearLR(optimizer, 0.1, total_iters=WARMUP)
    return SequentialLR(optimizer, [warmup, CosineAnnealingLR(optimizer, TOTAL - WARMUP)], [WARMUP])


def make_run(optimizer_class: Any = AdamW) -> dict[str, Any]:
    """A model, its optimizer and its scheduler."""
    model = torch.nn.Linear(4, 1)
    optimizer = optimizer_class(model.parameters(), lr=BASE_LR)
    return {"model": model, "optimizer": optimizer, "scheduler": make_scheduler(optimizer)}


def update(run: dict[str, Any], step: int, micro_batches: int = 1) -> None:
    """One update, without the scheduler."""
    for part in range(micro_batches):
        inputs = torch.full((2, 4), 0.1 * ((step + part) % 7))
        run["model"](inputs).square().mean().backward()
    run["optimizer"].step()
    run["optimizer"].zero_grad()


def train(late: int = 0) -> None:
    """Train; the first `late` updates forget the scheduler."""
    run = make_run()
    for step in range(TOTAL):
        update(run, step)
        if step >= late:
            run["scheduler"].step()


def train_accumulating(micro_batches: int) -> None:
    """Train with accumulated gradients, the scheduler stepped for each micro-batch."""
    run = make_run()
    for step in range(TOTAL):
        update(run, step, micro_batches)
        for _ in range(micro_batches):
            run["scheduler"].step()


def train_two(second: bool) -> None:
    """Train two models, each with its optimizer; `second`: whether the second scheduler is stepped too."""
    runs = [make_run(AdamW), make_run(SGD)]
    for step in range(TOTAL):
        for run in runs:
            update(run, step)
        for run in runs if second else runs[:1]:
            run["scheduler"].step()


def train_steps(run: dict[str, Any], start: int, stop: int) -> None:
    """The updates from `start` to `stop`."""
    for step in range(start, stop):
        update(run, step)
        run["scheduler"].step()


def save(run: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint of everything."""
    return {name: part.state_dict() for name, part in run.items()}


def load(run: dict[str, Any], checkpoint: dict[str, Any]) -> None:
    """Restore everything."""
    for name, part in run.items():
        part.load_state_dict(checkpoint[name])


def load_forgetting(run: dict[str, Any], checkpoint: dict[str, Any]) -> None:
    """Restore all but the scheduler."""
    for name in ("model", "optimizer"):
        run[name].load_state_dict(checkpoint[name])
