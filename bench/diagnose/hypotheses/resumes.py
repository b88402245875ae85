"""Hypotheses of a run that was interrupted: what was restored wrongly, or not at all."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from reference import ConstantWarmup, CosineDecay, Decay, LinearWarmup, ReduceLROnPlateau, SequentialLR
from reference.check import Rates, Steps

from .anatomy import Anatomy
from .curves import evaluated, switched
from .evidence import Evidence, Hypothesis, LRFunction
from .lengths import FACTORS, LONGEST
from .stretched import decays_behind, possible, roundest

#: Below this share of the LR before, a stair has dropped.
FELL = 0.97
#: Numbers tried on both sides of an estimate.
NEAR = 3


def resumes(evidence: Evidence) -> Iterator[Hypothesis]:
    """Every way in which the second part can depart from the first."""
    if evidence.first is None:
        return
    yield from _restarted(evidence)
    if int(evidence.t[evidence.first]) > 0:
        yield from _shifted(evidence)
        yield from _stuck(evidence)
    yield from _on_loaded_lr(evidence)
    yield from _other_length(evidence)


def moved(at: LRFunction, k: int) -> LRFunction:
    """The same LRs k steps earlier."""
    return lambda t: at(t + k)


def around(estimate: float | None, low: int) -> list[int]:
    """The integers near an estimate, from `low` on; none where nothing is known."""
    if estimate is None or abs(estimate) > 1e9:
        return []
    middle = round(estimate)
    return [k for k in range(middle - NEAR, middle + NEAR + 1) if k >= low]


def _restarted(evidence: Evidence) -> Iterator[Hypothesis]:
    expected = evidence.anatomy
    assert evidence.first is not None
    for place in evidence.gap(evidence.first):
        if place > 1:  # at step 1 it is a schedule that runs late
            alone = isinstance(expected.schedule, ReduceLROnPlateau)  # it cannot be part of a composition
            again = None if alone else SequentialLR((expected.schedule, expected.schedule), (place,))
            at = switched(place, expected.at, moved(expected.at, -place))
            yield Hypothesis("restarted", at, {"r": place}, again, expected.base)


def _shifted(evidence: Evidence) -> Iterator[Hypothesis]:
    expected = evidence.anatomy
    assert evidence.first is not None
    r = int(evidence.t[evidence.first])
    part = slice(evidence.first, None)
    tail = dataclasses.replace(evidence, t=evidence.t[part], y=evidence.y[part], tol=evidence.tol[part])
    shifts = {-1, 1}
    for known in (tail, evidence):
        phi, rise, fall = known.clock
        for where in (rise, fall):
            shifts.update(around(known.clock_median(phi - known.t, where & (known.t >= r)), -r))
    for k in sorted(shifts - {0}):
        at = switched(r, expected.at, moved(expected.at, k))
        yield Hypothesis("resume-shifted", at, {"r": r, "k": k})
    for k in sorted({drop - place for place, drop in _drops(evidence)} - {0}):
        for start in {r, *(d + max(-k, 0) for d in (0, *expected.drops) if d < r)}:
            at = switched(start, expected.at, moved(expected.at, k))
            yield Hypothesis("resume-shifted", at, {"r": start, "k": k})


def _drops(evidence: Evidence) -> Iterator[tuple[int, int]]:
    """Steps of the trace at which stairs can have dropped, each with an expected drop."""
    if not evidence.anatomy.drops:
        return
    fell = np.flatnonzero(evidence.y[1:] < FELL * evidence.y[:-1]) + 1
    for i in fell[:4]:
        gap = evidence.gap(int(i))
        for place in {gap[0], gap[len(gap) // 2], gap[-1]}:
            for drop in evidence.anatomy.drops[:8]:
                yield place, drop


def _stuck(evidence: Evidence) -> Iterator[Hypothesis]:
    expected = evidence.anatomy
    assert evidence.first is not None
    r, value = int(evidence.t[evidence.first]), float(evidence.y[evidence.first])
    last = expected.at(np.array([int(evidence.t[evidence.first - 1]), *evidence.gap(evidence.first)]))
    if np.abs(last - value).min() > 2 * evidence.tol[evidence.first]:
        return  # it jumped: a schedule that stops keeps its last LR
    constant = functools.partial(np.full_like, fill_value=value, dtype=np.float64)
    # From the first update on the value is that of the schedule: one number less.
    extra = -0.8 if abs(value - expected.first) <= evidence.tol[evidence.first] else 0.0
    yield Hypothesis("stuck", switched(r, expected.at, lambda t: constant(t)), {"r": r, "value": value}, extra=extra)


def recursive_floor(expected: Anatomy) -> float:
    """The LR towards which a recursion contracts: eta_min of a cosine; all other decays multiply."""
    return expected.floor if expected.pair is not None and isinstance(expected.pair.decay, CosineDecay) else 0.0


def continued(expected: Anatomy, here: int, value: float, r: int) -> LRFunction:
    """From step r on: a recursive scheduler whose counter is `here` continues from the LR `value`.

    Each step multiplies what is above the floor by the ratio of consecutive values; where the warmup ends, the next
    phase sets the LR from the base LR.
    """
    low, w = recursive_floor(expected), expected.warmup_steps
    start = float(expected.at(np.array([here]))[0])

    def at(t: Steps) -> Rates:
        counter = np.maximum(t - r, 0) + here
        rates = expected.at(counter)
        if w > here:  # during a warmup the whole LR is multiplied
            scaled = value * rates / start if start else np.full(rates.shape, value)
            return np.where(counter < w, scaled, rates)
        return low + (value - low) * (rates - low) / (start - low) if start != low else np.full(rates.shape, value)

    return at


def _on_loaded_lr(evidence: Evidence) -> Iterator[Hypothesis]:
    """Only one of the two states was loaded, under schedulers that multiply the LR they find."""
    expected = evidence.anatomy
    assert evidence.first is not None
    if expected.pair is None:
        return
    if not isinstance(expected.pair.warmup, LinearWarmup | ConstantWarmup) or expected.first <= 0:
        return  # no recursion starts at 0
    places = evidence.gap(evidence.first)
    drops = {place - drop for place, drop in _drops(evidence)}
    for r in sorted({*range(max(places.start - 1, 1), places.stop), *(r for r in drops if r > 0)}):
        loaded = float(expected.at(np.array([r]))[0])
        fresh = switched(r, expected.at, continued(expected, 0, loaded, r))
        yield Hypothesis("fresh-schedule-on-loaded-lr", fresh, {"r": r, "value": loaded})
        state_only = switched(r, expected.at, continued(expected, r, expected.first, r))
        yield Hypothesis("scheduler-state-without-optimizer", state_only, {"r": r, "value": expected.first})


def _other_length(evidence: Evidence) -> Iterator[Hypothesis]:
    """One part was planned for another total; the schedule jumps to its new place."""
    expected, pair, total = evidence.anatomy, evidence.anatomy.pair, evidence.anatomy.total
    if pair is None or total is None or evidence.first is None:
        return
    wrong = np.flatnonzero(evidence.wrong)
    t, w = evidence.t, expected.warmup_steps
    behind, before = int(wrong[-1]) + 1, int(wrong[0])
    parts = []
    if behind < t.size and t.size - behind >= 3:  # the rest is as expected
        parts.append((t < t[behind], range(int(t[behind - 1]) + 1, int(t[behind]) + 1), True))
    if before >= 3:
        parts.append((t >= t[before], evidence.gap(before), False))
    for inside, places, first in parts:
        falls = inside & (t > w) & (evidence.y > 0)
        rows = t[falls], evidence.y[falls], evidence.tol[falls]
        for form in range(len(decays_behind(expected, w, total))):

            def curve_of(run: int, form: int = form) -> LRFunction | None:
                others: list[Decay] = decays_behind(expected, w, run)
                if form >= len(others):
                    return None
                return evaluated(dataclasses.replace(pair, decay=others[form]), expected.pair_base)

            fitting = possible(curve_of, rows, w + 1, LONGEST * total)
            nice = [run for run in dict.fromkeys(int(f * total) for f in FACTORS) if run in fitting]
            for run in dict.fromkeys((*nice, *roundest(fitting))):
                other = curve_of(run)
                if run == total or other is None:
                    continue
                r = places[-1]
                at = switched(r, other, expected.at) if first else switched(r, expected.at, other)
                numbers = {"r": r, "d": run if first else total, "meant": total if first else run}
                yield Hypothesis("resumed-other-length", at, numbers, extra=0.0 if run in nice else 0.5)
