"""A step of all replicas that never waits for its device: what it depends on and what it records live there.

The step number is a tensor, LRs and batches are looked up by it, losses are written into a buffer. The whole step is
thus the same sequence of kernels with the same arguments at every t, which a CUDA graph can replay.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .records import MEASURED, update_ratio

if TYPE_CHECKING:
    from .batched import Batched

#: Prepares a function for many calls; the second function takes back what a call of the first one changed.
Capture = Callable[[Callable[[], Tensor], Callable[[], None]], Callable[[], Tensor]]


class Resident:
    """The steps of the replicas alive, from the next one on; compaction needs a new one.

    `capture`: how to prepare the step, such as `Captured`; None: its operations are called one by one.
    """

    def __init__(self, runs: Batched, capture: Capture | None = None) -> None:
        self.step = torch.full((1,), runs.step_count, dtype=torch.int64, device=runs.device)
        self.steps: Any = runs.optimizer.planned(runs.rates[runs.alive], runs.parameters)
        measurements = len(MEASURED) if runs.instruments else 1
        self.buffer = runs.records.on_device(len(runs.alive), measurements, runs.parameters)
        self.replay: Callable[[], Tensor] | None = None
        if capture is not None:
            changed = (runs.parameters, *runs.optimizer.state, self.step)
            saved = [each.clone() for each in changed]

            def undo() -> None:
                for each, before in zip(changed, saved, strict=True):
                    each.copy_(before)

            with torch.no_grad():
                self.replay = capture(partial(self._work, runs), undo)

    def take(self, runs: Batched) -> None:
        """Take the next step of every replica; on a GPU this returns before the step is done.

        `runs` is not kept: a circle of references would keep the device's memory until Python looks for circles.
        """
        if self.replay is not None:
            self.replay()
            return
        with torch.no_grad():
            self._work(runs)

    def _work(self, runs: Batched) -> Tensor:
        """All operations of a step; returns the step number."""
        t, everyone = self.step, slice(0, len(runs.alive))
        batch = runs.pairs.take(runs.orders.index_select(1, t)[:, 0].index_select(0, runs.order_of))
        losses, gradient, peaks = runs.pass_through(everyone, batch)
        measured = [losses]
        before = runs.parameters.clone() if runs.instruments else None
        norms = runs.norms(gradient)
        runs.optimizer.step_on_device(runs.parameters, gradient, self.steps, t)
        if before is not None:
            measured += [peaks, norms, update_ratio(before, runs.parameters)]
        self.buffer.index_copy_(1, t, torch.stack(measured)[:, None])
        return t.add_(1)
