"""What a scheduler says of itself: where it is, and after how many steps its schedule ends."""

from __future__ import annotations

import math
from typing import Any

#: Attributes of torch's schedulers that hold the length of the schedule.
LENGTHS = ("total_steps", "T_max", "total_iters")
#: Attributes of those that never end: StepLR and ExponentialLR, MultiStepLR, CosineAnnealingWarmRestarts, CyclicLR.
ENDLESS = ("gamma", "T_mult", "max_lrs")


def position(scheduler: Any) -> float:
    """The `last_epoch` of a scheduler, NaN where it has none."""
    value = getattr(scheduler, "last_epoch", None)
    return float(value) if isinstance(value, int) else math.nan


def length(scheduler: Any) -> float:
    """The steps after which the schedule ends, infinite for one without an end, NaN where it does not say.

    A composite ends with its last part; a function of transformers has its total as an argument.
    Sources: lr_scheduler.py, torch 2.13; optimization.py, transformers 5.24.
    """
    parts = getattr(scheduler, "_schedulers", None)
    if parts:
        start = [*getattr(scheduler, "_milestones", ())][-1:]
        lengths = [length(part) for part in (parts[-1:] if start else parts)]
        known = [value for value in lengths if not math.isnan(value)]
        return sum(map(float, start)) + max(known) if known else math.nan
    for name in LENGTHS:
        value = getattr(scheduler, name, None)
        if isinstance(value, int | float) and value > 0:
            return float(value)
    if any(hasattr(scheduler, name) for name in ENDLESS):
        return math.inf
    for function in getattr(scheduler, "lr_lambdas", ()):
        value = getattr(function, "keywords", {}).get("num_training_steps")
        if isinstance(value, int | float):
            return float(value)
    return math.nan
