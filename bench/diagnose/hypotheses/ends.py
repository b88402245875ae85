"""Hypotheses about the end of a decay: its floor, and what follows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from reference import Decay, ExponentialDecay, StableDecay, WarmupDecay

from .anatomy import Anatomy
from .curves import evaluated
from .evidence import Evidence, Hypothesis, mixture
from .scales import TIMED


def ends(evidence: Evidence) -> Iterator[Hypothesis]:
    """Another floor, and the ways to continue after the end."""
    expected = evidence.anatomy
    pair = expected.pair
    if pair is None or expected.decay_steps is None:
        return
    end = expected.decay_steps + (expected.warmup_steps if pair.convention.clock == "prefix" else 0)
    for past, cause in (("periodic", "rises-again"), ("restart", "rises-again"), ("unbounded", "negative")):
        power = getattr(pair.decay, "power", 1.0)
        if past == pair.convention.past_end or (past == "unbounded" and not float(power).is_integer()):
            continue
        other = dataclasses.replace(pair, convention=dataclasses.replace(pair.convention, past_end=past))
        if cause == "negative" and not (evidence.y < -evidence.tol).any():
            cause = "rises-again"  # a cosine, or an even power: unbounded, they rise
        yield Hypothesis(cause, evaluated(other, expected.pair_base), {"r": end}, other, expected.pair_base)
    yield from _floors(evidence, expected, pair)


def _floors(evidence: Evidence, expected: Anatomy, pair: WarmupDecay) -> Iterator[Hypothesis]:
    low = _floor_of(evidence, expected, pair)
    if low is None:
        return
    tried = {low, float(f"{low:.3g}"), float(f"{low:.2g}")} | ({0.0} if low < 0.02 * expected.pair_base else set())
    for value in sorted(tried):
        if not 0 <= value <= expected.pair_base or abs(value - expected.floor) < 1e-9 * expected.pair_base:
            continue
        cause = "floor-violated" if value < expected.floor else "floor-missed"
        decay = _with_floor(pair.decay, value)
        if decay is None:
            continue
        for past in dict.fromkeys((pair.convention.past_end, "clamp", "periodic")):
            other = dataclasses.replace(
                pair, decay=decay, convention=dataclasses.replace(pair.convention, past_end=past)
            )
            numbers = {"value": value, "meant": expected.floor}
            yield Hypothesis(cause, evaluated(other, expected.pair_base), numbers, other, expected.pair_base)


def _with_floor(decay: Decay, low: float) -> Decay | None:
    if isinstance(decay, ExponentialDecay) and (low <= 0 or decay.decay_steps is None):
        return None
    return dataclasses.replace(decay, min_lr=low)  # type: ignore[type-var]


def _floor_of(evidence: Evidence, expected: Anatomy, pair: WarmupDecay) -> float | None:
    """The floor of the decaying part, by the formula of the decay."""
    inside = evidence.t >= expected.warmup_steps
    if not inside.any():
        return None
    t, y, tol = evidence.t[inside], evidence.y[inside], evidence.tol[inside]
    if isinstance(pair.decay, (*TIMED, StableDecay)):
        at_zero, at_half = (
            dataclasses.replace(pair, decay=_with_floor(pair.decay, f * expected.pair_base) or pair.decay)(
                t, expected.pair_base
            )
            for f in (0.0, 0.5)
        )
        share = mixture(y, at_zero, at_half, tol)  # the LR is linear in the floor
        return None if share is None else 0.5 * expected.pair_base * share
    if isinstance(pair.decay, ExponentialDecay) and expected.decay_steps:
        start = expected.warmup_steps if pair.convention.clock == "prefix" else 0
        p = min(1.0, float(t[-1] - start) / expected.decay_steps)
        if p > 0 and y[-1] > 0:
            return float(expected.pair_base * np.power(y[-1] / expected.pair_base, 1 / p))
    return None
