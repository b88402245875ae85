"""Instruments for a user's own model: two lines in the training code, on any device."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from reference.check import integer

from .alarms import Alarm, first_alarms
from .attention import AttentionLogits
from .listeners import innermost
from .norms import Snapshot, total_norm, trained
from .patches import untraced
from .sharpness import Sharpness, preconditioned_sharpness
from .steps.lazy_numbers import LazyNumber, capture, read_all
from .steps.step_log import BLOCK_STEPS

#: What is measured at each step, in the order in which it is stored.
INSTRUMENTS = ("lrs", "losses", "attention_logits", "gradient_norms", "update_ratios")
Rows = NDArray[np.float64]


class Monitor:
    """Measures a training run step by step until it is closed.

    At every optimizer step (or every `every`-th; steps that a gradient scaler skips do not count) it measures:

    * `lrs`: the LR of the first parameter group;
    * `losses`: the mean of the losses passed to `loss()` since the previous step;
    * `attention_logits`: max |q·k|·scale over all visible keys in the training forward passes (see `attention`);
    * `gradient_norms`: ‖g‖₂ of the full gradient that the optimizer uses, after clipping and unscaling;
    * `update_ratios`: ‖θ_{t+1} − θ_t‖ / ‖θ_t‖ over all parameters of the optimizer.

    The device is synchronised once in many steps. Attention in compiled code is not measured: its column is NaN.

    >>> import torch
    >>> model = nn.Linear(2, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> monitor = Monitor(model, optimizer)         # the first line
    >>> for _ in range(3):
    ...     loss = model(torch.ones(1, 2)).square().sum()
    ...     monitor.loss(loss)                      # the second
    ...     loss.backward()
    ...     optimizer.step()
    >>> monitor.history["lrs"].tolist()
    [0.1, 0.1, 0.1]
    >>> monitor.close()
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer, *, every: int = 1) -> None:
        self.model, self.optimizer, self.every = model, innermost(optimizer), integer("every", every, 1)
        self.skipped = 0
        self._calls = self._steps = 0
        self._waiting: list[tuple[bool, list[LazyNumber | None]]] = []
        self._rows: list[tuple[float, ...]] = []
        self._measured: list[tuple[bool, ...]] = []
        self._sharpnesses: dict[int, Sharpness] = {}
        self._losses: list[LazyNumber] = []
        self._gradient: LazyNumber | None = None
        self._measuring = False
        self._snapshot = Snapshot()
        self.logits = AttentionLogits()
        self.logits.open()
        self._handles = [
            self.optimizer.register_step_pre_hook(untraced(self._before_step)),
            self.optimizer.register_step_post_hook(untraced(self._after_step)),
        ]

    def close(self) -> None:
        """Remove every hook; the measurements stay available."""
        self.logits.close()
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def loss(self, loss: Tensor | float) -> None:
        """Record the loss of the next optimizer step."""
        self._losses.append(capture(loss))

    def attention(self, logits: Tensor) -> None:
        """Record the logits of hand-written attention, −∞ where masked."""
        self.logits.add(logits)

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._measuring = self._calls % self.every == 0
        if self._measuring:
            self._snapshot.take(optimizer)
            if not had_closure(args, kwargs):  # with a closure there is no gradient yet
                self._gradient = gradient_norm(optimizer)

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        found_inf = getattr(optimizer, "found_inf", None)
        numbers: list[LazyNumber | None] = [0.0 if found_inf is None else capture(found_inf)]
        if self._measuring:
            gradient = gradient_norm(optimizer) if had_closure(args, kwargs) else self._gradient
            loss = mean(self._losses)
            numbers += [capture(optimizer.param_groups[0]["lr"]), loss, self.logits.take(), gradient]
            numbers.append(self._snapshot.update_ratio())
        self._waiting.append((self._measuring, numbers))
        self._measuring, self._gradient, self._losses = False, None, []
        self._calls += 1
        self.logits.paused = self._calls % self.every != 0
        if len(self._waiting) >= BLOCK_STEPS:
            self._flush()

    def _flush(self) -> None:
        """Read the pending numbers, and number the steps that updated something."""
        waiting, self._waiting = self._waiting, []
        pending = [math.nan if number is None else number for _, captured in waiting for number in captured]
        numbers = iter(read_all(pending))
        for measured, captured in waiting:
            found_inf, *row = (next(numbers) for _ in captured)
            if found_inf:
                self.skipped += 1
                continue
            if measured:
                self._rows.append((self._steps, *row))
                self._measured.append(tuple(number is not None for number in captured[1:]))
            self._steps += 1

    @property
    def history(self) -> dict[str, Rows]:
        """All measurements: float64 arrays of equal length by name, including `steps` (0 is the first update).

        NaN where an instrument had nothing to measure. Includes `sharpness` and `sharpness_limits` once `sharpness()`
        has been called.
        """
        self._flush()
        table = np.array(self._rows, dtype=np.float64).reshape(-1, 1 + len(INSTRUMENTS))
        columns = dict(zip(("steps", *INSTRUMENTS), table.T, strict=True))
        if self._sharpnesses:
            for name, field in (("sharpness", "value"), ("sharpness_limits", "limit")):
                known = {step: float(getattr(sharpness, field)) for step, sharpness in self._sharpnesses.items()}
                columns[name] = np.array([known.get(int(step), math.nan) for step in columns["steps"]])
        return columns

    def warnings(self) -> list[Alarm]:
        """The first alarm of each kind, in order of step: which instrument warned, at which step, by how much."""
        history = self.history
        table = np.array(self._measured, dtype=bool).reshape(-1, len(INSTRUMENTS))
        return first_alarms(history, dict(zip(INSTRUMENTS, table.T, strict=True)))

    def sharpness(self, closure: Callable[[], Tensor], *, tolerance: float = 1e-3, most: int = 60) -> Sharpness:
        """The current preconditioned sharpness of the loss that `closure` returns, with its limit.

        See `sharpness.preconditioned_sharpness`. The history lists it at the latest step.
        """
        paused, self.logits.paused = self.logits.paused, True
        try:
            sharpness = preconditioned_sharpness(self.model, self.optimizer, closure, tolerance=tolerance, most=most)
        finally:
            self.logits.paused = paused
        self._flush()
        self._sharpnesses[self._steps - 1] = sharpness
        return sharpness


def had_closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a step was called with a closure, which computes the gradient inside the step."""
    return len(args) > 1 or kwargs.get("closure") is not None


def gradient_norm(optimizer: Optimizer) -> LazyNumber | None:
    """‖g‖₂ of an optimizer's current gradient, without a gradient scaler's scale; None without a gradient."""
    gradients = [p.grad for p in trained(optimizer) if p.grad is not None]
    scale = getattr(optimizer, "grad_scale", None)  # a fused optimizer divides by it inside its step
    if not gradients:
        return None
    return total_norm(gradients) if scale is None else total_norm(gradients) / scale


def mean(losses: list[LazyNumber]) -> LazyNumber | None:
    """The mean of the losses; None if there are none."""
    if not losses:
        return None
    total = losses[0]
    for loss in losses[1:]:
        total = total + loss
    return total / len(losses)
