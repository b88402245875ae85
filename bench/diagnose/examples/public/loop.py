"""Training loops that run the clock: batches, accumulation, epochs, and where scheduler.step() is called in them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection

import numpy as np

from .schedules.schedule import PublicPlan, SteppedScheduler

#: Base LRs of public configurations.
BASES = (2e-5, 5e-5, 1e-4, 2e-4, 3e-4, 5e-4, 6e-4, 1e-3, 1e-2, 0.1)
FLOORS = (0.0, 0.01, 0.05, 0.1)
WARMUP_SHARES = (0.03, 0.05, 0.06, 0.1, 0.2)
#: Runs have this many updates: long enough for every phase, short enough to run thousands of them.
FEWEST, MOST = 80, 3000
#: A warmup has at least this many steps, and at most this share of the run.
SHORTEST_WARMUP, LONGEST_SHARE = 5, 0.45


@dataclasses.dataclass(frozen=True)
class LoopShape:
    """A data loader of `loader` batches per process, for `epochs` epochs, an update every `accumulate` batches."""

    loader: int
    epochs: int
    accumulate: int
    processes: int

    @property
    def updates_per_epoch(self) -> int:
        """Updates of one epoch; the last one may have fewer batches."""
        return math.ceil(self.loader / self.accumulate)

    @property
    def updates(self) -> int:
        """Updates of the whole run."""
        return self.epochs * self.updates_per_epoch


def draw_shape(rng: np.random.Generator) -> LoopShape:
    """A run of `FEWEST` to `MOST` updates."""
    while True:
        shape = LoopShape(
            loader=int(np.exp(rng.uniform(np.log(20), np.log(1200)))),
            epochs=int(rng.integers(2, 31)),
            accumulate=int(rng.choice([1, 1, 2, 4, 8])),
            processes=int(rng.choice([1, 2, 4, 8])),
        )
        if FEWEST <= shape.updates <= MOST:
            return shape


def draw_plan(rng: np.random.Generator, shape: LoopShape, floors: bool) -> PublicPlan:
    """The plan that a user wants for the run, in updates: the warmup as a share, in epochs or in steps."""
    total = shape.updates
    warmups = [math.ceil(share * total) for share in WARMUP_SHARES]
    warmups += [epochs * shape.updates_per_epoch for epochs in (1, 2, 3, 5)]
    warmups += [10, 20, 50, 100, 200, 500]
    possible = [w for w in warmups if SHORTEST_WARMUP <= w <= LONGEST_SHARE * total]
    base = float(rng.choice(BASES))
    return PublicPlan(base, int(rng.choice(possible)), total, float(rng.choice(FLOORS)) if floors else 0.0)


def train(
    scheduler: SteppedScheduler,
    shape: LoopShape,
    *,
    step_at: str = "update",
    times: int = 1,
    skipped: Collection[int] = (),
    waits: bool = False,
) -> list[float]:
    """The LR at each update of a run.

    `step_at`: where scheduler.step() is called, after each ``update``, each ``batch``, each ``epoch``, ``before`` the
    update, or ``never``; `times`: how often in a row; `skipped`: the attempts at an update that the gradient scaler
    leaves out; they are not in the result, and the scheduler steps all the same. With `waits` it does not, and the
    result has a row for each attempt.
    """
    lrs: list[float] = []
    attempt = 0

    def step() -> None:
        for _ in range(times):
            scheduler.step()

    for _ in range(shape.epochs):
        for batch in range(1, shape.loader + 1):
            due = batch % shape.accumulate == 0 or batch == shape.loader
            if due:
                if step_at == "before":
                    step()
                done = attempt not in skipped
                if done or waits:
                    lrs.append(scheduler.lr)
                if done:
                    scheduler.update()
                if step_at == "update" and (done or not waits) and not last(shape, attempt):
                    step()
                attempt += 1
            if step_at == "batch":
                step()
        if step_at == "epoch":
            step()
    return lrs


def last(shape: LoopShape, attempt: int) -> bool:
    """Whether nothing follows an update, so that the loop leaves before the scheduler's next step."""
    return attempt == shape.updates - 1


def follow(scheduler: SteppedScheduler, updates: int) -> list[float]:
    """The LRs of the next updates of a plain loop; the scheduler is ready for the one after them."""
    lrs = []
    for _ in range(updates):
        lrs.append(scheduler.lr)
        scheduler.update()
        scheduler.step()
    return lrs
