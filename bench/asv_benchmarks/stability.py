"""asv: the stability of training under each warmup, as numbers that are identical in every run of a commit.

All runs train once, together, in `setup_cache`; the benchmarks read their numbers from there.
asv compares ratios and regards smaller as better, so every number is finite and above 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.toy.batched.batched import Batched
from bench.toy.config import Config, named
from bench.toy.measures import capped, failed, lr_sensitivity, max_stable_lr
from bench.toy.rates import grid
from bench.toy.rules import WARMUPS, effective

#: A warmup of 10 %. At width 16 the task is learned in 200 steps with a good LR.
WARMUP_STEPS, TOTAL_STEPS = 20, 200
#: Peak LRs in ratios of 10^¼: at the first all kinds except the untuned learn, at the last these kinds fail.
LRS = tuple(10 ** (k / 4) for k in range(-9, -2))
SEEDS = 3
#: Lower bound, in nats per token, of numbers that could be 0: far below the differences between seeds.
LEAST = 1e-6

Numbers = dict[str, float]


def measure(
    config: Config, warmups: Sequence[str], lrs: Sequence[float], seeds: int, warmup_steps: int, total_steps: int
) -> dict[str, Numbers]:
    """Train every warmup at every peak LR with every seed, and return the numbers of each warmup.

    * ``lr_sensitivity``: mean over seeds, nats; the loss of the untrained model if no run is better;
    * ``failed_share``: (failed + 1)/(runs + 2), Laplace's rule of succession, which is never 0 or 1;
    * ``inverse_max_stable_lr``: geometric mean over seeds of 1 / the largest LR that learned the task;
      if none did, the next LR below the grid is used; never less than 1 / the grid's largest LR;
    * ``loss``: mean over seeds of the lowest validation loss over the LRs, after `total_steps`, nats.

    A run whose loss is not finite counts with the loss of its untrained model.
    """
    count = len(lrs) * seeds
    schedules = [effective(warmup, config, warmup_steps, total_steps) for warmup in warmups]
    rows = [schedule for schedule in schedules for _ in range(count)]
    peaks = [lr for _ in warmups for _ in range(seeds) for lr in lrs]
    drawn = [seed for _ in warmups for seed in range(seeds) for _ in lrs]
    runs = Batched(config, grid(rows, peaks, total_steps), drawn, threads=2)
    shape = (len(warmups), seeds, len(lrs))
    initial = runs.evaluate().numpy().reshape(shape)[..., 0]
    runs.run()
    losses = runs.evaluate().numpy().reshape(shape)
    return {warmup: numbers_of(losses[k], initial[k], lrs) for k, warmup in enumerate(warmups)}


def numbers_of(losses: np.ndarray, initial: np.ndarray, lrs: Sequence[float]) -> Numbers:
    """The numbers of one warmup: losses [seeds, L], initial [seeds]."""
    best = capped(losses, initial).min(-1)
    sensitivity = np.where(best < initial, lr_sensitivity(losses, initial), initial)
    flags = failed(losses, lrs)
    stable = max_stable_lr(losses, lrs)
    below = lrs[0] ** 2 / lrs[1]
    return {
        "lr_sensitivity": max(LEAST, float(sensitivity.mean())),
        "failed_share": float((flags.sum() + 1) / (flags.size + 2)),
        "inverse_max_stable_lr": float(np.exp(-np.log(np.where(stable > 0, stable, below)).mean())),
        "loss": max(LEAST, float(best.mean())),
    }


class Stability:
    """Post-LN at width 16, 200 steps, 3 seeds, 7 peak LRs from 0.0056 to 0.18, warmup 20 steps, then a cosine.

    The length of untuned warmups follows from β2 = 0.999 (a thousand steps or more), so in 200 steps they stay
    far below their peak LR: their numbers show what a user gets, not that the shape is better.
    """

    param_names = ("warmup",)
    params = (list(WARMUPS),)
    timeout = 600

    def setup_cache(self) -> dict[str, Numbers]:
        """Train all runs, once."""
        return measure(named("small16"), WARMUPS, LRS, SEEDS, WARMUP_STEPS, TOTAL_STEPS)

    setup_cache.timeout = 600  # type: ignore[attr-defined]

    def track_lr_sensitivity(self, numbers: dict[str, Numbers], warmup: str) -> float:
        """Mean over the LRs of min(loss, untrained loss) - best loss."""
        return numbers[warmup]["lr_sensitivity"]

    track_lr_sensitivity.unit = "nats per token"  # type: ignore[attr-defined]

    def track_failed_share(self, numbers: dict[str, Numbers], warmup: str) -> float:
        """(failed + 1)/(runs + 2): runs above loss 1, or not finite, at an LR above the best."""
        return numbers[warmup]["failed_share"]

    track_failed_share.unit = "share"  # type: ignore[attr-defined]

    def track_inverse_max_stable_lr(self, numbers: dict[str, Numbers], warmup: str) -> float:
        """1 / the largest LR that learned the task (loss below 0.1)."""
        return numbers[warmup]["inverse_max_stable_lr"]

    track_inverse_max_stable_lr.unit = "1 / LR"  # type: ignore[attr-defined]

    def track_loss(self, numbers: dict[str, Numbers], warmup: str) -> float:
        """Validation loss after 200 steps at the best LR."""
        return numbers[warmup]["loss"]

    track_loss.unit = "nats per token"  # type: ignore[attr-defined]
