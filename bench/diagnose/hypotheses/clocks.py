"""Hypotheses of the right schedule read at the wrong step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reference import Clocked, per_micro_batch, per_process
from reference.check import Rates, Steps

from .anatomy import Anatomy, epoch_of, values
from .curves import PastEnd, switched, tabulated, ways_past_end
from .ends import shrinking
from .evidence import Evidence, Hypothesis, LRFunction
from .logs import rows_taken_for_steps
from .resumes import moved
from .skips import skips

#: Numbers tried on both sides of an estimate.
NEAR = 2
#: What a continuation past the end costs that is not the written one.
OTHERWISE = 0.05
#: Without a warmup, a clock too fast and a decay too short are the same: the clock is as likely.
ONE_PHASE = 0.4
#: The share that is left of each period where periods shrink (fairseq's lr_shrink).
SHRINK = 0.1
#: Usual numbers of processes and of batches per update, and what another one costs.
USUAL, RARE = (2, 3, 4, 8, 16, 32, 64), 0.2
#: Batches of one update that are tried, and rows at which a ragged clock is tried first with a rough tolerance.
BATCHES, PROBES, ROUGH = 16, slice(None, None, 16), 0.02
#: Steps ahead or late, and times per update, that are tried where the clock is unknown.
SHIFTS, TIMES = 48, 16


def clocks(evidence: Evidence) -> Iterator[Hypothesis]:
    """Every clock that the schedule could have followed instead of the optimizer's."""
    yield from _shifted(evidence)
    yield from _faster(evidence)
    yield from _slower(evidence)
    yield from _stairs(evidence)
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
    last = int(evidence.t[-1])
    for k in sorted(shifts - {0}):
        if k > 0:
            for way in ways_past_end(expected, expected.pair, expected.pair_base, last + k):
                ahead = None if way.schedule is None else Clocked(way.schedule, ahead=k)
                for cause in ("log-after", "ahead") if k == 1 else ("ahead",):
                    yield Hypothesis(cause, moved(way.at, k), {"k": k}, ahead, expected.base, _price(way, expected))
            continue
        late = moved(expected.at, k)
        zero = expected.first == 0
        yield Hypothesis("zero-twice" if zero and k == -1 else "late", late, {"k": -k})
        if k == -1:
            top = expected.pair_base
            if not zero:
                yield Hypothesis("zero-first", _first_is(0.0, late), {"first_lr": expected.first})
            if abs(top - expected.first) > 1e-9 * top:
                numbers = {"value": top, "first_lr": expected.first}
                yield Hypothesis("first-update-unscheduled", _first_is(top, late), numbers)


def _first_is(value: float, at: LRFunction) -> LRFunction:
    return lambda t: np.where(t == 0, value, at(t))


def _faster(evidence: Evidence) -> Iterator[Hypothesis]:
    phi = evidence.clock[0]
    expected = evidence.anatomy
    schedule, base, last = expected.schedule, expected.base, int(evidence.t[-1])
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
        yield rows_taken_for_steps(evidence, n)
        for way in _ways(evidence, n * last):
            fast = None if way.schedule is None else per_process(way.schedule, n)
            yield Hypothesis("per-process", _scaled_clock(way.at, n, 0), {"n": n}, fast, base, _price(way, expected, n))
    for k in _times(evidence, (phi + 1) / (evidence.t + 1)):
        for way in _ways(evidence, k * (last + 1)):
            fast = None if way.schedule is None else per_micro_batch(way.schedule, k)
            price = _price(way, expected, k)
            yield Hypothesis("micro-batch", _scaled_clock(way.at, k, k - 1), {"k": k}, fast, base, price)
    yield from _ragged(evidence)


def _ways(evidence: Evidence, last: int) -> list[PastEnd]:
    """The ways to continue past the end of the schedule, up to a scheduler step that a fast clock reaches."""
    expected = evidence.anatomy
    pair = expected.pair
    ways = ways_past_end(expected, pair, expected.pair_base, last)
    again = next((way for way in ways if way.name == "restart"), None)
    if again is not None and pair is not None and expected.decay_steps and pair.convention.clock == "prefix":
        ways.append(shrinking(again, expected.warmup_steps, expected.decay_steps, SHRINK))
    return ways


def _price(way: PastEnd, expected: Anatomy, times: int | None = None) -> float:
    """A schedule that continues otherwise than it is written assumes a little more, and so does a rare number."""
    price = 0.0 if way.at == expected.at else OTHERWISE
    if times is None:
        return price
    return price + (0.0 if times in USUAL else RARE) - (0.0 if expected.warmup_steps else ONE_PHASE)


def _ragged(evidence: Evidence) -> Iterator[Hypothesis]:
    """Stepped once per batch, where the last update of an epoch has fewer batches than the others."""
    expected, last, total = evidence.anatomy, int(evidence.t[-1]), evidence.anatomy.total
    if total is None:
        return
    phi, rise, fall = evidence.clock
    known = (rise | (fall & evidence.first_fall)) & (evidence.t > 0)
    pace = evidence.clock_median((phi + 1) / (evidence.t + 1), known)
    if pace is not None and pace < 1.2:
        return
    paces = range(2, BATCHES + 1) if pace is None else range(max(2, int(pace)), min(int(pace) + 3, BATCHES + 1))
    most = paces[-1] * (last + 1) if paces else 0
    ways = [(way, tabulated(way.at, most)) for way in _ways(evidence, most)]
    for k in paces:
        for updates in (n for n in range(2, total + 1) if total % n == 0):
            for loader in range((updates - 1) * k + 1, updates * k):
                epoch, update = evidence.t // updates, evidence.t % updates
                if pace is None and updates * k > total:
                    continue
                clock = epoch * loader + np.minimum((update + 1) * k, loader) - 1
                for way, at in ways:
                    if np.abs(at(clock[PROBES]) - evidence.y[PROBES]).max() > ROUGH * evidence.y.max():
                        continue
                    batches = _batch_clock(at, k, updates, loader)
                    yield Hypothesis("micro-batch", batches, {"k": k}, extra=0.2 + _price(way, expected, k))


def _batch_clock(at: LRFunction, k: int, updates: int, loader: int) -> LRFunction:
    return lambda t: at(t // updates * loader + np.minimum((t % updates + 1) * k, loader) - 1)


def _times(evidence: Evidence, paces: Rates) -> list[int]:
    """Integer paces >= 2, by the rise, by the fall and by both; all small ones where no clock is known."""
    _, rise, fall = evidence.clock
    paces_near: set[int] = set()
    first = fall & evidence.first_fall  # a wave that comes back tells no pace
    for where in (rise & (evidence.t > 0), fall, first, (rise | first) & (evidence.t > 0)):
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
