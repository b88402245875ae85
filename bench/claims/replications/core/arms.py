"""An arm of a replication: a changed configuration, its warmups and its LRs; what it costs; what it measures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.claims.core.grid import Curves, Numbers
from bench.sweep.spec import Spec
from bench.toy.config import named
from bench.toy.measures import EDGE_LOSS

from .prediction import BEST, EDGE

#: Replica-steps per second of one CPU core, with 16 features and batches of 32.
SPEED = 1000
#: How many times as long a step takes with this many features.
WIDER = {16: 1.0, 32: 2.5, 64: 6.0}


@dataclasses.dataclass(frozen=True)
class PaperArm:
    """Runs that differ in warmup, LR and seed alone.

    * `name`: what the predictions call it; `config` and `changes`: its configuration, see `bench.toy.config`;
    * `norm`: post or pre; `warmups`: lengths in steps; `lrs`: ascending, wide enough to have every edge inside.
    """

    name: str
    warmups: tuple[int, ...]
    lrs: tuple[float, ...]
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    config: str = "small16"
    norm: str = "post"
    steps: int = 200

    def spec(self, seeds: Sequence[int]) -> Spec:
        """The grid of this arm; its name says what is changed."""
        words = [f"{key}={value}".replace(" ", "") for key, value in self.changes.items()]
        return Spec(
            named(self.config, **self.changes),
            " ".join([self.config, *words]),
            self.steps,
            self.warmups,
            self.lrs,
            tuple(seeds),
            norms=(self.norm,),
            match=("steps",),
        )

    def cost(self, seeds: int) -> float:
        """Seconds of one CPU core for this many seeds, estimated."""
        config = named(self.config, **self.changes)
        runs = len(self.warmups) * len(self.lrs) * seeds
        return runs * self.steps * config.batch_size / 32 * WIDER[config.d_model] / SPEED


def measured(curves: Curves, warmup: int, measure: str) -> Numbers:
    """The measure of an arm at a warmup for each seed, [seeds]."""
    setting = curves.setting(warmup)
    if measure == EDGE:
        return np.asarray(np.log2(curves.edge(setting)))
    return np.asarray(np.log2(curves.best(setting))) if measure == BEST else curves.sensitivity(setting)


def unusable(curves: Curves, warmup: int, measure: str) -> float:
    """The share of the seeds whose measure means nothing: the edge is outside the grid, or no LR learns at all."""
    setting = curves.setting(warmup)
    if measure == EDGE:
        return float(curves.outside(setting).mean())
    return float((curves.best(setting) >= EDGE_LOSS).mean())
