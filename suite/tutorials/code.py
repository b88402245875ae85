"""The classes and functions of the two tutorials, reimplemented with their behaviour.

Sources: the Noam tutorial ("What is a warmup strategy?") and the ViT tutorial
("Learning rate warmup in Transformer training"). Nothing here is a recommendation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch


class NoamAfterStep:
    """The Noam tutorial's class: it sets an LR only when it is stepped, after the optimizer.

    Intended: lr(t) = d^(−½)·min(s^(−½), s·W^(−3/2)) with s = t+1, the paper's count.
    Actual: the class sets no LR before the first update, and the optimizer was created with lr=0.0.
    First step: 0, whose LR is 0, so the first batch changes no weight. Size: 100 % there;
    every later LR is the one intended for the previous step, and the peak comes at step W, not W−1.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, d_model: int, warmup_steps: int) -> None:
        self.optimizer = optimizer
        self.scale = 1 / math.sqrt(d_model)
        self.warmup_steps = warmup_steps
        self.calls = 0

    def step(self) -> None:
        """Count the call and set the LR of every group."""
        self.calls += 1
        rising = self.calls / self.warmup_steps**1.5
        for group in self.optimizer.param_groups:
            group["lr"] = self.scale * min(rising, 1 / math.sqrt(self.calls))


class WeightDecayAfterEpoch:
    """The ViT tutorial's weight decay class: it counts its own calls, from 0, at the end of each epoch.

    Intended: wd(e) = f + (i−f)·½(1 + cos πe/E) in epoch e of E, from `initial` i to `final` f.
    Actual: epoch 0 runs with the value that the optimizer was created with, and the first call computes epoch 0
    again, so that value is used twice and every later epoch is one behind.
    First step: epoch 1. Size: the last epoch uses wd(E−2), and f is never set, not even after training;
    from 1e-3 to 0.1 in 10 epochs, epoch 1 has 71 % less than intended.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, initial: float, final: float, epochs: int) -> None:
        self.optimizer = optimizer
        self.initial, self.final, self.epochs = initial, final, epochs
        self.calls = 0

    def step(self) -> None:
        """Set the weight decay for the number of calls so far, then count this call."""
        share = (1 + math.cos(math.pi * self.calls / self.epochs)) / 2
        for group in self.optimizer.param_groups:
            group["weight_decay"] = self.initial * share + self.final * (1 - share)
        self.calls += 1


Shape = Callable[[float, float, float], float]

#: Warmups from a to b at progress x, and decays from b to m at progress p, in the order they are searched.
RISES: dict[str, Shape] = {
    "linear_warmup": lambda a, b, x: a + (b - a) * x,
    "exp_warmup": lambda a, b, x: a * (b / a) ** x,
}
FALLS: dict[str, Shape] = {
    "cosine": lambda b, m, p: m + (b - m) * (1 + math.cos(math.pi * p)) / 2,
    "linear": lambda b, m, p: b + (m - b) * p,
    "step": lambda b, m, p: b * 0.1 ** ((p >= 1 / 3) + (p >= 2 / 3)),
    "exp": lambda b, m, p: b * (m / b) ** p,
}


def _first_inside(name: str, shapes: Mapping[str, Shape]) -> str:
    """The first key that the name contains: the result of the tutorial's chain of ``in`` tests."""
    keys = [key for key in shapes if key in name]
    if not keys:
        raise ValueError(f"name={name!r} must contain one of {', '.join(shapes)}")
    return keys[0]


def schedule_by_name(
    name: str,
    total_steps: int,
    warmup_steps: int,
    base_lr: float = 1.0,
    min_lr: float = 1e-7,
    start_lr: float = 1e-6,
) -> list[float]:
    """The ViT tutorial's hand-written function: warmup and decay are chosen by substrings of one name.

    Intended: the decay named at the end, down to `min_lr`.
    Actual: "linear" is tested before "step" and "exp", and every name with a linear warmup contains it,
    so 'linear_warmup_step' and 'linear_warmup_exp' silently become linear decays.
    First step: one step after the warmup, W+1.
    Size: with 500 steps and W = 50 up to 33 times the intended value, at the step of the second drop.
    The last step also misses `min_lr`, because progress ends at 1 − 1/(T−W):
    a linear decay ends at base/(T−W), here 22 000 times the promised `min_lr`.
    """
    rise, fall = RISES[_first_inside(name, RISES)], FALLS[_first_inside(name, FALLS)]
    rates = [rise(start_lr, base_lr, t / warmup_steps) for t in range(min(warmup_steps, total_steps))]
    length = total_steps - warmup_steps
    return rates + [fall(base_lr, min_lr, n / length) for n in range(length)]


def recorded_epochs(scheduler: Any, optimizer: torch.optim.Optimizer, epochs: int, start_lr: float) -> list[float]:
    """The ViT tutorial's list of LRs: entry 0 is typed in, the others are read after each step().

    Intended: the LR of each epoch. Actual: entry 0 is not read from the optimizer. It equals the LR
    in force, up to one rounding, only if start_factor is start_lr/base_lr.
    First step: none here. The loop also starts at epoch 1, so it makes one update fewer than it lists epochs.
    """
    rates = [start_lr]
    for _ in range(1, epochs):
        optimizer.step()
        scheduler.step()
        rates.append(float(scheduler.get_last_lr()[0]))
    return rates


def drawn_inside_epoch(
    rates: Sequence[float], epoch: int, warmup_epochs: int, steps_per_epoch: int, start_lr: float
) -> list[float]:
    """The ViT tutorial's chart of one epoch: during the warmup, a slope from the LR of the previous epoch.

    Intended: the LR of each optimizer step in the epoch. Actual: a scheduler stepped once per epoch keeps
    one LR for the whole epoch (a staircase), and one stepped per optimizer step rises an epoch earlier.
    First step: the first of epoch 1, drawn at the LR of epoch 0.
    Size: with 20 warmup epochs from 1e-6 to 1e-3 the LR in torch is 51 times the one drawn there, and about
    e/(e−1) times at the start of epoch e; none after the warmup, where the chart is flat too.
    """
    own = rates[epoch]
    if epoch >= warmup_epochs:
        return [own] * steps_per_epoch
    before = rates[epoch - 1] if epoch else start_lr
    return [before + (own - before) * j / steps_per_epoch for j in range(steps_per_epoch)]
