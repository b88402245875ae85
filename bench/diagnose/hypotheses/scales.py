"""Hypotheses that multiply the right schedule, or a part of it, by a factor."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from reference import (
    ConstantDecay,
    ConstantWarmup,
    CosineDecay,
    LinearDecay,
    LinearWarmup,
    PolynomialDecay,
    StableDecay,
    WarmupDecay,
)
from reference.check import Rates, Steps

from .anatomy import Anatomy
from .curves import evaluated, switched
from .evidence import Curve, Evidence, Hypothesis, factor, mixture

#: The decays whose LR is a straight line in their floor and in the base LR, and StableDecay.
TIMED = (CosineDecay, LinearDecay, PolynomialDecay)
#: Two factors are the same where they agree to this.
EQUAL = 2e-3


def scales(x: Evidence) -> Iterator[Hypothesis]:
    """Every factor that could have come in."""
    yield from _whole_run(x)
    yield from _from_a_step(x)
    yield from _one_phase(x)
    yield from _boundaries(x)
    yield from _warmup_again(x)


def warmup_alone(a: Anatomy) -> WarmupDecay | None:
    """The warmup of the expected schedule, then its base LR for ever."""
    if a.pair is None:
        return None
    rule = dataclasses.replace(a.pair.convention, end="open", clock="prefix", past_end="clamp")
    return WarmupDecay(a.pair.warmup, ConstantDecay(), rule)


def start_factor(a: Anatomy) -> float | None:
    """The factor of the expected schedule's first LR; with no warmup steps, that of the warmup left out."""
    if a.pair is None:
        return None
    if a.warmup_steps == 0:
        return a.pair.warmup.start_factor or None
    hold = warmup_alone(a)
    found = float(hold(0)) if hold is not None else 0.0
    return found if 0 < found < 1 else None


def _times(at: Curve, c: float, low: float = 0.0) -> Curve:
    return lambda t: low + c * (at(t) - low)


def _whole_run(x: Evidence) -> Iterator[Hypothesis]:
    a = x.anatomy
    yield Hypothesis("lr-zero", lambda t: np.zeros(t.shape), {"base": 0.0})
    if a.floor > 0 and a.pair is not None and isinstance(a.pair.decay, (*TIMED, StableDecay)):
        # A base LR of 0 under an absolute floor: the decay's share of the way up to it.
        lifted = dataclasses.replace(a.pair.decay, min_lr=0.0)
        share = dataclasses.replace(a.pair, warmup=no_warmup(a.warmup_steps), decay=lifted)
        yield Hypothesis("lr-zero", lambda t: a.floor * (1.0 - share(t, 1.0)), {"base": 0.0})
    s = start_factor(a)
    for c, at, base in _bases(x):
        if c is None or c <= 0 or abs(c - 1) < 1e-9:
            continue
        parameters = {"c": c, "base": base, "r": int(x.t[0])}
        yield Hypothesis("wrong-base", at, parameters, a.schedule, base)
        if s is not None and abs(c * s - 1) < EQUAL and a.warmup_steps > 0:
            yield Hypothesis("blow-up", at, parameters)
        if s is not None and abs(c / s - 1) < EQUAL and a.warmup_steps == 0:
            yield Hypothesis("start-kept", at, parameters)
    if s is not None and a.pair is not None and a.warmup_steps > 0:
        for kept in (
            dataclasses.replace(a.pair, warmup=no_warmup(a.warmup_steps)),
            WarmupDecay(LinearWarmup(0), ConstantDecay()),
        ):
            yield Hypothesis("start-kept", _times(evaluated(kept, a.pair_base), s), {"c": s})
            if s * a.pair_base > a.floor > 0:
                yield Hypothesis("start-kept", evaluated(kept, s * a.pair_base), {"c": s})


def no_warmup(steps: int) -> ConstantWarmup | LinearWarmup:
    """A warmup of that length whose factor is 1 throughout."""
    return ConstantWarmup(steps, start_factor=1.0) if steps else LinearWarmup(0)


def _bases(x: Evidence) -> Iterator[tuple[float | None, Curve, float]]:
    """Factors of all LRs: of the schedule's values, and of its base LR under an absolute floor."""
    a = x.anatomy
    c = factor(x.y, x.e, x.tol)
    if c is not None:
        yield c, _times(a.at, c), c * a.base
    if a.floor > 0 and a.pair is not None and isinstance(a.pair.decay, (*TIMED, StableDecay)):
        share = mixture(x.y, x.e, evaluated(a.pair, 2 * a.pair_base)(x.t), x.tol)
        if share is not None and share > -1:
            yield 1 + share, _line(a.at, evaluated(a.pair, 2 * a.pair_base), share), (1 + share) * a.pair_base
    inside = (x.t < max(a.warmup_steps, 1)) & (x.e > 0)
    if a.floor > 0 and a.pair is not None and inside.any():
        c = factor(x.y[inside], x.e[inside], x.tol[inside])
        if c is not None and c * a.pair_base > a.floor:
            yield c, evaluated(a.pair, c * a.pair_base), c * a.pair_base


def _line(a: Curve, b: Curve, share: float) -> Curve:
    """The LR is a straight line in the base LR, also below the floor: a + share·(b − a)."""
    return lambda t: a(t) + share * (b(t) - a(t))


def _from_a_step(x: Evidence) -> Iterator[Hypothesis]:
    """From the first wrong LR on, all are scaled."""
    if x.first is None or x.t[x.first] == 0:
        return
    a, r = x.anatomy, int(x.t[x.first])
    tail = slice(x.first, None)
    for low in {0.0, a.floor}:
        c = factor(x.y[tail] - low, x.e[tail] - low, x.tol[tail])
        if c is None or abs(c - 1) < max(1e-9, 8 * x.fineness):
            continue
        at = switched(r, a.at, _times(a.at, c, low))
        yield Hypothesis("resume-scaled", at, {"r": r, "c": c})
        s = start_factor(a)
        if s is not None and abs(c * s - 1) < EQUAL and r < a.warmup_steps:
            yield Hypothesis("blow-up", at, {"r": r, "c": c})
        if a.warmup_steps in x.gap(x.first):
            yield Hypothesis("phase-scaled", at, {"r": a.warmup_steps, "c": c, "where": "from"})


def _one_phase(x: Evidence) -> Iterator[Hypothesis]:
    """The warmup alone is scaled."""
    a, w = x.anatomy, x.anatomy.warmup_steps
    inside = (x.t < w) & (x.e > 0)
    if w == 0 or not inside.any():
        return
    c = factor(x.y[inside], x.e[inside], x.tol[inside])
    if c is None or abs(c - 1) < 1e-9:
        return
    at = switched(w, _times(a.at, c), a.at)
    s = start_factor(a)
    if s is not None and abs(c * s - 1) < EQUAL:
        yield Hypothesis("blow-up", at, {"r": 0, "c": c})
    yield Hypothesis("phase-scaled", at, {"r": w, "c": c, "where": "before"})


def _boundaries(x: Evidence) -> Iterator[Hypothesis]:
    """A drop that is made twice, or not at all; a decay that never begins."""
    a = x.anatomy
    edges = list(a.drops)
    if a.pair is not None and isinstance(a.pair.warmup, ConstantWarmup) and a.warmup_steps:
        edges.append(a.warmup_steps)
    last = int(x.t[-1])
    for edge in [d for d in sorted(set(edges)) if 0 < d <= last][:64]:
        before, after = a.at(np.array([edge - 1, edge]))
        if before <= 0 or after <= 0 or before == after:
            continue
        g = float(after / before)
        yield Hypothesis("factor-twice", switched(edge, a.at, _times(a.at, g)), {"r": edge, "c": g})
        yield Hypothesis("milestone-missed", switched(edge, a.at, _times(a.at, 1 / g)), {"r": edge, "c": 1 / g})
    hold = warmup_alone(a)
    if hold is not None and a.pair is not None and not isinstance(a.pair.decay, ConstantDecay):
        yield Hypothesis("milestone-missed", evaluated(hold, a.pair_base), {"r": a.warmup_steps}, hold, a.pair_base)


def _warmup_again(x: Evidence) -> Iterator[Hypothesis]:
    a, hold = x.anatomy, warmup_alone(x.anatomy)
    if hold is None or a.warmup_steps == 0:
        return

    def twice(t: Steps) -> Rates:
        return np.asarray(a.at(t) * hold(np.maximum(t, 0), 1.0))

    yield Hypothesis("warmup-twice", twice)
