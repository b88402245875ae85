"""Hypotheses that change the curve: a phase that is lost, stretched, moved, or has another end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from reference import (
    ChainedScheduler,
    CosineAnnealingLR,
    CosineDecay,
    Decay,
    InverseSqrtDecay,
    LinearLR,
    LinearWarmup,
    SequentialLR,
    WarmupDecay,
)
from reference.check import Rates, Steps

from .anatomy import Anatomy, resized, with_length
from .curves import evaluated, switched
from .ends import ends
from .evidence import Curve, Evidence, Hypothesis
from .scales import no_warmup, warmup_alone

#: Levels of nesting that are tried.
LEVELS = 6


def shapes(x: Evidence) -> Iterator[Hypothesis]:
    """Every other curve that the same settings could have made."""
    if x.anatomy.pair is None:
        return
    yield from _from_zero(x)
    yield from _lost(x)
    yield from _clocks(x)
    yield from _horizons(x)
    yield from _moved(x)
    yield from _lengths(x)
    yield from _nested(x)
    yield from _overshoots(x)
    yield from ends(x)


def _pair(a: Anatomy) -> WarmupDecay:
    assert a.pair is not None
    return a.pair


def _as(cause: str, schedule: WarmupDecay, base: float, extra: float = 0.0, **numbers: float) -> Hypothesis:
    return Hypothesis(cause, evaluated(schedule, base), dict(numbers), schedule, base, extra)


def _decays(a: Anatomy, *lengths: int | None) -> Iterator[Decay]:
    """The decay as it is, and stretched to other lengths."""
    pair = _pair(a)
    yield pair.decay
    for length in lengths:
        other = None if length is None or length == a.decay_steps else with_length(pair.decay, length)
        if other is not None:
            yield other


def _from_zero(x: Evidence) -> Iterator[Hypothesis]:
    """t/W in place of (t+1)/W."""
    a, pair = x.anatomy, _pair(x.anatomy)
    if a.first > 0 and pair.convention.start == "first" and pair.warmup.start_factor == 0:
        other = dataclasses.replace(pair, convention=dataclasses.replace(pair.convention, start="zero"))
        yield _as("zero-first", other, a.pair_base, first_lr=a.first)


def _lost(x: Evidence) -> Iterator[Hypothesis]:
    a, pair = x.anatomy, _pair(x.anatomy)
    w, total = a.warmup_steps, a.total
    if w == 0:
        return
    first = a.first
    for decay in _decays(a, total, None if total is None else total - w):
        for warmup, clock in ((no_warmup(w), "prefix"), (LinearWarmup(0), "prefix")):
            rule = dataclasses.replace(pair.convention, start="affine", clock=clock)
            other = WarmupDecay(warmup, decay, rule)
            at = evaluated(other, a.pair_base)
            numbers = {"first_lr": first, "value": float(other(0, a.pair_base))}
            yield Hypothesis("warmup-lost", at, numbers, other, a.pair_base)
            # Built last to first, the first LR is right: the warmup is overwritten by the first step().
            yield Hypothesis("warmup-lost", switched(1, a.at, at), {**numbers, "value": first}, extra=1.0)


def _clocks(x: Evidence) -> Iterator[Hypothesis]:
    a, pair = x.anatomy, _pair(x.anatomy)
    w, total = a.warmup_steps, a.total
    if w == 0:
        return
    through = pair.convention.clock == "multiplicative"
    rule = dataclasses.replace(pair.convention, clock="prefix" if through else "multiplicative")
    for decay in _decays(a, total, None if total is None else total - w, (a.decay_steps or 0) + w):
        other = dataclasses.replace(pair, decay=decay, convention=rule)
        peak = float(x.y.max())
        same = decay is pair.decay
        cause = "clock-waits" if through else "clock-through-warmup"
        yield _as(cause, other, a.pair_base, 0.1 * same, value=peak)
        if a.floor > 0 and isinstance(decay, CosineDecay) and pair.convention.start == "affine":
            # torch's recursion reaches the floor, where the product of both only shares in it.
            fall = CosineAnnealingLR(decay.decay_steps, decay.min_lr)
            if isinstance(pair.warmup, LinearWarmup) and pair.warmup.start_factor > 0 and not through:
                chain = ChainedScheduler((LinearLR(pair.warmup.start_factor, 1.0, w), fall))
                numbers = {"value": peak}
                yield Hypothesis(cause, evaluated(chain, a.pair_base), numbers, chain, a.pair_base, 0.1 * same)


def _horizons(x: Evidence) -> Iterator[Hypothesis]:
    a, pair = x.anatomy, _pair(x.anatomy)
    meant, w = a.decay_steps, a.warmup_steps
    if meant is None:
        return
    lengths = {meant + w: 0.0, meant - w: 0.0, 2 * meant: 0.4}
    if a.total is not None:
        lengths |= {a.total: 0.0, a.total - w: 0.0}
    phi, _, fall = x.clock
    start = 0 if pair.convention.clock == "multiplicative" else w
    inside = fall & (x.t > start) & (np.nan_to_num(phi) > start)
    stretch = x.clock_median(meant * (x.t - start) / np.where(inside, phi - start, 1.0), inside)
    if stretch is not None and stretch < 1e12:
        for length in range(round(stretch) - 3, round(stretch) + 4):
            lengths.setdefault(length, 1.0)
    for length, extra in lengths.items():
        decay = with_length(pair.decay, length) if length > 0 else None
        if decay is None or length == meant:
            continue
        for past in {pair.convention.past_end, "clamp", "periodic"}:
            rule = dataclasses.replace(pair.convention, past_end=past)
            other = dataclasses.replace(pair, decay=decay, convention=rule)
            cause = "horizon-long" if length > meant else "horizon-short"
            yield _as(cause, other, a.pair_base, extra, d=length, meant=meant)


def _moved(x: Evidence) -> Iterator[Hypothesis]:
    """The decay begins at another step, with its own length or with what is left of the run."""
    a, pair, hold = x.anatomy, _pair(x.anatomy), warmup_alone(x.anatomy)
    w, meant = a.warmup_steps, a.decay_steps
    if x.first is None or hold is None or pair.convention.clock != "prefix":
        return
    phi, _, fall = x.clock
    starts = set(x.gap(x.first))
    shift = x.clock_median(x.t - phi, fall)
    if shift is not None:
        starts |= {w + round(shift) + k for k in range(-3, 4)}
    if meant and a.total is not None:
        held = int(getattr(pair.decay, "stable_steps", 0))
        u = (phi - w - held) / max(meant - held, 1)
        early = fall & (np.nan_to_num(u, nan=1.0) < 0.9) & (np.nan_to_num(u) > 0) & (x.t > w)
        left = x.clock_median((x.t - u * a.total) / (1 - u), early)
        if left is not None:
            starts |= {round(left) - held + k for k in range(-3, 4)}
    if a.drops:
        fell = np.flatnonzero((x.t[1:] > w) & (x.y[1:] < 0.99 * x.y[:-1]))
        starts |= {w + at - a.drops[0] for i in fell[:1] for at in x.gap(int(i) + 1)}
    for m in sorted(m for m in starts if 0 < m != w and m < 2**50):
        rest = None if a.total is None or meant is None else a.total - m
        for decay in _decays(a, rest):
            rule = dataclasses.replace(pair.convention, start="affine")
            tail = WarmupDecay(LinearWarmup(0), decay, rule)
            at = switched(m, evaluated(hold, a.pair_base), _later(tail, a.pair_base, m))
            whole = SequentialLR((hold, tail), (m,))
            yield Hypothesis("milestone-moved", at, {"m": m, "meant": w}, whole, a.pair_base)


def _later(schedule: WarmupDecay, base: float, start: int) -> Curve:
    return lambda t: schedule(np.maximum(t - start, 0), base)


def _lengths(x: Evidence) -> Iterator[Hypothesis]:
    a, pair = x.anatomy, _pair(x.anatomy)
    w = a.warmup_steps
    phi, rise, _ = x.clock
    one = 1.0 if pair.convention.start == "first" else 0.0
    known = rise & (np.nan_to_num(phi) + one > 0) & (x.t > 0)
    stretch = x.clock_median((x.t + one) / np.where(known, phi + one, 1.0), known)
    if stretch is None or w == 0 or stretch * w > 1e12:
        return
    estimates = {round(stretch * w), round(stretch * (w - 1)) + 1}
    for length in sorted({e + k for e in estimates for k in range(-2, 3)} - {w}):
        if length < 1:
            continue
        warmups = [resized(pair.warmup, length)]
        if abs(pair.warmup.start_factor * (w + 1) - 1) < 1e-9:  # family F starts at 1/(W+1)
            warmups.append(resized(pair.warmup, length, start_factor=1 / (length + 1)))
        decays = list(_decays(a, None if a.total is None else a.total - length))
        if isinstance(pair.decay, InverseSqrtDecay) and pair.decay.timescale == w:  # Noam's: W is its timescale too
            decays.append(InverseSqrtDecay(length))
        for decay in decays:
            for warmup in warmups:
                other = dataclasses.replace(pair, warmup=warmup, decay=decay)
                yield _as("warmup-length", other, a.pair_base, w=length, meant=w)


def _nested(x: Evidence) -> Iterator[Hypothesis]:
    a, hold = x.anatomy, warmup_alone(x.anatomy)
    if hold is None or a.warmup_steps < 2:
        return
    warm = evaluated(hold, a.pair_base)
    for k in range(1, LEVELS + 1):
        yield Hypothesis("nested-lost-step", _skipped(a, warm, k), {"k": k})
        yield Hypothesis("nested-lost-step", _cut(a, k), {"k": k})


def _skipped(a: Anatomy, warm: Curve, k: int) -> Curve:
    def at(t: Steps) -> Rates:
        inside = np.where(t == 0, a.first, warm(t + k))
        return np.where(t < a.warmup_steps, inside, a.at(t))

    return at


def _cut(a: Anatomy, k: int) -> Curve:
    """The last k steps of the warmup are skipped: its inner milestone comes that much early."""
    w = a.warmup_steps
    return lambda t: np.where((t >= w - k) & (t < w), a.pair_base, a.at(t))


def _overshoots(x: Evidence) -> Iterator[Hypothesis]:
    """The warmup's straight line (or power) goes on above the base LR, up to a milestone behind its end."""
    a, pair = x.anatomy, _pair(x.anatomy)
    w, base = a.warmup_steps, a.pair_base
    if w < 2 or x.y.max() <= base * (1 + 1e-9):
        return
    v0, v1 = (float(v) for v in a.at(np.array([0, 1])))

    def line(t: Steps) -> Rates:
        return v0 + (v1 - v0) * t.astype(np.float64)

    def power(t: Steps) -> Rates:
        return np.asarray(v0 * np.exp(np.minimum(t * np.log(v1 / v0), 600.0)), np.float64)

    rises: list[Curve] = [line, power] if v0 > 0 else [line]
    after = int(x.t[min(x.peak + 1, x.t.size - 1)])
    edges = [m for m in range(int(x.t[x.peak]) + 1, after + 1) if m > w][:64] or [2**40]
    numbers = {"value": float(x.y.max()), "base": base}
    for rise in rises:
        for m in [*edges, 2**40]:
            for decay in _decays(a, None if a.total is None else a.total - m):
                rule = dataclasses.replace(pair.convention, start="affine")
                tail = WarmupDecay(LinearWarmup(0), decay, rule)
                for start in {m, w}:
                    at = switched(m, rise, _later(tail, base, start))
                    yield Hypothesis("overshoot", at, {**numbers, "m": m})
