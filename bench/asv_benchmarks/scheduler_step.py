"""asv: the cost of a scheduler, by composition, number of groups and type of LR.

``scheduler.step()`` is paid at every optimizer step, whatever the model; construction once per run,
``state_dict()`` once per checkpoint.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    SequentialLR,
)

WARMUP_STEPS = 5
#: Far more than asv repeats, so that no timed step is past the end of a schedule.
TOTAL_STEPS = 10**9
PEAK_LR = 3e-4


def _linear_cosine(step: int) -> float:
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    progress = (step - WARMUP_STEPS) / (TOTAL_STEPS - WARMUP_STEPS)
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def make_optimizer(groups: int, lr_type: str, momentum: float = 0.0) -> torch.optim.Optimizer:
    """SGD with `groups` groups of one number each; `lr_type` is float or tensor."""
    # Each group has a separate tensor: torch changes a tensor LR in place, so a shared one
    # would be scaled once per group.
    rates = [PEAK_LR if lr_type == "float" else torch.tensor(PEAK_LR) for _ in range(groups)]
    parts = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in rates]
    return torch.optim.SGD(parts, momentum=momentum)


#: Constructing SGD takes time quadratic in the number of groups, so it is not repeated for each sample.
kept_optimizer = functools.cache(make_optimizer)


# The first optimizer of a process makes torch import many more modules (over a second). Done here, at import, it
# happens once in asv's fork server instead of in every process that it forks, one per combination.
torch.set_num_threads(1)
make_optimizer(1, "tensor")


def forget_schedulers(optimizer: torch.optim.Optimizer) -> None:
    """Remove what schedulers leave in an optimizer: the base LR, the changed LR and the wrapped `step`."""
    for group in optimizer.param_groups:
        group.pop("initial_lr", None)
        group["lr"] = torch.tensor(PEAK_LR) if isinstance(group["lr"], torch.Tensor) else PEAK_LR
    vars(optimizer).pop("step", None)


def make_scheduler(composition: str, optimizer: torch.optim.Optimizer) -> LRScheduler:
    """One of the four usual ways to write (or omit) a linear warmup before a cosine."""
    if composition == "cosine":
        return CosineAnnealingLR(optimizer, T_max=TOTAL_STEPS)
    if composition == "lambda":
        return LambdaLR(optimizer, _linear_cosine)
    warmup = LinearLR(optimizer, start_factor=1 / WARMUP_STEPS, total_iters=WARMUP_STEPS)
    if composition == "chained":
        return ChainedScheduler([warmup, CosineAnnealingLR(optimizer, T_max=TOTAL_STEPS)])
    if composition == "sequential":
        cosine = CosineAnnealingLR(optimizer, T_max=TOTAL_STEPS - WARMUP_STEPS)
        return SequentialLR(optimizer, [warmup, cosine], milestones=[WARMUP_STEPS])
    raise ValueError(f"composition={composition!r} must be sequential, chained, lambda or cosine")


class _Grid:
    """The axes shared by all benchmarks of this module."""

    param_names = ("composition", "groups", "lr_type")
    params = (["sequential", "chained", "lambda", "cosine"], [1, 10, 100, 1000], ["float", "tensor"])


class SchedulerStep(_Grid):
    """A step after the warmup, where a run spends nearly all of its steps."""

    def setup(self, composition: str, groups: int, lr_type: str) -> None:
        """Build, and walk past the warmup: construction and the switch stay outside the timed line."""
        optimizer = make_optimizer(groups, lr_type)
        self.scheduler = make_scheduler(composition, optimizer)
        optimizer.step()  # torch warns when the scheduler moves before any optimizer step
        for _ in range(2 * WARMUP_STEPS):
            self.scheduler.step()

    def time_step(self, composition: str, groups: int, lr_type: str) -> None:
        """Seconds for one ``scheduler.step()``."""
        self.scheduler.step()

    def time_state_dict(self, composition: str, groups: int, lr_type: str) -> dict[str, Any]:
        """Seconds for one ``scheduler.state_dict()``."""
        return self.scheduler.state_dict()


class SchedulerConstruction(_Grid):
    """Construction of the scheduler, including its children, on an optimizer without one."""

    # Construction changes the optimizer, so each call is timed separately, on an optimizer reset beforehand.
    number = 1
    repeat = (10, 30, 0.5)
    warmup_time = 0.0

    def setup(self, composition: str, groups: int, lr_type: str) -> None:
        """An optimizer without a scheduler, and one construction elsewhere: first calls are not timed."""
        make_scheduler(composition, make_optimizer(1, lr_type))
        self.optimizer = kept_optimizer(groups, lr_type)
        forget_schedulers(self.optimizer)

    def time_construct(self, composition: str, groups: int, lr_type: str) -> None:
        """Seconds for one construction."""
        make_scheduler(composition, self.optimizer)
