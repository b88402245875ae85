"""Shared by the tests of divergence: handmade records, and a trainer whose outcomes follow a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.diverge.change import warmup_length
from bench.diverge.runs import PER_STEP, Plan, Records
from bench.toy.rates import planned
from reference import parse
from reference.check import Rates

STEPS = 40
#: Validation losses of a run that learned the task, of one that is only halfway, and of one that failed.
GOOD, MIDDLE, BAD = 0.01, 0.5, 2.3
#: Curves of 40 losses: one that learns at step 10 (its smoothed level by step 12), one that never learns.
LEARNING = np.where(np.arange(STEPS) < 10, 3.0, 0.2)
PLATEAU = np.full(STEPS, 2.3)
#: A curve that learns and then collapses at step 30.
COLLAPSING = np.where(np.arange(STEPS) < 30, LEARNING, 2.3)


def records(losses: Sequence[Rates] | Rates, final: Sequence[float], **others: Any) -> Records:
    """Records [K, T] of runs with these losses; other readings are too small to raise an alarm, unless given."""
    values = np.array(losses, dtype=np.float64)
    readings = {name: np.full_like(values, 1e-3) for name in PER_STEP} | {"losses": values}
    readings |= {name: np.array(record, dtype=np.float64) for name, record in others.items()}
    return Records(**readings, initial=values[:, 0].copy(), final=np.array(final, dtype=np.float64))


class Ruled:
    """A trainer whose final losses are a function of warmup length, LR and seed; `asked`: the plans of each call."""

    def __init__(self, ending: Callable[[int, float, int], float]) -> None:
        self.ending = ending
        self.asked: list[list[Plan]] = []

    def __call__(self, plans: Sequence[Plan]) -> Records:
        """The records of the plans: loss curves of a good or a bad run."""
        self.asked.append(list(plans))
        finals = [self.ending(warmup_length(parse(p.schedule)) or 0, p.base_lr, p.seed) for p in plans]
        lrs = [planned(parse(p.schedule), STEPS, p.base_lr) for p in plans]
        return records([LEARNING if final <= 1 else PLATEAU for final in finals], finals, lrs=lrs)
