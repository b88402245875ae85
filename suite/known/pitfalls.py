"""Documented behaviour that still catches users out, detected in the reference's own trace of a case."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from reference import ChainedScheduler, CosineAnnealingLR, ReduceLROnPlateau
from suite.engine.case import Case, Refused, validated


@dataclasses.dataclass(frozen=True)
class Pitfall:
    """Documented behaviour that silently loses LRs; `shows` examines the composition and its expected trace."""

    id: str
    title: str
    workaround: str
    upstream: tuple[int, ...]
    shows: Callable[[Case], bool]


def _warmup_overwritten(case: Case) -> bool:
    """A chain whose trace is that of its last part alone, although the parts before it are not constant."""
    chain = case.schedule
    if not isinstance(chain, ChainedScheduler) or len(chain.schedulers) < 2:
        return False
    whole, last, rest = (
        s.trace(case.steps, 0.3) for s in (chain, chain.schedulers[-1], ChainedScheduler(chain.schedulers[:-1]))
    )
    return bool((whole == last).all() and np.ptp(rest) > 0)


def _rises_again(case: Case) -> bool:
    """A CosineAnnealingLR on its own that rises after T_max."""
    if not isinstance(case.schedule, CosineAnnealingLR):
        return False
    rates = case.schedule.trace(case.steps, 0.3)
    return bool((np.diff(rates)[case.schedule.T_max :] > 0).any())


def _negative_plateau(case: Case) -> bool:
    """A relative threshold, which is there to make improvements rarer, keeps the LR higher than no threshold does."""
    twin = case.schedule
    if not isinstance(twin, ReduceLROnPlateau) or twin.threshold_mode != "rel" or not twin.threshold > 0:
        return False
    exact = dataclasses.replace(twin, threshold=0.0)
    return bool((twin.trace(case.steps, 0.3) > exact.trace(case.steps, 0.3)).any())


PITFALLS = (
    Pitfall(
        "chain-overwrites",
        "LambdaLR, CosineAnnealingWarmRestarts, OneCycleLR and CyclicLR overwrite earlier parts of a chain",
        "Chain only schedulers that multiply, or put the warmup into the lambda; otherwise the warmup is lost.",
        (),
        _warmup_overwritten,
    ),
    Pitfall(
        "cosine-rises-again",
        "CosineAnnealingLR is periodic: past T_max the LR rises again",
        "End training at T_max, or switch to `LambdaLR(optimizer, lambda t: eta_min / base_lr)` with a SequentialLR.",
        (152081,),
        _rises_again,
    ),
    Pitfall(
        "plateau-negative-metric",
        "ReduceLROnPlateau takes a negative metric that is constant or slightly worse for an improvement",
        "Pass threshold_mode='abs' with a metric that can be negative; 'rel' is the default.",
        (47513, 38622),
        _negative_plateau,
    ),
)


def pitfalls_of(case: Case) -> list[Pitfall]:
    """The pitfalls that the case shows; a composition that the reference refuses shows none."""
    try:
        validated(case.schedule)
    except Refused:
        return []
    return [pitfall for pitfall in PITFALLS if pitfall.shows(case)]
