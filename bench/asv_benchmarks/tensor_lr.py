"""asv: the step of the plain trainer with a tensor LR, and captured in a CUDA graph."""

from __future__ import annotations

import torch

from bench.toy.captured import KINDS, TensorLoop
from bench.toy.config import named
from bench.toy.devices import DEVICES
from bench.toy.rules import by_way
from bench.toy.stopwatch import FIRST_STEPS

#: More steps than asv takes, so that no timed step is past the end; all timed steps are in the warmup.
WARMUP_STEPS, TOTAL_STEPS = 1_000, 10_000


class TensorStep:
    """Fused Adam under SequentialLR, by kind of LR (see `KINDS`); `capturable` and `graph` need a GPU."""

    param_names = ("kind", "config", "device")
    params = (list(KINDS), ["small16", "small64"], list(DEVICES))
    repeat = (10, 40, 2.0)

    def setup(self, kind: str, config: str, device: str) -> None:
        """Build, capture, and take the first steps; skip what the machine does not have."""
        torch.set_num_threads(1)
        rule = by_way("sequential", named(config), WARMUP_STEPS, TOTAL_STEPS)
        self.loop = TensorLoop(kind, named(config), rule, TOTAL_STEPS, device)
        for _ in range(FIRST_STEPS):
            self.loop.step()

    def time_step(self, kind: str, config: str, device: str) -> None:
        """Seconds for one optimizer step, with the scheduler's, and reading the loss."""
        self.loop.step()
