"""Training loops with the mistakes that people make in them, step by step, reduced to the LR.

Each returns the steps and LRs of its log. The loops with torch's schedulers run the real ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

#: Steps and the LR at each.
LoggedRun = tuple[list[int], list[float]]
LearningRate = Callable[[int], float]


def plain(lr: LearningRate, updates: int, calls_before: int = 0) -> LoggedRun:
    """Read the LR, update, step the scheduler; `calls_before` calls of step() precede the first update."""
    counter, lrs = calls_before, []
    for _ in range(updates):
        lrs.append(lr(counter))
        counter += 1
    return list(range(updates)), lrs


def late(lr: LearningRate, updates: int, k: int) -> LoggedRun:
    """The first k updates are made without a scheduler step."""
    counter, lrs = 0, []
    for t in range(updates):
        lrs.append(lr(counter))
        if t >= k:
            counter += 1
    return list(range(updates)), lrs


def logged_after(lr: LearningRate, updates: int) -> LoggedRun:
    """The LR is read after the scheduler step."""
    lrs = []
    for calls in range(1, updates + 1):
        lrs.append(lr(calls))
    return list(range(updates)), lrs


def per_epoch(lr: LearningRate, updates: int, each: int) -> LoggedRun:
    """The scheduler is stepped only at the end of each epoch."""
    counter, lrs = 0, []
    for t in range(updates):
        lrs.append(lr(counter))
        if (t + 1) % each == 0:
            counter += 1
    return list(range(updates)), lrs


def at_epoch_start(lr: LearningRate, updates: int, each: int, until: int | None = None) -> LoggedRun:
    """The LR is set from the step count only at the start of each epoch (up to step `until`, then always)."""
    lrs, rate = [], 0.0
    for t in range(updates):
        if t % each == 0 or (until is not None and t >= until):
            rate = lr(t)
        lrs.append(rate)
    return list(range(updates)), lrs


def micro_batches(lr: LearningRate, updates: int, k: int) -> LoggedRun:
    """Every micro-batch steps the scheduler, every k-th steps the optimizer."""
    lrs = []
    for batch in range(updates * k):  # each batch is one scheduler step
        if (batch + 1) % k == 0:
            lrs.append(lr(batch))
    return list(range(updates)), lrs


def processes(lr: LearningRate, updates: int, n: int) -> LoggedRun:
    """The wrapped scheduler steps once for each process after an update."""
    counter, lrs = 0, []
    for _ in range(updates):
        lrs.append(lr(counter))
        for _ in range(n):
            counter += 1
    return list(range(updates)), lrs


def rows(lr: LearningRate, updates: int, n: int) -> LoggedRun:
    """A log line every n updates, with numbered lines."""
    lrs = [lr(t) for t in range(updates) if t % n == 0]
    return list(range(len(lrs))), lrs


def overflowing(lr: LearningRate, batches: int, skipped: Iterable[int]) -> LoggedRun:
    """The gradient scaler skips the optimizer in some batches, the scheduler steps in all."""
    lost = set(skipped)
    lrs = [lr(batch) for batch in range(batches) if batch not in lost]  # each batch is one scheduler step
    return list(range(len(lrs))), lrs


def resumed(lr: LearningRate, updates: int, at: int, counter: int) -> LoggedRun:
    """Stopped after `at` updates and resumed with another scheduler counter."""
    lrs, now = [], 0
    for t in range(updates):
        if t == at:
            now = counter
        lrs.append(lr(now))
        now += 1
    return list(range(updates)), lrs


def waiting(lr: LearningRate, iterations: int, skipped: Iterable[int]) -> LoggedRun:
    """The gradient scaler skips the optimizer in some iterations, and the scheduler waits; each iteration is logged."""
    lost, counter, lrs = set(skipped), 0, []
    for iteration in range(iterations):
        lrs.append(lr(counter))
        if iteration not in lost:
            counter += 1
    return list(range(iterations)), lrs


def set_afterwards(lr: LearningRate, updates: int, own: float) -> LoggedRun:
    """The loop sets the LR after each update; the first one runs at the optimizer's own."""
    lrs, rate = [], own
    for t in range(updates):
        lrs.append(rate)
        rate = lr(t)
    return list(range(updates)), lrs


def numbered_by_batch(lr: LearningRate, updates: int, k: int) -> LoggedRun:
    """One row for each update, under the number of its first batch."""
    steps: list[int] = []
    lrs: list[float] = []
    for batch in range(updates * k):
        if batch % k == 0:
            steps.append(batch)
            lrs.append(lr(len(lrs)))
    return steps, lrs


def stopped(lr: LearningRate, updates: int, at: int) -> LoggedRun:
    """After `at` updates the scheduler is no longer stepped."""
    counter, lrs = 0, []
    for t in range(updates):
        lrs.append(lr(counter))
        if t < at:
            counter += 1
    return list(range(updates)), lrs


def scaled_on_resume(lr: LearningRate, updates: int, at: int, factor: float) -> LoggedRun:
    """A recursive scheduler multiplies the current LR by the ratio of consecutive factors.

    On resuming, building the scheduler again multiplies the loaded LR by `factor`.
    """
    lrs, rate = [], lr(0)
    for t in range(updates):
        if t == at:
            rate *= factor
        lrs.append(rate)
        here, there = lr(t), lr(t + 1)
        rate = rate * (there / here) if here else there
    return list(range(updates)), lrs


# -- with the schedulers of torch ------------------------------------------------------------

Build = Callable[[torch.optim.Optimizer], Any]


def one_weight(lr: float) -> torch.optim.Optimizer:
    """SGD over one number without a gradient."""
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


#: The states of an optimizer and its scheduler.
States = tuple[dict[str, Any], dict[str, Any]]
#: Makes optimizer and scheduler of the second process from the states of the first.
Restore = Callable[[Build, float, States], tuple[torch.optim.Optimizer, Any]]


def optimizer_first(build: Build, base: float, states: States) -> tuple[torch.optim.Optimizer, Any]:
    """The wrong order: the optimizer's state is loaded, then the scheduler is built and its state loaded."""
    optimizer = one_weight(base)
    optimizer.load_state_dict(states[0])
    scheduler = build(optimizer)
    scheduler.load_state_dict(states[1])
    return optimizer, scheduler


def optimizer_alone(build: Build, base: float, states: States) -> tuple[torch.optim.Optimizer, Any]:
    """A new scheduler on the optimizer's state."""
    optimizer = one_weight(base)
    scheduler = build(optimizer)
    optimizer.load_state_dict(states[0])
    return optimizer, scheduler


def scheduler_alone(build: Build, base: float, states: States) -> tuple[torch.optim.Optimizer, Any]:
    """The scheduler's state on a new optimizer."""
    optimizer = one_weight(base)
    scheduler = build(optimizer)
    scheduler.load_state_dict(states[1])
    return optimizer, scheduler


def lr_in_use(optimizer: torch.optim.Optimizer, scheduler: Any) -> float:
    """The LR of the next update."""
    return float(optimizer.param_groups[0]["lr"])


def lr_computed(optimizer: torch.optim.Optimizer, scheduler: Any) -> float:
    """What get_lr() gives, which is not the LR in use."""
    return float(scheduler.get_lr()[0])


def torch_loop(
    build: Build,
    base: float,
    updates: int,
    *,
    after_build: Callable[[torch.optim.Optimizer], None] | None = None,
    resume: int | None = None,
    restore: Restore = optimizer_first,
    logged: Callable[[torch.optim.Optimizer, Any], float] = lr_in_use,
) -> LoggedRun:
    """The ordinary loop around a torch scheduler.

    `after_build` may change the optimizer; at `resume` a second process continues with what `restore` makes of the
    states; `logged`: the LR that the log gets.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = one_weight(base)
        scheduler = build(optimizer)
        if after_build is not None:
            after_build(optimizer)
        lrs = []
        for t in range(updates):
            if t == resume:
                optimizer, scheduler = restore(build, base, (optimizer.state_dict(), scheduler.state_dict()))
            lrs.append(logged(optimizer, scheduler))
            optimizer.step()
            scheduler.step()
    return list(range(updates)), lrs


def written_over(build: Build, base: float, updates: int, rates: list[float]) -> LoggedRun:
    """The loop writes the LRs of a warmup into the optimizer, and steps a torch scheduler all the while."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = one_weight(base)
        scheduler = build(optimizer)
        lrs = []
        for t in range(updates):
            if t < len(rates):
                optimizer.param_groups[0]["lr"] = rates[t]
            lrs.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            scheduler.step()
    return list(range(updates)), lrs


def degraded(steps: np.ndarray[Any, Any], lrs: np.ndarray[Any, Any], digits: int, every: int) -> tuple[Any, Any]:
    """A log of every `every`-th step with this many significant digits."""
    kept = steps % every == 0
    texts = [f"{lr:.{digits - 1}e}" for lr in lrs[kept]]
    return steps[kept], np.array([float(text) for text in texts])
