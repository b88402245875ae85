"""What torch makes of a scheduler: the LRs of the next updates, read from a copy on an optimizer without a model."""

from __future__ import annotations

import copy
import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from suite.engine.loop import TrainingLoop
from suite.engine.user_factory import optimizer_of


@dataclasses.dataclass(frozen=True, eq=False)
class Observation:
    """The LRs of updates: one row for each, one column per group.

    `error`: what the scheduler raised instead of the row after the last; None where it ran to the end.
    """

    lrs: NDArray[np.float64]
    error: Exception | None = None


class StandIn(torch.optim.Optimizer):
    """An optimizer with the groups of another one, but one tiny parameter for each and an update that does nothing."""

    def __init__(self, optimizer: torch.optim.Optimizer, memo: dict[int, Any]) -> None:
        left_out = ("params", "param_names")
        groups = [{k: v for k, v in group.items() if k not in left_out} for group in optimizer.param_groups]
        # One copy of all: tensors that groups share stay shared, with the scheduler's too.
        copied = copy.deepcopy(groups, memo)
        params = [{"params": [torch.zeros(1)], **group} for group in copied]
        super().__init__(params, copy.deepcopy(optimizer.defaults, memo))

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update nothing."""


def copy_of(scheduler: Any, shared: Sequence[Any] = ()) -> Any:
    """A copy of a scheduler on a stand-in for its optimizer: stepping it changes nothing of the original.

    `shared`: objects that both use.
    Raises whatever copying raises, such as TypeError for an object that holds a lock or a generator.
    """
    memo: dict[int, Any] = {id(value): value for value in shared}
    optimizer = optimizer_of(scheduler)
    memo[id(optimizer)] = StandIn(optimizer, memo)
    return copy.deepcopy(scheduler, memo)


def observed(scheduler: Any, steps: int, metrics: Sequence[float] = ()) -> Observation:
    """The LRs of the next `steps` updates; `scheduler` is stepped, so give a copy of one that is still needed.

    `metrics`: for ReduceLROnPlateau, the argument of each step().
    """
    rows: list[list[float]] = []
    optimizer = optimizer_of(scheduler)
    loop = _MetricLoop(optimizer, scheduler, metrics) if metrics else TrainingLoop(optimizer, scheduler)
    error: Exception | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's remarks about the training loop, which is ours
        try:
            for row in loop.lrs(steps):
                rows.append(row)
        except Exception as raised:  # noqa: BLE001 - a user's scheduler may raise anything; the plan says so
            error = raised
    return Observation(np.array(rows, dtype=np.float64).reshape(len(rows), len(optimizer.param_groups)), error)


class _MetricLoop(TrainingLoop):
    """A loop that gives the scheduler one metric after each update."""

    def __init__(self, optimizer: Any, scheduler: Any, metrics: Sequence[float]) -> None:
        super().__init__(optimizer, scheduler)
        self.metrics = metrics

    def advance(self, update: int) -> None:
        """Step the scheduler with the metric of this update."""
        if update < len(self.metrics):
            self.scheduler.step(self.metrics[update])
