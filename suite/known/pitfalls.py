"""Documented behaviour that still catches users out, detected in the reference's own trace of a case."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from reference import ChainedScheduler, CosineAnnealingLR
from suite.engine.case import Case

from .entries.places import places


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
)


def pitfalls_of(case: Case) -> list[Pitfall]:
    """The pitfalls that the case shows; a composite that cannot be evaluated shows none."""
    if any(type(s).__name__ in ("LRScheduler", "ReduceLROnPlateau") for s, _ in places(case.schedule)):
        return []
    return [pitfall for pitfall in PITFALLS if pitfall.shows(case)]
