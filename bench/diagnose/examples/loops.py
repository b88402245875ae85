"""Training loops with the mistakes that people make in them, step by step, as far as the LR goes.

Each returns the (step, LR) pairs that a log would hold. The loops with torch's own schedulers run those.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

Log = tuple[list[int], list[float]]
LearningRate = Callable[[int], float]


def plain(lr: LearningRate, updates: int, begin: int = 0) -> Log:
    """Read the LR, update, step the scheduler; `begin` calls of step() came before the first update."""
    counter, seen = begin, []
    for _ in range(updates):
        seen.append(lr(counter))
        counter += 1
    return list(range(updates)), seen


def late(lr: LearningRate, updates: int, k: int) -> Log:
    """The first k updates are made without a scheduler step."""
    counter, seen = 0, []
    for t in range(updates):
        seen.append(lr(counter))
        if t >= k:
            counter += 1
    return list(range(updates)), seen


def logged_after(lr: LearningRate, updates: int) -> Log:
    """The LR is read after the scheduler step."""
    seen = []
    for calls in range(1, updates + 1):
        seen.append(lr(calls))
    return list(range(updates)), seen


def per_epoch(lr: LearningRate, updates: int, each: int) -> Log:
    """The scheduler is stepped at the end of each epoch only."""
    counter, seen = 0, []
    for t in range(updates):
        seen.append(lr(counter))
        if (t + 1) % each == 0:
            counter += 1
    return list(range(updates)), seen


def at_epoch_start(lr: LearningRate, updates: int, each: int, until: int | None = None) -> Log:
    """The LR is set from the step count at the begin of each epoch only (up to step `until`, then always)."""
    seen, rate = [], 0.0
    for t in range(updates):
        if t % each == 0 or (until is not None and t >= until):
            rate = lr(t)
        seen.append(rate)
    return list(range(updates)), seen


def micro_batches(lr: LearningRate, updates: int, k: int) -> Log:
    """Every micro-batch steps the scheduler, every k-th steps the optimizer."""
    seen = []
    for batch in range(updates * k):  # as many scheduler steps lie behind
        if (batch + 1) % k == 0:
            seen.append(lr(batch))
    return list(range(updates)), seen


def processes(lr: LearningRate, updates: int, n: int) -> Log:
    """The wrapped scheduler steps once for each process after an update."""
    counter, seen = 0, []
    for _ in range(updates):
        seen.append(lr(counter))
        for _ in range(n):
            counter += 1
    return list(range(updates)), seen


def rows(lr: LearningRate, updates: int, n: int) -> Log:
    """A log line every n updates, and the lines numbered."""
    seen = [lr(t) for t in range(updates) if t % n == 0]
    return list(range(len(seen))), seen


def overflowing(lr: LearningRate, batches: int, skipped: Iterable[int]) -> Log:
    """The gradient scaler skips the optimizer in some batches, the scheduler steps in all."""
    lost = set(skipped)
    seen = [lr(batch) for batch in range(batches) if batch not in lost]  # as many scheduler steps lie behind
    return list(range(len(seen))), seen


def resumed(lr: LearningRate, updates: int, at: int, counter: int) -> Log:
    """Stopped after `at` updates; the scheduler comes back with another counter."""
    seen, now = [], 0
    for t in range(updates):
        if t == at:
            now = counter
        seen.append(lr(now))
        now += 1
    return list(range(updates)), seen


def stopped(lr: LearningRate, updates: int, at: int) -> Log:
    """After `at` updates the scheduler is no longer stepped."""
    counter, seen = 0, []
    for t in range(updates):
        seen.append(lr(counter))
        if t < at:
            counter += 1
    return list(range(updates)), seen


def scaled_on_resume(lr: LearningRate, updates: int, at: int, factor: float) -> Log:
    """A recursive scheduler multiplies the current LR by the ratio of consecutive factors.

    At the resume, building it again has multiplied the loaded LR by `factor`.
    """
    seen, rate = [], lr(0)
    for t in range(updates):
        if t == at:
            rate *= factor
        seen.append(rate)
        here, there = lr(t), lr(t + 1)
        rate = rate * (there / here) if here else there
    return list(range(updates)), seen


# -- with the schedulers of torch ------------------------------------------------------------

Build = Callable[[torch.optim.Optimizer], Any]


def one_weight(lr: float) -> torch.optim.Optimizer:
    """SGD over one number without a gradient."""
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def torch_loop(
    build: Build,
    base: float,
    updates: int,
    *,
    after_build: Callable[[torch.optim.Optimizer], None] | None = None,
    resume: int | None = None,
) -> Log:
    """The ordinary loop around a torch scheduler.

    `after_build` may meddle with the optimizer; at `resume` the states are loaded in the wrong order:
    the optimizer's, then the scheduler is built, then its own.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = one_weight(base)
        scheduler = build(optimizer)
        if after_build is not None:
            after_build(optimizer)
        seen = []
        for t in range(updates):
            if t == resume:
                states = optimizer.state_dict(), scheduler.state_dict()
                optimizer = one_weight(base)
                optimizer.load_state_dict(states[0])
                scheduler = build(optimizer)
                scheduler.load_state_dict(states[1])
            seen.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            scheduler.step()
    return list(range(updates)), seen


def degraded(steps: np.ndarray[Any, Any], lrs: np.ndarray[Any, Any], digits: int, every: int) -> tuple[Any, Any]:
    """What is left in a log of every so many steps with so many significant digits."""
    kept = steps % every == 0
    texts = [f"{lr:.{digits - 1}e}" for lr in lrs[kept]]
    return steps[kept], np.array([float(text) for text in texts])
