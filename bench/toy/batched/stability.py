"""The edge of stability and the cost of a wrong peak LR, from runs that share their seeds between schedules."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import torch

from bench.toy.config import Config
from bench.toy.measures import interpolated_edge, lr_sensitivity
from bench.toy.promised import PEAK_LR, TOTAL_STEPS, TRACKED, WARMUP_STEPS, by_reference, steps_off
from reference.check import Rates

from .batched import Batched

#: Training loss before this update, at the smallest peak LR: rounding has not grown there, any other change shows.
EARLY_STEP = 10
#: Lower bound, in nats per token, of a number that could be 0: far below the differences between seeds.
LEAST = 1e-6

Numbers = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Profile:
    """How much is trained: seeds 0 … `seeds` − 1 at each peak LR. asv compares only numbers of one version."""

    seeds: int
    lrs: tuple[float, ...]
    version: str


#: From a quarter to four times an LR near the edge of these warmups (0.024 without one).
FULL = Profile(16, tuple(PEAK_LR * 2 ** (k / 2) for k in range(-4, 5)), "1")
QUICK = Profile(4, tuple(PEAK_LR * 2.0**k for k in range(-2, 3)), "1 quick")


@dataclasses.dataclass(frozen=True)
class Runs:
    """What is kept of the runs under one schedule, S seeds × L peak LRs × T steps.

    `losses`: validation losses after the last step [S, L]; `initial`: before the first [S];
    `early`: training losses before update `EARLY_STEP` at the smallest LR [S]; `lrs`: the LRs used [S, L, T].
    """

    losses: Rates
    initial: Rates
    early: Rates
    lrs: Rates


def schedules() -> dict[str, Rates]:
    """The factors [T] of every tracked warmup."""
    return {warmup: by_reference(warmup, WARMUP_STEPS, TOTAL_STEPS, 1.0) for warmup in TRACKED}


def train(
    config: Config,
    factors: Mapping[str, Rates],
    profile: Profile = FULL,
    threads: int = 2,
    redraw: int | None = None,
    device: str = "cpu",
) -> dict[str, Runs]:
    """Train every schedule at every peak LR with every seed, all at once; seeds are paired between the schedules.

    `factors`: [T], by name, multiplied by the peak LR. `redraw`: moves every initial weight by at most one
    unit in its last place, at random: that is what another CPU or release does, which rounds differently.
    """
    seeds, lrs = profile.seeds, np.array(profile.lrs)
    rows = [row * lr for row in factors.values() for _ in range(seeds) for lr in lrs]
    drawn = [seed for _ in factors for seed in range(seeds) for _ in lrs]
    runs = Batched(config, torch.from_numpy(np.stack(rows)), drawn, threads=threads, device=device)
    if redraw is not None:
        generator = torch.Generator().manual_seed(redraw)
        noise = torch.rand(runs.parameters.shape, generator=generator, dtype=torch.float32) - 0.5
        runs.parameters.mul_(1 + 2 * torch.finfo(torch.float32).eps * noise)
    shape = (len(factors), seeds, len(lrs), -1)
    initial = runs.evaluate().numpy().reshape(shape)[:, :, 0, 0]
    runs.run()
    losses = runs.evaluate().numpy().reshape(shape)[..., 0]
    early = runs.losses.numpy().reshape(shape)[:, :, 0, EARLY_STEP if runs.losses.shape[1] > EARLY_STEP else -1]
    used = runs.lrs.numpy().reshape(shape)
    return {name: Runs(losses[k], initial[k], early[k], used[k]) for k, name in enumerate(factors)}


def numbers_of(runs: Runs, warmup: str, profile: Profile, warmup_steps: int, total_steps: int) -> Numbers:
    """The numbers of one warmup.

    * ``lr_sensitivity``: mean over seeds, nats; the loss of the untrained model where no run is better;
    * ``inverse_edge``: geometric mean over seeds of 1 / the LR at which the final loss crosses 0.5 nats;
    * ``early_loss``: mean over seeds of the training loss early on, at the smallest LR, nats;
    * ``steps_off``: 1 + the number of steps of a run whose LR is not the promised one, the worst run;
    * ``…_error``: 1 + the standard error of the mean over seeds, as a share of it.

    A run whose loss is not finite counts with the loss of its untrained model.
    """
    finite = np.where(np.isfinite(runs.losses), runs.losses, np.inf)
    best = np.minimum(finite, runs.initial[:, None]).min(-1)
    sensitivity = np.where(best < runs.initial, lr_sensitivity(runs.losses, runs.initial), runs.initial)
    log_edge = np.log(interpolated_edge(finite, profile.lrs))
    mean = max(LEAST, float(sensitivity.mean()))
    early = float(np.where(np.isfinite(runs.early), runs.early, runs.initial).mean())
    off = [
        steps_off(row, warmup, warmup_steps, total_steps, lr)
        for curve in runs.lrs
        for row, lr in zip(curve, profile.lrs, strict=True)
    ]
    return {
        "lr_sensitivity": mean,
        "lr_sensitivity_error": 1 + _error(sensitivity) / mean,
        "inverse_edge": float(np.exp(-log_edge.mean())),
        "inverse_edge_error": 1 + _error(log_edge),
        "early_loss": max(LEAST, early),
        "steps_off": float(max(off)),
    }


def _error(values: Rates) -> float:
    """The standard error of a mean over seeds."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))
