"""Hypotheses that read the right schedule at the wrong step."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from reference import Clocked, ReduceLROnPlateau, SequentialLR, per_micro_batch, per_process
from reference.check import Rates, Steps

from .anatomy import epoch_of, values
from .curves import switched
from .evidence import Curve, Evidence, Hypothesis
from .skips import skips

#: Numbers tried on both sides of an estimate.
NEAR = 2
#: Steps ahead or late, and times per update, that are tried where the clock cannot be read.
SHIFTS, TIMES = 48, 16


def clocks(x: Evidence) -> Iterator[Hypothesis]:
    """Every clock that could have been read instead of the optimizer's."""
    yield from _shifted(x)
    yield from _faster(x)
    yield from _slower(x)
    yield from _stairs(x)
    yield from _resumed(x)
    yield from skips(x)


def _around(estimate: float | None, low: int, brute: range) -> list[int]:
    if estimate is None:
        return [k for k in brute if k >= low]
    if abs(estimate) > 1e9:
        return []
    middle = round(estimate)
    return [k for k in range(middle - NEAR, middle + NEAR + 1) if k >= low]


def _shifted(x: Evidence) -> Iterator[Hypothesis]:
    phi, rise, fall = x.clock
    expected = x.anatomy
    shifts = {1, -1}
    for where in (rise, fall):
        estimate = x.clock_median(phi - x.t, where)
        if estimate is not None:
            shifts.update(_around(estimate, -(10**9), range(0)))
    if expected.drops or not (rise | fall).any():  # stairs tell no clock
        shifts.update(range(-SHIFTS, SHIFTS + 1))
        there, here = (int(x.t[1 + int(np.argmax(np.abs(np.diff(v))))]) for v in (x.e, x.y))  # the sharpest jumps
        spare = min(x.stride, SHIFTS)
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


def _moved(at: Curve, k: int) -> Curve:
    return lambda t: at(t + k)


def _zero_first(at: Curve) -> Curve:
    return lambda t: np.where(t == 0, 0.0, at(t))


def _faster(x: Evidence) -> Iterator[Hypothesis]:
    phi = x.clock[0]
    schedule, base = x.anatomy.schedule, x.anatomy.base
    inside = epoch_of(schedule)
    if inside is not None:
        yield Hypothesis(
            "per-step",
            lambda t: values(inside[0], t, base),
            {"n": inside[1]},
            inside[0],
            base,
        )
    for n in _times(x, phi / np.maximum(x.t, 1)):
        fast = per_process(schedule, n)
        # A log whose rows were counted ends with the schedule; a run that is stepped too often goes on after it.
        ends = x.anatomy.total is not None and n * (int(x.t[-1]) + 1) <= x.anatomy.total + n
        rows = 0.0 if ends else 0.3
        yield Hypothesis("per-process", _scaled_clock(x.anatomy.at, n, 0), {"n": n}, fast, base)
        yield Hypothesis("log-rows", _scaled_clock(x.anatomy.at, n, 0), {"n": n}, fast, base, rows)
    for k in _times(x, (phi + 1) / (x.t + 1)):
        fast = per_micro_batch(schedule, k)
        yield Hypothesis("micro-batch", _scaled_clock(x.anatomy.at, k, k - 1), {"k": k}, fast, base)


def _times(x: Evidence, paces: Rates) -> list[int]:
    """Whole paces of 2 and more, by the rise, by the fall and by both; all small ones where no clock is known."""
    _, rise, fall = x.clock
    found: set[int] = set()
    for where in (rise & (x.t > 0), fall, (rise | fall) & (x.t > 0)):
        estimate = x.clock_median(paces, where)
        if estimate is not None:
            found.update(_around(estimate, 2, range(0)))
    return sorted(found) or list(range(2, TIMES + 1))


def _scaled_clock(at: Curve, n: int, ahead: int) -> Curve:
    return lambda t: at(t * n + ahead)


def _slower(x: Evidence) -> Iterator[Hypothesis]:
    phi, rise, fall = x.clock
    place = np.rint(np.nan_to_num(phi))
    known = rise if rise.sum() > 2 else fall  # a peak that has only begun looks like a fall
    sure = known & (np.abs(np.nan_to_num(phi) - place) < 0.2) & (place >= 1) & (place < x.t)
    if not sure.any():
        return
    low = float(np.median(np.sort(x.t[sure] / (place[sure] + 1))[-3:]))
    high = float(np.median(np.sort(x.t[sure] / place[sure])[:3]))
    found = range(max(2, int(low) - 1), min(int(high) + 2, int(low) + 60))
    for n in found:
        slow = Clocked(x.anatomy.schedule, every=n)
        yield Hypothesis("per-epoch", _stair(x.anatomy.at, n, 1), {"n": n}, slow, x.anatomy.base)


def _stair(at: Curve, n: int, pace: int) -> Curve:
    return lambda t: at(t // n * pace)


def _stairs(x: Evidence) -> Iterator[Hypothesis]:
    phi, rise, fall = x.clock
    warmup = x.anatomy.warmup_steps
    for cause, end in (("staircase", int(x.t[-1])), ("staircase-warmup", warmup)):
        inside = x.t <= end
        if inside.sum() < 2:
            continue
        found = set(_tread(x.t[inside], x.y[inside], x.tol[inside], x.stride))
        behind = (x.t - phi)[inside & (rise | fall)]
        if behind.size and 0.5 < behind.max() < 1e6:
            most = round(float(behind.max())) + 1
            found.update(range(max(2, most - 1), most + 4))
        for n in sorted(found):
            at = _stair(x.anatomy.at, n, n)
            if cause == "staircase-warmup":
                at = switched(warmup, at, x.anatomy.at)
            yield Hypothesis(cause, at, {"n": n})


def _tread(t: Steps, y: Rates, tol: Rates, stride: int) -> range:
    """The lengths that the treads can have, from the steps at which the LR changes."""
    changed = t[1:][np.abs(np.diff(y)) > (tol[1:] + tol[:-1])]
    if changed.size < 2:
        size = int(changed[0]) if changed.size else 0
        return range(max(2, size - stride), size + 1)
    gaps = np.diff(changed)
    length = float(gaps.min()) if stride == 1 else float(changed[-1] - changed[0]) / (changed.size - 1)
    spare = 0 if stride == 1 else 2 * stride / (changed.size - 1) + 1
    return range(max(2, int(length - spare)), min(int(length + spare) + 2, int(length) + 60))


def _resumed(x: Evidence) -> Iterator[Hypothesis]:
    if x.first is None:
        return
    expected, r = x.anatomy, int(x.t[x.first])
    for place in x.gap(x.first):
        if place > 1:  # at step 1 it is a schedule that runs late
            alone = isinstance(expected.schedule, ReduceLROnPlateau)  # it stands in no composition
            again = None if alone else SequentialLR((expected.schedule, expected.schedule), (place,))
            at = switched(place, expected.at, _moved(expected.at, -place))
            yield Hypothesis("restarted", at, {"r": place}, again, expected.base)
    if r > 0:
        phi, rise, fall = x.clock
        tail = x.t >= r
        shifts = {-1, 1}
        for where in (rise & tail, fall & tail):
            shifts.update(_around(x.clock_median(phi - x.t, where), -r, range(0)))
        for k in sorted(shifts - {0}):
            moved = _moved(expected.at, k)
            yield Hypothesis("resume-shifted", switched(r, expected.at, moved), {"r": r, "k": k})
        value = float(x.y[x.first])
        last = expected.at(np.array([int(x.t[x.first - 1]), *x.gap(x.first)]))
        if np.abs(last - value).min() > 2 * x.tol[x.first]:
            return  # it jumped: a schedule that stops keeps an LR that it had
        hold = functools.partial(np.full_like, fill_value=value, dtype=np.float64)
        yield Hypothesis("stuck", switched(r, expected.at, lambda t: hold(t)), {"r": r, "value": value})
