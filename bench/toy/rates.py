"""The learning rates of a run, planned from a reference schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from reference import Schedule, per_epoch
from reference.check import Rates, integer, one_of

#: Builds a torch scheduler on an optimizer; anything with a `step()` will do.
SchedulerFactory = Callable[[Optimizer], Any]
CLOCKS = ("step", "epoch")


def planned(schedule: Schedule, steps: int, base_lr: float = 1.0, clock: str = "step", epoch: int = 1) -> Rates:
    """The LR of optimizer steps 0 … steps − 1: float64 [steps].

    With `clock` step the schedule advances at every optimizer step, with epoch once every `epoch` steps.
    Raises TypeError if `schedule` is not a reference schedule, ValueError for an unknown clock or an LR that
    is not finite and >= 0.

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
    """The LRs as float64; ValueError unless each is finite and >= 0."""
    rates = np.asarray(rates, dtype=np.float64)
    wrong = rates[~(np.isfinite(rates) & (rates >= 0))]
    if wrong.size:
        raise ValueError(f"lr={wrong[0]:g} must be finite and >= 0")
    return rates


def grid(schedules: Sequence[Schedule], base_lrs: Sequence[float], steps: int) -> Tensor:
    """One row of LRs per replica: float64 [K, steps], from K schedules and K base LRs.

    Raises ValueError unless there is at least one schedule, with one base LR each.
    """
    if not schedules or len(schedules) != len(base_lrs):
        raise ValueError(f"base_lrs={len(base_lrs)} values must match the {len(schedules)} schedules, at least 1")
    rows = [planned(schedule, steps, base) for schedule, base in zip(schedules, base_lrs, strict=True)]
    return torch.from_numpy(np.stack(rows))
