"""Diagnosis without an expected schedule: which healthy one it is, or which mistake leaves one when it is undone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bench.diagnose.core.diagnosis import FITS, Diagnosis, Explanation
from bench.diagnose.core.trace import Trace
from bench.diagnose.fit.describe import in_words, numbers
from bench.diagnose.fit.effort import MISTAKES, Effort
from bench.diagnose.fit.fit import Fit, LoggedLRs, fits
from bench.diagnose.fit.library import library_fits
from bench.diagnose.fit.places import digits
from bench.diagnose.fit.rise import short_decimals
from bench.diagnose.fit.undo import kinks, one_peak, placed, undone
from bench.diagnose.hypotheses.anatomy import anatomy
from bench.diagnose.hypotheses.clocks import clocks
from bench.diagnose.hypotheses.curves import evaluated
from bench.diagnose.hypotheses.ends import ends
from bench.diagnose.hypotheses.evidence import Evidence, Hypothesis, LRFunction, factor, screen
from bench.diagnose.hypotheses.resumes import resumes
from bench.diagnose.hypotheses.scales import scales
from bench.diagnose.hypotheses.shapes import shapes
from reference import ExponentialDecay
from reference.check import Rates, Steps

from .by_forms import by_forms
from .rank import EQUAL_COST, ScoredHypothesis, best_of, diagnosis, explanation, scored

#: The first words about a healthy schedule.
HEALTHY = "Healthy: "
#: Causes that change a schedule from some step on: the schedule is read from the steps before.
AFTER = ("resume-scaled", "resume-shifted", "restarted", "stuck", "rises-again", "negative")
#: Mistakes that only the settings can reveal.
BY_SETTINGS = ("overshoot",)
#: A base LR of more digits was fitted to rows that leave it open: a rounder one is looked for.
ROUND = 3
#: Steps before an event that are needed to identify the schedule.
STEPS_BEFORE = 6
#: Events that are tried, the sharpest first.
PLACES = 5


def without_schedule(
    trace: Trace, base_lr: float | None = None, warmup_steps: int | None = None, total_steps: int | None = None
) -> Diagnosis:
    """Name the schedule, or the mistake that hides it; settings that are given must match."""
    at = screen(trace)
    data = LoggedLRs(trace.steps[at], trace.lrs[at], trace.tolerance[at], base_lr, warmup_steps, total_steps)
    if not trace.lrs.any():
        return diagnosis(trace, None, [ScoredHypothesis(Hypothesis("lr-zero", _zeros), 0.0)])
    candidates = fits(data)
    if (warmup_steps, total_steps) == (None, None) and min((digits(fit.base) for fit in candidates), default=9) > ROUND:
        candidates += library_fits(data)
    fitting = sorted(
        (c for c in (_follows(trace, fit) for fit in candidates) if c.misfit <= FITS), key=lambda c: c.order
    )
    if fitting:
        return _healthy(trace, fitting)
    known = by_forms(trace, data)
    if known and known[0].hypothesis.cause == "follows":
        return _healthy(trace, [k for k in known if k.hypothesis.cause == "follows"])
    if known:
        return diagnosis(trace, None, known)
    data = dataclasses.replace(data, effort=Effort(MISTAKES))
    mistakes = scored(_mistakes(trace, data), data.t, data.y, data.tol)
    return diagnosis(trace, None, best_of(trace, mistakes))


def _zeros(t: Steps) -> Rates:
    return np.zeros(t.shape)


def fitted(fit: Fit) -> LRFunction:
    """The LRs of a fitted schedule at any steps."""
    return evaluated(fit.schedule, fit.base)


def _follows(trace: Trace, fit: Fit) -> ScoredHypothesis:
    off = float(np.max(np.abs(trace.lrs - fit.schedule(trace.steps, fit.base)) / trace.tolerance))
    follows = Hypothesis("follows", fitted(fit), numbers(fit.pair, fit.base), fit.schedule, fit.base, fit.cost)
    return ScoredHypothesis(follows, off)


def _healthy(trace: Trace, fitting: list[ScoredHypothesis]) -> Diagnosis:
    explanations = tuple(_named(trace, candidate) for candidate in fitting)
    tied = sum(candidate.cost - fitting[0].cost < EQUAL_COST for candidate in fitting)
    return Diagnosis(trace, None, "healthy", explanations, tied, None)


def _named(trace: Trace, candidate: ScoredHypothesis) -> Explanation:
    pair, base = candidate.hypothesis.schedule, candidate.hypothesis.base
    assert pair is not None
    assert base is not None
    words = in_words(pair, base)
    return dataclasses.replace(explanation(trace, candidate, None), title=words, sentence=f"{HEALTHY}{words}.")


def _mistakes(trace: Trace, data: LoggedLRs) -> Iterator[Hypothesis]:
    if data.base is not None and data.y[0] == 0 and not data.y[data.t < (data.w or 2)].any():
        yield from _lifted(data)
    for mistake in undone(data):
        for fit in fits(mistake.data, 2, thorough=False):
            price = mistake.price + 0.05 * fit.cost
            parameters = dict(mistake.parameters)
            if mistake.cause == "wrong-base":
                parameters |= {"base": fit.base, "c": fit.base / (data.base or fit.base)}
                if abs(fit.base - (data.base or 0.0)) < 1e-4 * fit.base:
                    continue
            yield Hypothesis(mistake.cause, mistake.redo(fitted(fit)), parameters, fit.pair, fit.base, price)
            if mistake.cause == "horizon-short" and isinstance(fit.pair.decay, ExponentialDecay):
                yield from _ended(mistake.redo, fit, int(mistake.parameters["d"]), parameters, price)
            if mistake.cause == "horizon-short":
                wave = dataclasses.replace(fit.pair.convention, past_end="periodic")
                again = dataclasses.replace(fit, pair=dataclasses.replace(fit.pair, convention=wave))
                yield Hypothesis(mistake.cause, fitted(again), parameters, again.pair, fit.base, price)
    yield from _before(trace, data)
    yield from _above(trace, data)


def _ended(
    redo: Callable[[LRFunction], LRFunction], fit: Fit, steps: int, parameters: dict[str, Any], price: float
) -> Iterator[Hypothesis]:
    """Equal ratios that end after this many steps, at the floor that they have reached."""
    gamma = getattr(fit.pair.decay, "gamma", None)
    if gamma is None:
        return
    for low in short_decimals(fit.base * gamma**steps, 1e-2):
        if 0 < low <= fit.base:
            pair = dataclasses.replace(fit.pair, decay=ExponentialDecay(steps, low))
            ended = dataclasses.replace(fit, pair=pair)
            yield Hypothesis("horizon-short", redo(fitted(ended)), parameters, pair, fit.base, price)


def _lifted(data: LoggedLRs) -> Iterator[Hypothesis]:
    """0 during the warmup, then up to a floor: a base LR of 0 under an absolute floor."""
    assert data.base is not None
    w = data.w or 0
    tail = data.t >= w
    flipped = dataclasses.replace(
        data, t=data.t[tail] - w, y=data.y.max() - data.y[tail], tol=data.tol[tail] + data.tol.max(), w=0, total=None
    )
    if flipped.t.size < 3 or flipped.y[0] <= 0:
        return
    top = float(data.y.max())
    for low in (top, *(float(f"{top:.{d}g}") for d in (1, 2, 3))):
        steps = (data.total or data.last + 1) - w
        share = 0.5 * (1 + np.cos(np.pi * np.minimum(data.t[tail] - w, steps) / steps))
        if np.allclose(low * (1 - share), data.y[tail], rtol=1e-3, atol=float(data.tol.max())):
            yield Hypothesis("lr-zero", _rising(w, steps, low), {"base": 0.0})


def _rising(w: int, steps: int, low: float) -> LRFunction:
    def at(t: Steps) -> Rates:
        n = np.clip(t - w, 0, steps)
        return np.asarray(low * 0.5 * (1 - np.cos(np.pi * n / steps)))

    return at


def _before(trace: Trace, data: LoggedLRs) -> Iterator[Hypothesis]:
    """Identify the schedule from the steps before an event, then ask what happened to it there."""
    places = [i for i in kinks(data) if i >= STEPS_BEFORE]
    if data.total is not None and data.last >= data.total:
        places = [int(np.searchsorted(data.t, data.total)), *places]
    tried: set[str] = set()
    if data.base is None:  # the peak itself is a kink too, and any factor fits after it
        places = [i for i in places if i > int(np.argmax(data.y)) + 1]
    for i in places[:PLACES]:
        head = dataclasses.replace(data, t=data.t[:i], y=data.y[:i], tol=data.tol[:i])
        if head.t.size < STEPS_BEFORE:
            continue
        for fit in fits(head, 2, thorough=False):
            for better in (fit, *_corrected(data, i, fit)):
                if better.pair.slug not in tried:
                    tried.add(better.pair.slug)
                    for h in _events(trace, data, better):
                        yield dataclasses.replace(h, extra=h.extra + 0.05 * better.cost)


def _corrected(data: LoggedLRs, i: int, fit: Fit) -> Iterator[Fit]:
    """The schedule fitted to all steps, with those after an event moved or scaled back to match the start.

    The first steps after the event tell how, because there the warmup or the decay simply continues.
    """
    later = data.t >= data.t[i]
    near = slice(i, i + STEPS_BEFORE)
    c = factor(data.y[near], fitted(fit)(data.t[near]), data.tol[near])
    if c is not None and c > 0 and abs(c - 1) > 1e-3:
        y = np.where(later, data.y / c, data.y)
        # The factor comes from a few rounded LRs only.
        tol = np.where(later, 2 * data.tol / c, data.tol)
        level = dataclasses.replace(data, y=y, tol=tol)
        if one_peak(level):
            yield from fits(level, 2, thorough=False)
    evidence = Evidence(data.t, data.y, data.tol, Trace(data.t, data.y), anatomy(fit.pair, fit.base, data.total))
    phi, rise, fall = evidence.clock
    for where in (rise, fall):
        inside = np.zeros(where.shape, bool)
        inside[near] = where[near]
        k = evidence.clock_median(phi - data.t, inside)
        if k is not None and abs(k) >= 0.5 and abs(k) < 1e9:
            moved = placed(data, np.where(later, data.t + round(k), data.t), data.t + round(k) >= 0)
            if moved is not None and one_peak(moved):
                yield from fits(moved, 1, thorough=False)


def _events(trace: Trace, data: LoggedLRs, fit: Fit) -> Iterator[Hypothesis]:
    evidence = Evidence(data.t, data.y, data.tol, trace, anatomy(fit.pair, fit.base, data.total))
    for family in (clocks, resumes, scales, ends):
        yield from (h for h in family(evidence) if h.cause in AFTER)


def _above(trace: Trace, data: LoggedLRs) -> Iterator[Hypothesis]:
    """A warmup that continues above the base LR: the schedule is fitted without the excess."""
    if data.base is None or data.w is None or data.y.max() <= data.base * (1 + 1e-6):
        return
    top = int(np.argmax(data.y))
    w, base = data.w, data.base
    rising = data.t < w
    places = range(int(data.t[top]) + 1, int(data.t[min(top + 1, data.t.size - 1)]) + 1)
    for m in places:
        tail = data.t >= m
        joined = np.concatenate([data.t[rising], data.t[tail] - m + w])
        keep = np.concatenate([np.flatnonzero(rising), np.flatnonzero(tail)])
        for total in (data.total, None if data.total is None else data.total - m + w):
            moved = LoggedLRs(joined, data.y[keep], data.tol[keep], base, w, total, data.effort)
            for fit in fits(moved, 2, thorough=False):
                evidence = Evidence(data.t, data.y, data.tol, trace, anatomy(fit.pair, base, data.total))
                yield from (h for h in shapes(evidence) if h.cause in BY_SETTINGS)
                return
