"""Hypotheses of the right schedule read at the wrong step."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from reference import Clocked, ReduceLROnPlateau, SequentialLR, per_micro_batch, per_process
from reference.check import Rates, Steps

from .anatomy import epoch_of, values
from .curves import switched
from .evidence import Evidence, Hypothesis, LRFunction
from .skips import skips

#: Numbers tried on both sides of an estimate.
NEAR = 2
#: Steps ahead or late, and times per update, that are tried where the clock is unknown.
SHIFTS, TIMES = 48, 16


def clocks(evidence: Evidence) -> Iterator[Hypothesis]:
    """Every clock that the schedule could have followed instead of the optimizer's."""
    yield from _shifted(evidence)
    yield from _faster(evidence)
    yield from _slower(evidence)
    yield from _stairs(evidence)
    yield from _resumed(evidence)
    yield from skips(evidence)


def _around(estimate: float | None, low: int, brute: range) -> list[int]:
    if estimate is None:
        return [k for k in brute if k >= low]
    if abs(estimate) > 1e9:
        return []
    middle = round(estimate)
    return [k for k in range(middle - NEAR, middle + NEAR + 1) if k >= low]


def _shifted(evidence: Evidence) -> Iterator[Hypothesis]:
    phi, rise, fall = evidence.clock
    expected = evidence.anatomy
    shifts = {1, -1}
    for where in (rise, fall):
        estimate = evidence.clock_median(phi - evidence.t, where)
        if estimate is not None:
            shifts.update(_around(estimate, -(10**9), range(0)))
    if expected.drops or not (rise | fall).any():  # stairs have no clock
        shifts.update(range(-SHIFTS, SHIFTS + 1))
        there, here = (
            int(evidence.t[1 + int(np.argmax(np.abs(np.diff(v))))]) for v in (evidence.expected, evidence.y)
        )  # the sharpest jumps
        spare = min(evidence.stride, SHIFTS)
        shifts.update(range(there - here - spare, there - here + spare + 1))
    for k in sorted(shifts - {0}):
        if k > 0:
            ahead = Clocked(expected.schedule, ahead=k)
            for cause in ("log-after", "ahead") if k == 1 else ("ahead",):
                yield Hypothesis(cause, _moved(expected.at, k), {"k": k}, ahead, expected.base)
            continue
        late = _moved(expected.at, k)
        zero = expected.first == 0
        yield Hypothesis("zero-twice" if zero and k == -1 else "late", late, {"k": -k})
        if not zero and k == -1:
            yield Hypothesis("zero-first", _zero_first(late), {"first_lr": expected.first})


def _moved(at: LRFunction, k: int) -> LRFunction:
    return lambda t: at(t + k)


def _zero_first(at: LRFunction) -> LRFunction:
    return lambda t: np.where(t == 0, 0.0, at(t))


def _faster(evidence: Evidence) -> Iterator[Hypothesis]:
    phi = evidence.clock[0]
    schedule, base = evidence.anatomy.schedule, evidence.anatomy.base
    inside = epoch_of(schedule)
    if inside is not None:
        yield Hypothesis(
            "per-step",
            lambda t: values(inside[0], t, base),
            {"n": inside[1]},
            inside[0],
            base,
        )
    for n in _times(evidence, phi / np.maximum(evidence.t, 1)):
        fast = per_process(schedule, n)
        # A log with numbered rows ends with the schedule; a run that is stepped too often continues after it.
        ends = evidence.anatomy.total is not None and n * (int(evidence.t[-1]) + 1) <= evidence.anatomy.total + n
        rows = 0.0 if ends else 0.3
        yield Hypothesis("per-process", _scaled_clock(evidence.anatomy.at, n, 0), {"n": n}, fast, base)
        yield Hypothesis("log-rows", _scaled_clock(evidence.anatomy.at, n, 0), {"n": n}, fast, base, rows)
    for k in _times(evidence, (phi + 1) / (evidence.t + 1)):
        fast = per_micro_batch(schedule, k)
        yield Hypothesis("micro-batch", _scaled_clock(evidence.anatomy.at, k, k - 1), {"k": k}, fast, base)


def _times(evidence: Evidence, paces: Rates) -> list[int]:
    """Integer paces >= 2, by the rise, by the fall and by both; all small ones where no clock is known."""
    _, rise, fall = evidence.clock
    paces_near: set[int] = set()
    for where in (rise & (evidence.t > 0), fall, (rise | fall) & (evidence.t > 0)):
        estimate = evidence.clock_median(paces, where)
        if estimate is not None:
            paces_near.update(_around(estimate, 2, range(0)))
    return sorted(paces_near) or list(range(2, TIMES + 1))


def _scaled_clock(at: LRFunction, n: int, ahead: int) -> LRFunction:
    return lambda t: at(t * n + ahead)


def _slower(evidence: Evidence) -> Iterator[Hypothesis]:
    phi, rise, fall = evidence.clock
    place = np.rint(np.nan_to_num(phi))
    known = rise if rise.sum() > 2 else fall  # a peak that has only just started looks like a fall
    sure = known & (np.abs(np.nan_to_num(phi) - place) < 0.2) & (place >= 1) & (place < evidence.t)
    if not sure.any():
        return
    low = float(np.median(np.sort(evidence.t[sure] / (place[sure] + 1))[-3:]))
    high = float(np.median(np.sort(evidence.t[sure] / place[sure])[:3]))
    for n in range(max(2, int(low) - 1), min(int(high) + 2, int(low) + 60)):
        slow = Clocked(evidence.anatomy.schedule, every=n)
        yield Hypothesis("per-epoch", _stair(evidence.anatomy.at, n, 1), {"n": n}, slow, evidence.anatomy.base)


def _stair(at: LRFunction, n: int, pace: int) -> LRFunction:
    return lambda t: at(t // n * pace)


def _stairs(evidence: Evidence) -> Iterator[Hypothesis]:
    phi, rise, fall = evidence.clock
    warmup = evidence.anatomy.warmup_steps
    for cause, end in (("staircase", int(evidence.t[-1])), ("staircase-warmup", warmup)):
        inside = evidence.t <= end
        if inside.sum() < 2:
            continue
        lengths = set(_tread(evidence.t[inside], evidence.y[inside], evidence.tol[inside], evidence.stride))
        behind = (evidence.t - phi)[inside & (rise | fall)]
        if behind.size and 0.5 < behind.max() < 1e6:
            most = round(float(behind.max())) + 1
            lengths.update(range(max(2, most - 1), most + 4))
        for n in sorted(lengths):
            at = _stair(evidence.anatomy.at, n, n)
            if cause == "staircase-warmup":
                at = switched(warmup, at, evidence.anatomy.at)
            yield Hypothesis(cause, at, {"n": n})


def _tread(t: Steps, y: Rates, tol: Rates, stride: int) -> range:
    """Possible lengths of the treads, from the steps at which the LR changes."""
    changed = t[1:][np.abs(np.diff(y)) > (tol[1:] + tol[:-1])]
    if changed.size < 2:
        size = int(changed[0]) if changed.size else 0
        return range(max(2, size - stride), size + 1)
    gaps = np.diff(changed)
    length = float(gaps.min()) if stride == 1 else float(changed[-1] - changed[0]) / (changed.size - 1)
    spare = 0 if stride == 1 else 2 * stride / (changed.size - 1) + 1
    return range(max(2, int(length - spare)), min(int(length + spare) + 2, int(length) + 60))


def _resumed(evidence: Evidence) -> Iterator[Hypothesis]:
    if evidence.first is None:
        return
    expected, r = evidence.anatomy, int(evidence.t[evidence.first])
    for place in evidence.gap(evidence.first):
        if place > 1:  # at step 1 it is a schedule that runs late
            alone = isinstance(expected.schedule, ReduceLROnPlateau)  # it cannot be part of a composition
            again = None if alone else SequentialLR((expected.schedule, expected.schedule), (place,))
            at = switched(place, expected.at, _moved(expected.at, -place))
            yield Hypothesis("restarted", at, {"r": place}, again, expected.base)
    if r > 0:
        phi, rise, fall = evidence.clock
        tail = evidence.t >= r
        shifts = {-1, 1}
        for where in (rise & tail, fall & tail):
            shifts.update(_around(evidence.clock_median(phi - evidence.t, where), -r, range(0)))
        for k in sorted(shifts - {0}):
            moved = _moved(expected.at, k)
            yield Hypothesis("resume-shifted", switched(r, expected.at, moved), {"r": r, "k": k})
        value = float(evidence.y[evidence.first])
        last = expected.at(np.array([int(evidence.t[evidence.first - 1]), *evidence.gap(evidence.first)]))
        if np.abs(last - value).min() > 2 * evidence.tol[evidence.first]:
            return  # it jumped: a schedule that stops keeps its last LR
        constant = functools.partial(np.full_like, fill_value=value, dtype=np.float64)
        yield Hypothesis("stuck", switched(r, expected.at, lambda t: constant(t)), {"r": r, "value": value})
