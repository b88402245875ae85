"""The LR that a named warmup promises at each step, in formulas that share no code with `reference/` or torch.

A fault in either therefore cannot change both sides of a comparison.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from reference.check import Rates

from .config import named
from .rules import by_warmup, effective

#: A warmup of 10 %. At width 16 the task is learned in 200 steps with a good LR.
WARMUP_STEPS, TOTAL_STEPS = 20, 200
PEAK_LR = 0.03
#: Of the peak. torch's recursions round to some 1e-14 of it in 200 steps; a schedule one step late moves the first
#: step of the decay, the one it moves least, by sin(pi/360)^2, which is 8e-5.
STEP_TOLERANCE = 1e-9

#: The warmup's factor at step t of W.
FORMULAS: dict[str, Callable[[int, int], float]] = {
    "constant": lambda t, steps: 0.1,
    "linear": lambda t, steps: (t + 1) / steps,
    "exponential": lambda t, steps: 100 ** ((t + 1) / steps - 1),
    "cosine": lambda t, steps: math.sin(math.pi * (t + 1) / steps / 2) ** 2,
    "stepwise": lambda t, steps: 2.0 ** (5 * (t + 1) // steps - 5),
}
#: The warmups whose shape 200 steps can show. Left out: RAdam and the untuned warmups, whose length follows from
#: beta2 = 0.999 (a thousand steps or more), so that they never reach their peak LR here.
TRACKED = ("none", *FORMULAS, "noam")


def promised(warmup: str, steps: int, total: int) -> Rates:
    """The factor at each step under a named warmup of W of T steps, then a cosine to 0: float64 [T].

    >>> promised("linear", 2, 4).round(12).tolist()
    [0.5, 1.0, 1.0, 0.5]
    """
    if warmup == "noam":
        return np.array([min((t + 1) / steps, math.sqrt(steps / (t + 1))) for t in range(total)])
    length = steps if warmup in FORMULAS else 0
    decay = [math.cos(math.pi * (t - length) / (total - length) / 2) ** 2 for t in range(length, total)]
    return np.array([FORMULAS[warmup](t, steps) for t in range(length)] + decay)


def steps_off(lrs: Rates, warmup: str, steps: int, total: int, peak_lr: float) -> int:
    """1 + the number of steps, of T, whose LR differs from the promised one by more than a tolerance of the peak.

    `lrs`: [T]. The 1 is for asv, which compares ratios. An LR that is not finite is off.
    """
    error = np.abs(lrs - peak_lr * promised(warmup, steps, total))
    return 1 + int((~(error <= STEP_TOLERANCE * peak_lr)).sum())


def by_torch(warmup: str, steps: int, total: int, peak_lr: float) -> Rates:
    """The LR at each step of an optimizer under the torch scheduler that `by_warmup` builds: float64 [T]."""
    rule = by_warmup(warmup, named("small16"), steps, total, peak_lr)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rule.base_lr)
    scheduler = rule.scheduler(optimizer)
    lrs = []
    for _ in range(total):
        lrs.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return np.array(lrs)


def by_reference(warmup: str, steps: int, total: int, peak_lr: float) -> Rates:
    """The LR at each step that the stability runs are given: float64 [T]."""
    return effective(warmup, named("small16"), steps, total).trace(total, peak_lr)


SOURCES = {"torch": by_torch, "reference": by_reference}
