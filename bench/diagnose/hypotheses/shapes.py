"""Hypotheses of another curve: a phase that is lost, stretched, moved, or ends elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from reference import (
    ChainedScheduler,
    ConstantDecay,
    CosineAnnealingLR,
    CosineDecay,
    Decay,
    ExponentialDecay,
    InverseSqrtDecay,
    LinearDecay,
    LinearLR,
    LinearWarmup,
    PolynomialDecay,
    SequentialLR,
    WarmupDecay,
)
from reference.check import Rates, Steps

from .anatomy import Anatomy, with_length
from .curves import evaluated, switched, ways_past_end
from .ends import ends
from .evidence import Evidence, Hypothesis, LRFunction
from .lengths import lengths
from .resumes import moved
from .scales import no_warmup, warmup_alone, without_floor
from .stretched import possible, roundest

#: What another kind of decay costs less than a whole other schedule: its numbers are those of the settings.
OTHER_KIND = -2.6
#: Levels of nesting that are tried.
LEVELS = 6


def shapes(evidence: Evidence) -> Iterator[Hypothesis]:
    """Every other curve that the same settings could have made."""
    if evidence.anatomy.pair is None:
        yield from lengths(evidence)
        return
    yield from _from_zero(evidence)
    yield from _lost(evidence)
    yield from _clocks(evidence)
    yield from _moved(evidence)
    yield from lengths(evidence)
    yield from _nested(evidence)
    yield from _overshoots(evidence)
    yield from ends(evidence)
    yield from _other_decays(evidence)


def _pair(expected: Anatomy) -> WarmupDecay:
    assert expected.pair is not None
    return expected.pair


def _as(cause: str, schedule: WarmupDecay, base: float, extra: float = 0.0, **numbers: float) -> Hypothesis:
    return Hypothesis(cause, evaluated(schedule, base), dict(numbers), schedule, base, extra)


def _decays(expected: Anatomy, *lengths: int | None) -> Iterator[Decay]:
    """The decay as it is, and stretched to other lengths."""
    pair = _pair(expected)
    yield pair.decay
    for length in lengths:
        other = None if length is None or length == expected.decay_steps else with_length(pair.decay, length)
        if other is not None:
            yield other


def _from_zero(evidence: Evidence) -> Iterator[Hypothesis]:
    """t/W in place of (t+1)/W."""
    expected, pair = evidence.anatomy, _pair(evidence.anatomy)
    if expected.first > 0 and pair.convention.start == "first" and pair.warmup.start_factor == 0:
        other = dataclasses.replace(pair, convention=dataclasses.replace(pair.convention, start="zero"))
        yield _as("zero-first", other, expected.pair_base, first_lr=expected.first)


def _lost(evidence: Evidence) -> Iterator[Hypothesis]:
    expected, pair = evidence.anatomy, _pair(evidence.anatomy)
    w, total = expected.warmup_steps, expected.total
    if w == 0:
        return
    first = expected.first
    for decay in _decays(expected, total, None if total is None else total - w):
        for warmup, clock in ((no_warmup(w), "prefix"), (LinearWarmup(0), "prefix")):
            rule = dataclasses.replace(pair.convention, start="affine", clock=clock)
            other = WarmupDecay(warmup, decay, rule)
            at = evaluated(other, expected.pair_base)
            numbers = {"first_lr": first, "value": float(other(0, expected.pair_base))}
            yield Hypothesis("warmup-lost", at, numbers, other, expected.pair_base)
            # Built last to first, the first LR is right: the warmup is overwritten by the first step().
            yield Hypothesis("warmup-lost", switched(1, expected.at, at), {**numbers, "value": first}, extra=1.0)


def _clocks(evidence: Evidence) -> Iterator[Hypothesis]:
    expected, pair = evidence.anatomy, _pair(evidence.anatomy)
    w, total = expected.warmup_steps, expected.total
    if w == 0:
        return
    through = pair.convention.clock == "multiplicative"
    rule = dataclasses.replace(pair.convention, clock="prefix" if through else "multiplicative")
    for decay in _decays(expected, total, None if total is None else total - w, (expected.decay_steps or 0) + w):
        other = dataclasses.replace(pair, decay=decay, convention=rule)
        peak = float(evidence.y.max())
        same = decay is pair.decay
        cause = "clock-waits" if through else "clock-through-warmup"
        yield _as(cause, other, expected.pair_base, 0.1 * same, value=peak)
        if expected.floor > 0 and isinstance(decay, CosineDecay) and pair.convention.start == "affine":
            # torch's recursion reaches the floor; the product of both multiplies it by the warmup's factor.
            fall = CosineAnnealingLR(decay.decay_steps, decay.min_lr)
            if isinstance(pair.warmup, LinearWarmup) and pair.warmup.start_factor > 0 and not through:
                chain = ChainedScheduler((LinearLR(pair.warmup.start_factor, 1.0, w), fall))
                numbers = {"value": peak}
                yield Hypothesis(
                    cause, evaluated(chain, expected.pair_base), numbers, chain, expected.pair_base, 0.1 * same
                )


def _moved(evidence: Evidence) -> Iterator[Hypothesis]:
    """The decay starts at another step, with its expected length or with the rest of the run, with or without floor."""
    expected, pair, warmup_only = evidence.anatomy, _pair(evidence.anatomy), warmup_alone(evidence.anatomy)
    w, total, base, last = expected.warmup_steps, expected.total, expected.pair_base, int(evidence.t[-1])
    if evidence.first is None or warmup_only is None or pair.convention.clock != "prefix":
        return
    seen = set(evidence.gap(evidence.first))
    if expected.drops:
        fell = np.flatnonzero((evidence.t[1:] > w) & (evidence.y[1:] < 0.99 * evidence.y[:-1]))
        seen |= {w + at - expected.drops[0] for i in fell[:1] for at in evidence.gap(int(i) + 1)}
    rows = evidence.falling(w)
    rule = dataclasses.replace(pair.convention, start="affine")
    for rest in (False, True) if total is not None and expected.decay_steps is not None else (False,):
        for low, extra in _floors_kept(pair.decay):

            def tail_of(m: int, rest: bool = rest, low: Decay = low) -> WarmupDecay | None:
                decay = with_length(low, (total or 0) - m) if rest else low
                return None if decay is None else WarmupDecay(LinearWarmup(0), decay, rule)

            def curve_of(
                m: int, tail_of: Callable[[int], WarmupDecay | None] = tail_of
            ) -> Callable[[Steps], Rates] | None:
                tail = tail_of(m)
                return None if tail is None else moved(evaluated(tail, base), -m)

            most = (total or last + 1) - 2 if rest else last
            starts = seen | {m + k for m in roundest(possible(curve_of, rows, 1, most)) for k in (-1, 0, 1)}
            for m in sorted(m for m in starts if 0 < m != w):
                tail = tail_of(m)
                for way in [] if tail is None else ways_past_end(expected, tail, base, last - m):
                    at = switched(m, evaluated(warmup_only, base), moved(way.at, -m))
                    whole = None if way.schedule is None else SequentialLR((warmup_only, way.schedule), (m,))
                    yield Hypothesis("milestone-moved", at, {"m": m, "meant": w}, whole, base, extra)


def _floors_kept(decay: Decay) -> Iterator[tuple[Decay, float]]:
    """A decay as it is, and one whose floor was forgotten too, at a price."""
    yield decay, 0.0
    lowered = without_floor(decay)
    if getattr(decay, "min_lr", 0.0) and lowered is not None:
        yield lowered, 0.3


def _other_decays(evidence: Evidence) -> Iterator[Hypothesis]:
    """Another decay between the same ends: its kind is the only difference."""
    expected, pair = evidence.anatomy, _pair(evidence.anatomy)
    w, total = expected.warmup_steps, expected.total
    own = expected.decay_steps or (None if total is None else total - w)
    if not own or own <= 0:
        return
    low = expected.floor
    kinds: list[Decay] = [
        LinearDecay(own, low),
        CosineDecay(own, low),
        *(PolynomialDecay(own, power, low) for power in (2.0, 0.5, 0.9, 3.0)),
        ConstantDecay(),
        *([InverseSqrtDecay(w)] if w else []),
        *([ExponentialDecay(own, low)] if 0 < low <= expected.pair_base else []),
    ]
    for decay in kinds:
        if decay == pair.decay or (isinstance(decay, ConstantDecay) and not w):
            continue
        for past in dict.fromkeys((pair.convention.past_end, "clamp", "periodic")):
            rule = dataclasses.replace(pair.convention, past_end=past)
            other = dataclasses.replace(pair, decay=decay, convention=rule)
            yield _as("other-schedule", other, expected.pair_base, OTHER_KIND)


def _later(schedule: WarmupDecay, base: float, start: int) -> LRFunction:
    return lambda t: schedule(np.maximum(t - start, 0), base)


def _nested(evidence: Evidence) -> Iterator[Hypothesis]:
    expected, warmup_only = evidence.anatomy, warmup_alone(evidence.anatomy)
    if warmup_only is None or expected.warmup_steps < 2:
        return
    warm = evaluated(warmup_only, expected.pair_base)
    for k in range(1, LEVELS + 1):
        yield Hypothesis("nested-lost-step", _skipped(expected, warm, k), {"k": k})
        yield Hypothesis("nested-lost-step", _cut(expected, k), {"k": k})


def _skipped(expected: Anatomy, warm: LRFunction, k: int) -> LRFunction:
    def at(t: Steps) -> Rates:
        inside = np.where(t == 0, expected.first, warm(t + k))
        return np.where(t < expected.warmup_steps, inside, expected.at(t))

    return at


def _cut(expected: Anatomy, k: int) -> LRFunction:
    """The last k steps of the warmup are skipped: its inner milestone comes k steps early."""
    w = expected.warmup_steps
    return lambda t: np.where((t >= w - k) & (t < w), expected.pair_base, expected.at(t))


def _overshoots(evidence: Evidence) -> Iterator[Hypothesis]:
    """The warmup's line (or power) continues above the base LR, up to a milestone after its end."""
    expected, pair = evidence.anatomy, _pair(evidence.anatomy)
    w, base = expected.warmup_steps, expected.pair_base
    if w < 2 or evidence.y.max() <= base * (1 + 1e-9):
        return
    v0, v1 = (float(v) for v in expected.at(np.array([0, 1])))

    def line(t: Steps) -> Rates:
        return v0 + (v1 - v0) * t.astype(np.float64)

    def power(t: Steps) -> Rates:
        return np.asarray(v0 * np.exp(np.minimum(t * np.log(v1 / v0), 600.0)), np.float64)

    rises: list[LRFunction] = [line, power] if v0 > 0 else [line]
    after = int(evidence.t[min(evidence.peak + 1, evidence.t.size - 1)])
    edges = [m for m in range(int(evidence.t[evidence.peak]) + 1, after + 1) if m > w][:64] or [2**40]
    numbers = {"value": float(evidence.y.max()), "base": base}
    for rise in rises:
        for m in [*edges, 2**40]:
            for decay in _decays(expected, None if expected.total is None else expected.total - m):
                rule = dataclasses.replace(pair.convention, start="affine")
                tail = WarmupDecay(LinearWarmup(0), decay, rule)
                for start in {m, w}:
                    at = switched(m, rise, _later(tail, base, start))
                    yield Hypothesis("overshoot", at, {**numbers, "m": m})
