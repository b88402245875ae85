"""Instruments on somebody's own model: two lines in their training code, on any device."""

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
from .deferred import Noted, noted, settled
from .log import BLOCK_STEPS
from .norms import Snapshot, total_norm, trained
from .patches import untraced
from .recorder import innermost
from .sharpness import Sharpness, preconditioned_sharpness

#: What is measured at each step, in the order in which it is kept.
INSTRUMENTS = ("lrs", "losses", "attention_logits", "gradient_norms", "update_ratios")
Rows = NDArray[np.float64]


class Monitor:
    """Measures a training run, step by step, while it is open.

    At every optimizer step (or at every `every`-th; steps that a gradient scaler leaves out do not count):
    `lrs`, the LR of the first group; `losses`, what was handed to `loss()` since the step before, the mean of several;
    `attention_logits`, max |q·k|·scale over all visible keys in the training forward passes (see `attention`);
    `gradient_norms`, ‖g‖₂ of the whole gradient that the optimizer gets: after clipping, without the scale of a
    gradient scaler; `update_ratios`, ‖θ_{t+1} − θ_t‖ / ‖θ_t‖ over all parameters of the optimizer.
    A device is waited for once in many steps. Attention in compiled code is not seen: its column is NaN.

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
        self._waiting: list[tuple[bool, list[Noted | None]]] = []
        self._rows: list[tuple[float, ...]] = []
        self._measured: list[tuple[bool, ...]] = []
        self._curved: dict[int, Sharpness] = {}
        self._losses: list[Noted] = []
        self._gradient: Noted | None = None
        self._measuring = False
        self._snapshot = Snapshot()
        self.logits = AttentionLogits()
        self.logits.open()
        self._handles = [
            self.optimizer.register_step_pre_hook(untraced(self._before_step)),
            self.optimizer.register_step_post_hook(untraced(self._after_step)),
        ]

    def close(self) -> None:
        """Take every hook away; what was measured stays."""
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
        """Hand over the loss of the step that comes next."""
        self._losses.append(noted(loss))

    def attention(self, logits: Tensor) -> None:
        """Hand over the logits of an attention that is written by hand, −∞ where masked."""
        self.logits.add(logits)

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._measuring = self._calls % self.every == 0
        if self._measuring:
            self._snapshot.take(optimizer)
            if not had_closure(args, kwargs):  # else there is no gradient yet
                self._gradient = gradient_norm(optimizer)

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        found = getattr(optimizer, "found_inf", None)
        numbers: list[Noted | None] = [0.0 if found is None else noted(found)]
        if self._measuring:
            gradient = gradient_norm(optimizer) if had_closure(args, kwargs) else self._gradient
            loss = mean(self._losses)
            numbers += [noted(optimizer.param_groups[0]["lr"]), loss, self.logits.take(), gradient]
            numbers.append(self._snapshot.update_ratio())
        self._waiting.append((self._measuring, numbers))
        self._measuring, self._gradient, self._losses = False, None, []
        self._calls += 1
        self.logits.paused = self._calls % self.every != 0
        if len(self._waiting) >= BLOCK_STEPS:
            self._settle()

    def _settle(self) -> None:
        """Read the numbers that wait, and number the steps that updated something."""
        waiting, self._waiting = self._waiting, []
        numbers = iter(settled([math.nan if one is None else one for _, noted_now in waiting for one in noted_now]))
        for measured, noted_now in waiting:
            found_inf, *row = (next(numbers) for _ in noted_now)
            if found_inf:
                self.skipped += 1
                continue
            if measured:
                self._rows.append((self._steps, *row))
                self._measured.append(tuple(one is not None for one in noted_now[1:]))
            self._steps += 1

    @property
    def history(self) -> dict[str, Rows]:
        """What was measured: float64 arrays of one length by name, `steps` (the first update is 0) among them.

        NaN where an instrument had nothing to measure. `sharpness` and `sharpness_limits` are there once
        `sharpness()` was called.
        """
        self._settle()
        table = np.array(self._rows, dtype=np.float64).reshape(-1, 1 + len(INSTRUMENTS))
        found = dict(zip(("steps", *INSTRUMENTS), table.T, strict=True))
        if self._curved:
            for name, field in (("sharpness", "value"), ("sharpness_limits", "limit")):
                known = {step: float(getattr(one, field)) for step, one in self._curved.items()}
                found[name] = np.array([known.get(int(step), math.nan) for step in found["steps"]])
        return found

    def warnings(self) -> list[Alarm]:
        """The first alarm of each kind, in the order of their steps: what warned, at which step, how much."""
        history = self.history
        table = np.array(self._measured, dtype=bool).reshape(-1, len(INSTRUMENTS))
        return first_alarms(history, dict(zip(INSTRUMENTS, table.T, strict=True)))

    def sharpness(self, closure: Callable[[], Tensor], *, tolerance: float = 1e-3, most: int = 60) -> Sharpness:
        """The preconditioned sharpness now, of the loss that `closure` gives, with its limit.

        See `sharpness.preconditioned_sharpness`. It stands in the history at the step before.
        """
        paused, self.logits.paused = self.logits.paused, True
        try:
            found = preconditioned_sharpness(self.model, self.optimizer, closure, tolerance=tolerance, most=most)
        finally:
            self.logits.paused = paused
        self._settle()
        self._curved[self._steps - 1] = found
        return found


def had_closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a step was called with a closure: then the gradient is made inside it."""
    return len(args) > 1 or kwargs.get("closure") is not None


def gradient_norm(optimizer: Optimizer) -> Noted | None:
    """‖g‖₂ of the gradient that an optimizer has, without a gradient scaler's scale; None without a gradient."""
    gradients = [p.grad for p in trained(optimizer) if p.grad is not None]
    scale = getattr(optimizer, "grad_scale", None)  # a fused optimizer divides by it inside its step
    if not gradients:
        return None
    return total_norm(gradients) if scale is None else total_norm(gradients) / scale


def mean(losses: list[Noted]) -> Noted | None:
    """The mean of some losses, None of none."""
    if not losses:
        return None
    total = losses[0]
    for loss in losses[1:]:
        total = total + loss
    return total / len(losses)
