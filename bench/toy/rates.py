"""Where a run's learning rates come from: a reference schedule, or a scheduler of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from reference import Schedule, per_epoch
from reference.check import Rates, integer, one_of

#: Builds a torch scheduler on an optimizer: anything with a `step()`.
SchedulerFactory = Callable[[Optimizer], Any]
CLOCKS = ("step", "epoch")


def planned(schedule: Schedule, steps: int, base_lr: float = 1.0, clock: str = "step", epoch: int = 1) -> Rates:
    """The LR of optimizer steps 0 … steps − 1: float64 [steps].

    `clock` is step, or epoch: then the schedule moves once in `epoch` optimizer steps.
    Raises TypeError for what is no schedule, ValueError for another clock or for an LR that is not finite
    and >= 0.

    >>> from reference import parse
    >>> planned(parse("linear2+hold"), 4, base_lr=0.5, clock="epoch", epoch=2).tolist()
    [0.0, 0.0, 0.25, 0.25]
    """
    if not isinstance(schedule, Schedule):
        raise TypeError(f"schedule={schedule!r} must be a schedule of the reference")
    one_of("clock", clock, CLOCKS)
    timed = schedule if clock == "step" else per_epoch(schedule, epoch)
    return checked(timed.trace(integer("steps", steps), base_lr))


def checked(rates: Rates) -> Rates:
    """The same LRs as float64; ValueError unless each is finite and >= 0."""
    rates = np.asarray(rates, dtype=np.float64)
    wrong = rates[~(np.isfinite(rates) & (rates >= 0))]
    if wrong.size:
        raise ValueError(f"lr={wrong[0]:g} must be finite and >= 0")
    return rates


def grid(schedules: Sequence[Schedule], base_lrs: Sequence[float], steps: int) -> Tensor:
    """One row of LRs for each replica: float64 [K, steps], from K schedules and K base LRs.

    Raises ValueError unless there are as many schedules as base LRs, and at least one.
    """
    if not schedules or len(schedules) != len(base_lrs):
        raise ValueError(f"base_lrs={len(base_lrs)} numbers must be as many as the {len(schedules)} schedules, >= 1")
    rows = [planned(schedule, steps, base) for schedule, base in zip(schedules, base_lrs, strict=True)]
    return torch.from_numpy(np.stack(rows))
