"""asv: what a scheduler costs, by composition, number of groups and type of LR.

``scheduler.step()`` is paid at every optimizer step, whatever the model; construction once a run,
``state_dict()`` once a checkpoint.
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
#: Far beyond what asv repeats, so that no timed step passes the end of a schedule.
TOTAL_STEPS = 10**9
PEAK_LR = 3e-4


def _linear_cosine(step: int) -> float:
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    progress = (step - WARMUP_STEPS) / (TOTAL_STEPS - WARMUP_STEPS)
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def make_optimizer(groups: int, lr_type: str, momentum: float = 0.0) -> torch.optim.Optimizer:
    """SGD over `groups` groups of one number each; `lr_type` is float or tensor."""
    # Each group has its own tensor: torch changes a tensor LR in place, so a shared one
    # would be scaled once per group.
    rates = [PEAK_LR if lr_type == "float" else torch.tensor(PEAK_LR) for _ in range(groups)]
    parts = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in rates]
    return torch.optim.SGD(parts, momentum=momentum)


#: SGD's own construction takes time with the square of the groups, so it is not repeated for each sample.
kept_optimizer = functools.cache(make_optimizer)


# The first optimizer of a process makes torch import much more of itself (over a second): here, where
# asv's fork server does it once for all the processes that it forks, one for each combination.
torch.set_num_threads(1)
make_optimizer(1, "tensor")


def forget_schedulers(optimizer: torch.optim.Optimizer) -> None:
    """Undo what schedulers leave in an optimizer: the base LR, the LR and the counting `step`."""
    for group in optimizer.param_groups:
        group.pop("initial_lr", None)
        group["lr"] = torch.tensor(PEAK_LR) if isinstance(group["lr"], torch.Tensor) else PEAK_LR
    vars(optimizer).pop("step", None)


def make_scheduler(composition: str, optimizer: torch.optim.Optimizer) -> LRScheduler:
    """One of the four usual ways to write (or to leave out) a linear warmup before a cosine."""
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
    """The axes that every benchmark here shares."""

    param_names = ("composition", "groups", "lr_type")
    params = (["sequential", "chained", "lambda", "cosine"], [1, 10, 100, 1000], ["float", "tensor"])


class SchedulerStep(_Grid):
    """One step after the warmup, where a run spends nearly all of its steps."""

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
    """Building the scheduler, its children included, on an optimizer that had none."""

    # Construction changes the optimizer, so each one is timed alone, on an optimizer as good as new.
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
