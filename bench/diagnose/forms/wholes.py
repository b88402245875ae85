"""Known schedules whose warmup and decay cannot be told apart: each as a whole, with the usual floors and starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from reference import (
    Convention,
    CosineDecay,
    Decay,
    LinearDecay,
    LinearWarmup,
    OneCycleLR,
    Schedule,
    TanhDecay,
    WarmupDecay,
)
from reference.check import Rates, Steps

from .parts import Lengths

#: Floors and first factors of public configurations.
FLOORS = (0.0, 0.1, 0.01, 0.05)
STARTS = (0.001, 0.01, 0.0, 0.1)
#: The first factor of a warmup before a cycle.
CYCLE_START = 0.01


@dataclasses.dataclass(frozen=True)
class Whole:
    """A schedule for a plan: `shares` gives its shares of the base LR at its own steps, `make` it at a base LR.

    `make` is None where `reference` does not have it; `cause`: what it is where it is no healthy schedule.
    """

    name: str
    shares: Callable[[Lengths, Steps], Rates]
    price: float
    make: Callable[[Lengths, float], Schedule] | None = None
    cause: str = "follows"


def wholes(plan: Lengths) -> Iterator[Whole]:
    """Every one that exists for a plan."""
    w, total = plan.warmup_steps, plan.total_steps
    if w < 1 or total <= w + 1:
        return
    yield Whole("one cycle", _one_cycle_shares, 0.2, _one_cycle)
    yield Whole("cycle behind a warmup", _cycle_behind, 0.1, cause="torch-cycle-base")
    kinds: tuple[Callable[[int, float], Decay], ...] = (
        lambda d, m: CosineDecay(d, m),
        lambda d, m: TanhDecay(d, min_lr=m),
        lambda d, m: LinearDecay(d, m),
    )
    for i, kind in enumerate(kinds):
        for j, low in enumerate(FLOORS):
            for k, first in enumerate(STARTS):
                make = _meeting(kind, low, first)
                yield Whole(
                    f"meeting {i}, floor {low:g}, from {first:g}", _shares(make), 0.2 + 0.02 * (i + j + k), make
                )


def _shares(make: Callable[[Lengths, float], Schedule]) -> Callable[[Lengths, Steps], Rates]:
    return lambda plan, phi: make(plan, 1.0)(phi, 1.0)


def _one_cycle(plan: Lengths, base: float) -> Schedule:
    """torch's, whose warmup is a share of the run."""
    return OneCycleLR(base, plan.total_steps, pct_start=plan.warmup_steps / plan.total_steps)


def _one_cycle_shares(plan: Lengths, phi: Steps) -> Rates:
    """It has no value from the total on."""
    return _one_cycle(plan, 1.0)(np.minimum(phi, plan.total_steps - 1), 1.0)


def _cycle_behind(plan: Lengths, phi: Steps) -> Rates:
    """torch's OneCycleLR as the second phase: a 25th of its peak is the base LR of the warmup before it."""
    w, cycle = plan.warmup_steps, OneCycleLR(1.0, plan.decay_steps + 2)
    rise = LinearWarmup(w, CYCLE_START)(np.minimum(phi, w), 1.0) / cycle.div_factor
    later = cycle(np.clip(phi - w, 0, plan.decay_steps + 1), 1.0)
    return np.where(phi < w, rise, later)


def _meeting(kind: Callable[[int, float], Decay], low: float, first: float) -> Callable[[Lengths, float], Schedule]:
    """The warmup leads to where the decay, counted from step 0, is at step W."""

    def make(plan: Lengths, base: float) -> Schedule:
        decay = kind(plan.total_steps, low * base)
        top = float(decay(plan.warmup_steps, base)) / base
        rule = Convention("affine", "open", "meeting")
        return WarmupDecay(LinearWarmup(plan.warmup_steps, min(first, top)), decay, rule)

    return make
