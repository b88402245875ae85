"""Build LR functions: a schedule at a base LR, and one function after another."""

from __future__ import annotations

import numpy as np

from reference import Schedule

from .evidence import LRFunction


def evaluated(schedule: Schedule, base: float) -> LRFunction:
    """The LRs of a schedule at a base LR; before step 0 that of step 0."""
    return lambda t: schedule(np.maximum(t, 0), base)


def switched(edge: int, before: LRFunction, after: LRFunction) -> LRFunction:
    """One function before a step, another from it on."""
    return lambda t: np.where(t < edge, before(t), after(t))
