"""Hypotheses of other lengths: of the decay, of the warmup, of both, and what follows a decay that ends too early."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from reference import Decay, InverseSqrtDecay, Noam, WarmupDecay

from .anatomy import decay_length, with_length
from .curves import end_of, evaluated, name_past_end, ways_past_end
from .ends import PAST_PRICES, past_ends
from .evidence import Evidence, Hypothesis, LRFunction
from .scales import warmup_alone
from .stretched import decays_behind, possible, rescaled, roundest, warmups_of

#: Runs longer or shorter than planned by one of these are common: devices, accumulation, epochs, a part of the data.
FACTORS = (2, 3, 4, 5, 6, 8, 10, 16, 32, 64, 1.25, 1.5, 0.5, 1 / 3, 0.25, 0.2, 0.125, 0.1, 0.8, 2 / 3, 0.6, 0.75)
#: Schedules that are longer by more than this factor are constant in the run.
LONGEST = 256
#: Lengths that differ by more than this share of the peak before the end are not compared further.
ROUGH = 0.02
#: Epochs have at least this many updates.
SHORT_EPOCH = 10
#: What a warmup of another length costs more under a decay of the same time scale.
RESCALED = 0.1
#: What a decay of another length is followed by.
AFTER_END = {
    "rises-again": "after step {r} the LR rises again",
    "negative": "from step {r} on the LR is negative, and each update ascends instead of descending",
    "restarts-after-end": "at step {r} it is over and starts again",
}
#: What follows the end may be above a low floor, so that only higher LRs tell the length.
ABOVE = (0.05, 0.3)
#: A price for a length that the settings do not give.
READ = 1.0


def lengths(evidence: Evidence) -> Iterator[Hypothesis]:
    """Every length that could have been another one."""
    expected = evidence.anatomy
    if expected.pair is None:
        yield from _noams(evidence)
        return
    yield from _horizons(evidence, expected.pair)
    yield from _warmups(evidence, expected.pair)
    yield from _both(evidence, expected.pair)


def _horizons(evidence: Evidence, pair: WarmupDecay) -> Iterator[Hypothesis]:
    expected, own = evidence.anatomy, decay_length(pair.decay)
    w, total, last = expected.warmup_steps, expected.total, int(evidence.t[-1])
    if own is None and total is not None and expected.drops:
        yield from _drops_behind(evidence, pair)
    if own is None or total is None:
        return
    tried: dict[Decay, float] = {}
    for length in (own + w, own - w, total, total - w):
        other = with_length(pair.decay, length) if length > 0 else None
        if other is not None:
            tried.setdefault(other, 0.0)
    for form in range(len(decays_behind(expected, w, total))):

        def decay_of(run: int, form: int = form) -> Decay | None:
            others = decays_behind(expected, w, run)
            return others[form] if form < len(others) else None

        def curve_of(run: int, decay_of: Callable[[int], Decay | None] = decay_of) -> LRFunction | None:
            decay = decay_of(run)
            if decay is None:
                return None
            rule = dataclasses.replace(pair.convention, past_end="clamp")
            return evaluated(dataclasses.replace(pair, decay=decay, convention=rule), expected.pair_base)

        fitting = range(0)
        for above in ABOVE:
            fitting = fitting or possible(curve_of, evidence.falling(w, above), w + 1, LONGEST * total)
        nice = [run for run in dict.fromkeys(int(f * total) for f in FACTORS) if run in fitting]
        for run in (*nice, *roundest(fitting)):
            decay = decay_of(run)
            if decay is not None:
                tried.setdefault(decay, 0.2 if run in nice else READ)
    for decay, extra in tried.items():
        if decay != pair.decay:
            yield from _continued(evidence, dataclasses.replace(pair, decay=decay), own, extra, last)


def _drops_behind(evidence: Evidence, pair: WarmupDecay) -> Iterator[Hypothesis]:
    """Stairs that drop k times later: their steps are shares of a total that is too large."""
    expected, total = evidence.anatomy, evidence.anatomy.total
    assert total is not None
    for k in (f for f in FACTORS if f > 1):
        for decay in dict.fromkeys(decays_behind(expected, expected.warmup_steps, int(k * total))):
            numbers = {"d": int(k * total) - expected.warmup_steps, "meant": total - expected.warmup_steps}
            other = dataclasses.replace(pair, decay=decay)
            at = evaluated(other, expected.pair_base)
            yield Hypothesis("horizon-long", at, numbers, other, expected.pair_base, 0.2)


def _continued(evidence: Evidence, other: WarmupDecay, own: int, extra: float, last: int) -> Iterator[Hypothesis]:
    """A decay of another length with each way to continue after it."""
    expected, length = evidence.anatomy, decay_length(other.decay) or 0
    end = end_of(other) or 0
    lowest = float(evidence.y.min())
    for way in past_ends(evidence, other):
        cause = name_past_end(way, other, lowest) if last > end else "horizon-short"
        if cause == "horizon-short" and length > own:
            cause = "horizon-long"
        if cause == "rises-again" and length < own and not extra:
            cause = "horizon-short"  # the settings tell why it is short: the warmup was subtracted once too often
        numbers = {"d": length, "meant": own, "r": end}
        # What continues otherwise than written assumes a little more.
        price = extra + PAST_PRICES.get(way.name, 0.05 if way.schedule is not other else 0.0)
        follows = AFTER_END.get(cause, "").format(r=end)
        says = f"The decay takes {length} steps instead of {own}: {follows}." if follows and length != own else ""
        yield Hypothesis(cause, way.at, numbers, way.schedule, expected.pair_base, price, says)


def _warmups(evidence: Evidence, pair: WarmupDecay) -> Iterator[Hypothesis]:
    expected = evidence.anatomy
    w, total, base = expected.warmup_steps, expected.total, expected.pair_base
    if w == 0:
        return
    top = evidence.peak
    inside = (np.arange(evidence.t.size) <= top) & (evidence.y < evidence.y[top] * (1 - 1e-3)) & (evidence.t > 0)
    rows = evidence.t[inside], -evidence.y[inside], evidence.tol[inside]
    last = int(evidence.t[-1])
    for form in range(len(warmups_of(expected, w))):

        def curve_of(length: int, form: int = form) -> LRFunction | None:
            alone = warmup_alone(dataclasses.replace(expected, pair=warmups_of(expected, length)[form]))
            return None if alone is None else lambda t: -alone(t, base)

        fitting = possible(curve_of, rows, 1, LONGEST * max(w, last + 1))
        nice = {length for f in FACTORS for length in (int(f * w), round(f * w)) if length in fitting}
        around = {length + k for length in roundest(fitting) for k in (-1, 0, 1) if length + k >= 1}
        if not fitting and evidence.peak:  # all rows of a short warmup lie behind it
            around = set(range(1, min(w, int(evidence.t[min(1, top)]) + 2)))
        for length in sorted((nice | around) - {w}):
            extra, other = 0.0 if length in nice else 0.05, warmups_of(expected, length)[form]
            if length > last:
                yield _as("warmup-longer-than-run", other, base, extra, w=length, meant=w)
                continue
            decays = [pair.decay, *([] if total is None else decays_behind(expected, length, total))]
            for decay in dict.fromkeys(decays):
                changed = dataclasses.replace(other, decay=decay)
                for way in ways_past_end(expected, changed, base, last):
                    numbers = {"w": length, "meant": w}
                    # Where W is the time scale too, a faster clock gives the same and is the simpler cause.
                    price = extra + (RESCALED if isinstance(decay, InverseSqrtDecay) else 0.0)
                    yield Hypothesis("warmup-length", way.at, numbers, way.schedule, base, price)


def _noams(evidence: Evidence) -> Iterator[Hypothesis]:
    """Another warmup of a Noam that is no pair of a warmup and a decay, under the same peak or the same factor."""
    expected, schedule = evidence.anatomy, evidence.anatomy.schedule
    if not isinstance(schedule, Noam) or schedule.warmup_steps == 0:
        return
    w, last = schedule.warmup_steps, int(evidence.t[-1])
    rising = (np.arange(evidence.t.size) < evidence.peak) & (evidence.t > 1) & (evidence.y > 0)
    if not rising.any():
        return
    peak = schedule.peak_lr * expected.base
    for near in (
        round(float(np.median(evidence.t[rising] * peak / evidence.y[rising]))),
        round(float(evidence.t[evidence.peak])),
    ):
        for length in range(max(1, near - 2), near + 3):
            for factor in (schedule.factor * (length / w) ** 0.5, schedule.factor):
                other = dataclasses.replace(schedule, warmup_steps=length, factor=factor)
                cause = "warmup-length" if length <= last else "warmup-longer-than-run"
                if length != w:
                    at = evaluated(other, expected.base)
                    yield Hypothesis(cause, at, {"w": length, "meant": w}, other, expected.base)


def _both(evidence: Evidence, pair: WarmupDecay) -> Iterator[Hypothesis]:
    """Both lengths are in another unit: batches in place of updates, or epochs."""
    expected = evidence.anatomy
    w, total, last = expected.warmup_steps, expected.total, int(evidence.t[-1])
    if total is None or decay_length(pair.decay) is None:
        return
    for k in (2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 64):
        if w > 0 and k * total > last:
            for other in rescaled(expected, k * w, k * total):
                # More than a few batches per update, and it is rather an epoch.
                yield _as("too-slow", other, expected.pair_base, 0.0 if k < SHORT_EPOCH else 0.4, k=k)
    for n in range(2, total // 2 + 1):
        if total % n or 2 * last * n < 3 * total:
            continue
        for warmup_steps in dict.fromkeys((round(w / n), w // n, -(-w // n))):
            if w and not warmup_steps:
                continue
            for other in rescaled(expected, warmup_steps, total // n):
                before = evidence.t < total // n
                early = evaluated(other, expected.pair_base)(evidence.t[before])
                if np.abs(early - evidence.y[before]).max(initial=0.0) > ROUGH * evidence.y.max():
                    continue
                for way in ways_past_end(expected, other, expected.pair_base, last):
                    # A few updates make no epoch: then it is more often a count of devices.
                    extra = READ / 2 if n >= SHORT_EPOCH else 0.8
                    yield Hypothesis("per-step", way.at, {"n": n}, way.schedule, expected.pair_base, extra)


def _as(cause: str, schedule: WarmupDecay, base: float, extra: float = 0.0, **numbers: float) -> Hypothesis:
    return Hypothesis(cause, evaluated(schedule, base), dict(numbers), schedule, base, extra)
