"""Curves made of curves: a schedule at a base LR, and one curve after another."""

from __future__ import annotations

import numpy as np

from reference import Schedule

from .evidence import Curve


def evaluated(schedule: Schedule, base: float) -> Curve:
    """The LRs of a schedule at a base LR; before step 0 it is that of step 0."""
    return lambda t: schedule(np.maximum(t, 0), base)


def switched(edge: int, before: Curve, after: Curve) -> Curve:
    """One curve up to a step, another from it on."""
    return lambda t: np.where(t < edge, before(t), after(t))
