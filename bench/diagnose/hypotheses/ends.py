"""Hypotheses about the end of a decay: its floor, and what follows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from reference import Decay, ExponentialDecay, StableDecay, Warmup, WarmupDecay
from reference.check import Rates, Steps

from .anatomy import SAME, Anatomy, decay_length
from .curves import PastEnd, end_of, evaluated, name_past_end, switched, ways_past_end
from .evidence import Evidence, Hypothesis, LRFunction, factor, mixture
from .scales import TIMED, no_warmup, warmup_alone, without_floor

#: What a way to continue costs that needs a number of its own.
PAST_PRICES = {"shrinking": 0.3}


def ends(evidence: Evidence) -> Iterator[Hypothesis]:
    """Another floor, and the ways to continue after the end."""
    expected = evidence.anatomy
    pair = expected.pair
    if pair is None or expected.decay_steps is None:
        return
    end, lowest = end_of(pair), float(evidence.y.min())
    for way in past_ends(evidence, pair):
        if way.at != expected.at:
            cause = name_past_end(way, pair, lowest)
            numbers = {"r": end, "d": expected.decay_steps, "meant": expected.decay_steps}
            price = PAST_PRICES.get(way.name, 0.0)
            yield Hypothesis(cause, way.at, numbers, way.schedule, expected.pair_base, price)
    yield from _floors(evidence, expected, pair)
    yield from _floors_above(evidence, expected, pair)


def past_ends(evidence: Evidence, pair: WarmupDecay) -> list[PastEnd]:
    """The ways of `ways_past_end` within the trace, and periods that shrink as fast as the trace shows."""
    base = evidence.anatomy.pair_base
    ways = ways_past_end(evidence.anatomy, pair, base, int(evidence.t[-1]))
    length, start = decay_length(pair.decay), pair.warmup.warmup_steps
    again = next((way for way in ways if way.name == "restart"), None)
    if not length or again is None or pair.convention.clock != "prefix":
        return ways
    second = np.maximum(evidence.t - start, 0) // length == 1
    rates = again.at(evidence.t)
    c = factor(evidence.y[second], rates[second], evidence.tol[second]) if second.any() else None
    if c is None or not 0 < c < 1 - 1e-3:
        return ways
    return [*ways, *(shrinking(again, start, length, share) for share in dict.fromkeys((float(f"{c:.2g}"), c)))]


def shrinking(again: PastEnd, start: int, length: int, share: float) -> PastEnd:
    """Periods that restart, each a share as high as the one before."""

    def at(t: Steps) -> Rates:
        return again.at(t) * share ** (np.maximum(t - start, 0) // length).astype(np.float64)

    return PastEnd("shrinking", at, None)


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
        warmup = _from_floor(expected, pair.warmup, value)
        for past in dict.fromkeys((pair.convention.past_end, "clamp", "periodic")):
            other = dataclasses.replace(
                pair, decay=decay, convention=dataclasses.replace(pair.convention, past_end=past)
            )
            numbers = {"value": value, "meant": expected.floor}
            yield Hypothesis(cause, evaluated(other, expected.pair_base), numbers, other, expected.pair_base)
            if warmup is not None:
                from_it = dataclasses.replace(other, warmup=warmup)
                yield Hypothesis(cause, evaluated(from_it, expected.pair_base), numbers, from_it, expected.pair_base)


def _from_floor(expected: Anatomy, warmup: Warmup, value: float) -> Warmup | None:
    """The warmup from another floor, where the expected one starts at the floor; else None."""
    low, base = expected.floor, expected.pair_base
    if low <= 0 or abs(warmup.start_factor * base - low) > SAME * base or (value == 0 and not warmup._has_zero):
        return None
    return dataclasses.replace(warmup, start_factor=value / base)  # type: ignore[type-var]


def _floors_above(evidence: Evidence, expected: Anatomy, pair: WarmupDecay) -> Iterator[Hypothesis]:
    """A floor above the base LR, so that the decay rises: a factor where a learning rate is expected."""
    base, w = expected.pair_base, expected.warmup_steps
    warm = warmup_alone(expected)
    lowered = without_floor(pair.decay)
    if lowered is None or warm is None or pair.convention.clock != "prefix":
        return
    if not evidence.y.max() > base * (1 + SAME):
        return
    rule = dataclasses.replace(pair.convention, start="affine")
    share_of = WarmupDecay(no_warmup(w), lowered, rule)
    for past in dict.fromkeys((rule.past_end, "clamp", "periodic")):
        share = dataclasses.replace(share_of, convention=dataclasses.replace(rule, past_end=past))
        later = evidence.t >= w
        part = share(evidence.t[later], 1.0)
        low = mixture(evidence.y[later], base * part, base * part + (1 - part), evidence.tol[later])
        if low is None or low <= base:
            return
        for value in sorted({low, float(f"{low:.3g}"), float(f"{low:.2g}"), expected.floor / base}):
            if value > base:
                at = _towards(share, base, value)
                numbers = {"value": value, "meant": expected.floor}
                yield Hypothesis("floor-missed", switched(w, evaluated(warm, base), at), numbers)


def _towards(share: WarmupDecay, base: float, low: float) -> LRFunction:
    def at(t: Steps) -> Rates:
        part = share(np.maximum(t, 0), 1.0)
        return np.asarray(base * part + low * (1 - part))

    return at


def _with_floor(decay: Decay, low: float) -> Decay | None:
    if isinstance(decay, ExponentialDecay) and (low <= 0 or decay.decay_steps is None):
        return None
    if low <= 0 and getattr(decay, "shape", "") == "geometric":
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
