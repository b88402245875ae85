"""Hypotheses about the end of a decay: its floor, and what comes past it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from reference import Decay, ExponentialDecay, StableDecay, WarmupDecay

from .anatomy import Anatomy
from .curves import evaluated
from .evidence import Evidence, Hypothesis, mixture
from .scales import TIMED


def ends(x: Evidence) -> Iterator[Hypothesis]:
    """Another floor, and the ways to go on past the end."""
    a = x.anatomy
    pair = a.pair
    if pair is None or a.decay_steps is None:
        return
    end = a.decay_steps + (a.warmup_steps if pair.convention.clock == "prefix" else 0)
    for past, cause in (("periodic", "rises-again"), ("restart", "rises-again"), ("unbounded", "negative")):
        power = getattr(pair.decay, "power", 1.0)
        if past == pair.convention.past_end or (past == "unbounded" and not float(power).is_integer()):
            continue
        other = dataclasses.replace(pair, convention=dataclasses.replace(pair.convention, past_end=past))
        if cause == "negative" and not (x.y < -x.tol).any():
            cause = "rises-again"  # a cosine, or an even power: unbounded, they rise
        yield Hypothesis(cause, evaluated(other, a.pair_base), {"r": end}, other, a.pair_base)
    yield from _floors(x, a, pair)


def _floors(x: Evidence, a: Anatomy, pair: WarmupDecay) -> Iterator[Hypothesis]:
    low = _floor_of(x, a, pair)
    if low is None:
        return
    tried = {low, float(f"{low:.3g}"), float(f"{low:.2g}")} | ({0.0} if low < 0.02 * a.pair_base else set())
    for value in sorted(tried):
        if not 0 <= value <= a.pair_base or abs(value - a.floor) < 1e-9 * a.pair_base:
            continue
        cause = "floor-violated" if value < a.floor else "floor-missed"
        decay = _with_floor(pair.decay, value)
        if decay is None:
            continue
        for past in {pair.convention.past_end, "clamp", "periodic"}:
            other = dataclasses.replace(
                pair, decay=decay, convention=dataclasses.replace(pair.convention, past_end=past)
            )
            numbers = {"value": value, "meant": a.floor}
            yield Hypothesis(cause, evaluated(other, a.pair_base), numbers, other, a.pair_base)


def _with_floor(decay: Decay, low: float) -> Decay | None:
    if isinstance(decay, ExponentialDecay) and (low <= 0 or decay.decay_steps is None):
        return None
    return dataclasses.replace(decay, min_lr=low)  # type: ignore[type-var]


def _floor_of(x: Evidence, a: Anatomy, pair: WarmupDecay) -> float | None:
    """The floor that the falling part has, by the decay's own formula."""
    inside = x.t >= a.warmup_steps
    if not inside.any():
        return None
    t, y, tol = x.t[inside], x.y[inside], x.tol[inside]
    if isinstance(pair.decay, (*TIMED, StableDecay)):
        at_zero, at_half = (
            dataclasses.replace(pair, decay=_with_floor(pair.decay, f * a.pair_base) or pair.decay)(t, a.pair_base)
            for f in (0.0, 0.5)
        )
        share = mixture(y, at_zero, at_half, tol)  # the LR is a straight line in the floor
        return None if share is None else 0.5 * a.pair_base * share
    if isinstance(pair.decay, ExponentialDecay) and a.decay_steps:
        start = a.warmup_steps if pair.convention.clock == "prefix" else 0
        p = min(1.0, float(t[-1] - start) / a.decay_steps)
        if p > 0 and y[-1] > 0:
            return float(a.pair_base * np.power(y[-1] / a.pair_base, 1 / p))
    return None
