"""Hypotheses of the right schedule, or a phase of it, times a factor."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from reference import (
    ConstantDecay,
    ConstantWarmup,
    CosineDecay,
    Decay,
    LinearDecay,
    LinearWarmup,
    PolynomialDecay,
    StableDecay,
    WarmupDecay,
)

from .anatomy import Anatomy
from .curves import evaluated, switched
from .evidence import Evidence, Hypothesis, LRFunction, factor, mixture

#: The decays whose LR is linear in their floor and in the base LR, besides StableDecay.
TIMED = (CosineDecay, LinearDecay, PolynomialDecay)
#: Start factors of warmups that stand in documentation and recipes: torch's own default, torchvision's, detectron2's.
USUAL_STARTS = (1 / 3, 0.1, 0.01, 0.001)
#: Relative tolerance for two equal factors.
EQUAL = 2e-3


def without_floor(decay: Decay) -> Decay | None:
    """The decay with a floor of 0; None where the LR is not linear in the floor and in the base LR."""
    linear = isinstance(decay, TIMED) or (isinstance(decay, StableDecay) and decay.shape != "geometric")
    return dataclasses.replace(decay, min_lr=0.0) if linear else None  # type: ignore[type-var]


def scales(evidence: Evidence) -> Iterator[Hypothesis]:
    """Every factor that could have been applied."""
    yield from _whole_run(evidence)
    yield from _from_a_step(evidence)
    yield from _one_phase(evidence)
    yield from _boundaries(evidence)


def warmup_alone(expected: Anatomy) -> WarmupDecay | None:
    """The warmup of the expected schedule, then its base LR forever."""
    if expected.pair is None:
        return None
    rule = dataclasses.replace(expected.pair.convention, end="open", clock="prefix", past_end="clamp")
    return WarmupDecay(expected.pair.warmup, ConstantDecay(), rule)


def start_factor(expected: Anatomy) -> float | None:
    """The factor of the expected schedule's first LR; for a warmup of length 0, its start factor."""
    if expected.pair is None:
        return None
    if expected.warmup_steps == 0:
        return expected.pair.warmup.start_factor or None
    warmup_only = warmup_alone(expected)
    first = float(warmup_only(0)) if warmup_only is not None else 0.0
    return first if 0 < first < 1 else None


def _times(at: LRFunction, c: float, low: float = 0.0) -> LRFunction:
    return lambda t: low + c * (at(t) - low)


def _whole_run(evidence: Evidence) -> Iterator[Hypothesis]:
    expected = evidence.anatomy
    yield Hypothesis("lr-zero", lambda t: np.zeros(t.shape), {"base": 0.0})
    lifted = None if expected.pair is None else without_floor(expected.pair.decay)
    if expected.floor > 0 and expected.pair is not None and lifted is not None:
        # A base LR of 0 under an absolute floor: the decay rises to it.
        share = dataclasses.replace(expected.pair, warmup=no_warmup(expected.warmup_steps), decay=lifted)
        yield Hypothesis("lr-zero", lambda t: expected.floor * (1.0 - share(t, 1.0)), {"base": 0.0})
    s = start_factor(expected)
    for c, at, base in _bases(evidence):
        if c is None or c <= 0 or abs(c - 1) < 1e-9:
            continue
        parameters = {"c": c, "base": base, "r": int(evidence.t[0])}
        yield Hypothesis("wrong-base", at, parameters, expected.schedule, base)
        if s is not None and abs(c * s - 1) < EQUAL and expected.warmup_steps > 0:
            yield Hypothesis("blow-up", at, parameters)
        starts = USUAL_STARTS if s is None else (s, *USUAL_STARTS)
        if expected.warmup_steps == 0 and any(abs(c / start - 1) < EQUAL for start in starts):
            yield Hypothesis("start-kept", at, parameters)
    if s is not None and expected.pair is not None and expected.warmup_steps > 0:
        for kept in (
            dataclasses.replace(expected.pair, warmup=no_warmup(expected.warmup_steps)),
            WarmupDecay(LinearWarmup(0), ConstantDecay()),
        ):
            yield Hypothesis("start-kept", _times(evaluated(kept, expected.pair_base), s), {"c": s})
            if s * expected.pair_base > expected.floor > 0:
                yield Hypothesis("start-kept", evaluated(kept, s * expected.pair_base), {"c": s})


def no_warmup(steps: int) -> ConstantWarmup | LinearWarmup:
    """A warmup of this length whose factor is always 1."""
    return ConstantWarmup(steps, start_factor=1.0) if steps else LinearWarmup(0)


def _bases(evidence: Evidence) -> Iterator[tuple[float | None, LRFunction, float]]:
    """Factors of all LRs: of the schedule's values, and of its base LR under an absolute floor."""
    expected = evidence.anatomy
    c = factor(evidence.y, evidence.expected, evidence.tol)
    if c is not None:
        yield c, _times(expected.at, c), c * expected.base
    if expected.floor > 0 and expected.pair is not None and without_floor(expected.pair.decay) is not None:
        share = mixture(
            evidence.y, evidence.expected, evaluated(expected.pair, 2 * expected.pair_base)(evidence.t), evidence.tol
        )
        if share is not None and share > -1:
            yield (
                1 + share,
                _line(expected.at, evaluated(expected.pair, 2 * expected.pair_base), share),
                (1 + share) * expected.pair_base,
            )
    inside = (evidence.t < max(expected.warmup_steps, 1)) & (evidence.expected > 0)
    if expected.floor > 0 and expected.pair is not None and inside.any():
        c = factor(evidence.y[inside], evidence.expected[inside], evidence.tol[inside])
        if c is not None and c * expected.pair_base > expected.floor:
            yield c, evaluated(expected.pair, c * expected.pair_base), c * expected.pair_base


def _line(a: LRFunction, b: LRFunction, share: float) -> LRFunction:
    """The LR is linear in the base LR, also below the floor: a + share·(b − a)."""
    return lambda t: a(t) + share * (b(t) - a(t))


def _from_a_step(evidence: Evidence) -> Iterator[Hypothesis]:
    """From the first wrong LR on, all are scaled."""
    if evidence.first is None or evidence.t[evidence.first] == 0:
        return
    expected, r = evidence.anatomy, int(evidence.t[evidence.first])
    tail = slice(evidence.first, None)
    for low in {0.0, expected.floor}:
        c = factor(evidence.y[tail] - low, evidence.expected[tail] - low, evidence.tol[tail])
        if c is None or abs(c - 1) < max(1e-9, 8 * evidence.fineness):
            continue
        at = switched(r, expected.at, _times(expected.at, c, low))
        yield Hypothesis("resume-scaled", at, {"r": r, "c": c})
        s = start_factor(expected)
        if s is not None and abs(c * s - 1) < EQUAL and r < expected.warmup_steps:
            yield Hypothesis("blow-up", at, {"r": r, "c": c})
        if expected.warmup_steps in evidence.gap(evidence.first):
            yield Hypothesis("phase-scaled", at, {"r": expected.warmup_steps, "c": c, "where": "from"})


def _one_phase(evidence: Evidence) -> Iterator[Hypothesis]:
    """The warmup alone is scaled."""
    expected, w = evidence.anatomy, evidence.anatomy.warmup_steps
    inside = (evidence.t < w) & (evidence.expected > 0)
    if w == 0 or not inside.any():
        return
    c = factor(evidence.y[inside], evidence.expected[inside], evidence.tol[inside])
    if c is None or abs(c - 1) < 1e-9:
        return
    at = switched(w, _times(expected.at, c), expected.at)
    s = start_factor(expected)
    if s is not None and abs(c * s - 1) < EQUAL:
        yield Hypothesis("blow-up", at, {"r": 0, "c": c})
    yield Hypothesis("phase-scaled", at, {"r": w, "c": c, "where": "before"})


def _boundaries(evidence: Evidence) -> Iterator[Hypothesis]:
    """A drop that happens twice, or not at all; a decay that never starts."""
    expected = evidence.anatomy
    edges = list(expected.drops)
    if expected.pair is not None and isinstance(expected.pair.warmup, ConstantWarmup) and expected.warmup_steps:
        edges.append(expected.warmup_steps)
    last = int(evidence.t[-1])
    for edge in [d for d in sorted(set(edges)) if 0 < d <= last][:64]:
        before, after = expected.at(np.array([edge - 1, edge]))
        if before <= 0 or after <= 0 or before == after:
            continue
        g = float(after / before)
        yield Hypothesis("factor-twice", switched(edge, expected.at, _times(expected.at, g)), {"r": edge, "c": g})
        yield Hypothesis(
            "milestone-missed", switched(edge, expected.at, _times(expected.at, 1 / g)), {"r": edge, "c": 1 / g}
        )
    warmup_only = warmup_alone(expected)
    if warmup_only is not None and expected.pair is not None and not isinstance(expected.pair.decay, ConstantDecay):
        yield Hypothesis(
            "milestone-missed",
            evaluated(warmup_only, expected.pair_base),
            {"r": expected.warmup_steps},
            warmup_only,
            expected.pair_base,
        )
