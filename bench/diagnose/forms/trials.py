"""What may have gone wrong with known settings: another plan, or another clock for the same plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from reference.check import Steps

from .parts import Lengths
from .solve import Floats

#: Micro-batches, processes and calls per update that people have.
TIMES = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 25, 32, 50, 64, 100)
#: Of these, a number that is neither small nor a power of 2 is that of the updates of an epoch.
MOST_USUAL = 8
#: The most of these: more are epochs.
MOST_TIMES = 128
#: Micro-batches of an update where the last one of an epoch has fewer.
MICRO_BATCHES = (2, 3, 4, 5, 6, 8, 10, 16)
#: By how much a total is too large or too small: devices, accumulation, epochs.
FACTORS = (2, 3, 4, 5, 6, 8, 16, 32)
PARTS = (1.25, 1.5, 2, 3, 4, 8)
#: Numbers that are tried around an estimate, and steps ahead or late.
NEAR, SHIFT = 12, 8


@dataclasses.dataclass(frozen=True)
class Clock:
    """The schedule's step at each update t: (t // every)·times + ahead.

    `first`: whether update 0 ran at the base LR, before the schedule was asked. With `updates` per epoch, the schedule
    moves at each of `batches`, of which the last update of an epoch has fewer than `times`.
    """

    cause: str
    times: int = 1
    ahead: int = 0
    every: int = 1
    first: bool = False
    updates: int = 0
    batches: int = 0
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    extra: float = 0.0

    def at(self, t: Steps) -> Steps:
        """The schedule's step; not below 0."""
        if self.updates:
            place = np.minimum((t % self.updates + 1) * self.times, self.batches)
            return t // self.updates * self.batches + place - 1
        return np.maximum(t // self.every * self.times + self.ahead, 0)


@dataclasses.dataclass(frozen=True)
class Variant:
    """A plan whose schedule is compared, and the cause that it stands for where it is not the plan of the user.

    `joint`: how warmup and decay share the steps: ``prefix`` (the decay counts from W), ``over`` (it counts from 0 and
    is cut by the warmup); `lost`: without the warmup; `delay`: how many steps its library counts late (DeepSpeed: 1).
    """

    cause: str
    plan: Lengths
    joint: str = "prefix"
    lost: bool = False
    delay: int = 0
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    extra: float = 0.0


#: Steps between the end of a warmup and its peak: conventions differ by one on each side.
SPARE = 2
#: A peak this far above the base LR is not the end of the warmup.
EXCESS = 1e-6
#: A log this many times as long as the run does not count updates.
BEYOND = 1.4

SAME_CLOCK = Clock("follows")


@dataclasses.dataclass(frozen=True)
class LoggedLengths:
    """What the rows say about lengths: the last step, the rows' distance, where the peak can be."""

    last: int
    stride: int
    peak: range
    strided_by: int
    starts_at_base: bool
    starts_late: bool
    above: bool

    def allows(self, warmup_steps: int) -> bool:
        """Whether a warmup of this length, on the clock of the updates, has its end where the peak is."""
        if not warmup_steps or self.above:
            return True
        low, high = self.peak[0] - SPARE, self.peak[-1] + SPARE
        return low <= warmup_steps and (warmup_steps <= high or self.peak[-1] > self.last)

    def beyond(self, total_steps: int) -> float:
        """What an explanation costs more whose log does not count updates although the numbers say so; else 0."""
        return 0.5 * (self.last > BEYOND * total_steps)

    @property
    def updates(self) -> int:
        """The updates of the run as far as it was logged."""
        return self.last + 1


def seen(t: Steps, y: Floats, tol: Floats, base: float) -> LoggedLengths:
    """The lengths that the rows tell."""
    falls = np.flatnonzero(np.maximum.accumulate(y) - y > 2 * tol)
    turn = int(np.argmax(y[: falls[0] + 1] if falls.size else y))
    top = int(np.argmax(y[: turn + 1] >= y[turn] - tol[turn]))
    before = int(t[top - 1]) + 1 if top else 0
    after = int(t[top + 1]) if top + 1 < t.size else int(t[top]) + 1
    gaps = np.diff(t)
    every = int(np.gcd.reduce(t)) if t.any() else 1
    at_base = bool(t[0] == 0 and abs(y[0] - base) <= tol[0] and y[1] < base - tol[1])
    late = bool(t[0] == 0 and y[0] == 0 and (t[1] > 1 or y[1] == 0))
    above = bool((y > base * (1 + EXCESS) + tol).any())
    return LoggedLengths(int(t[-1]), int(np.median(gaps)), range(before, after + 1), every, at_base, late, above)


def clocks(plan: Lengths, what: LoggedLengths) -> Iterator[Clock]:
    """The plan's own clock, and the others that it may have followed."""
    yield SAME_CLOCK
    if what.starts_at_base:
        yield Clock("first-update-unscheduled", ahead=-1, first=True)
    for k in range(1, SHIFT + 1):
        yield Clock("ahead", ahead=k, parameters={"k": k}, extra=0.02 * k + (0.3 if k == 1 else 0.0))
        yield Clock("late", ahead=-k, parameters={"k": k}, extra=0.02 * k)
    estimates = _around(plan.warmup_steps, what.peak)
    for n in sorted({*TIMES, *(n for n in estimates if n <= MOST_TIMES)}):
        rows = n * what.updates <= plan.total_steps + n * max(1, what.stride)
        yield Clock("log-rows" if rows else "per-process" if usual(n) else "per-step", times=n, parameters={"n": n})
        yield Clock("micro-batch", times=n, ahead=n - 1, parameters={"k": n}, extra=0.02)
    beyond = what.beyond(plan.total_steps)
    for n in _treads(plan, what):
        yield Clock("per-epoch", every=n, parameters={"n": n}, extra=beyond)
    for k in TIMES if beyond else ():
        if what.strided_by % k == 0:
            yield Clock("steps-in-batches", every=k, parameters={"n": k, "k": k})


def usual(n: int) -> bool:
    """Whether a number is one of processes or micro-batches, and not of the updates of an epoch."""
    return n <= MOST_USUAL or n & (n - 1) == 0


def ragged(plan: Lengths, what: LoggedLengths) -> Iterator[Clock]:
    """A step at each micro-batch, where the last update of an epoch has fewer."""
    for updates in _treads(plan, what):
        for k in MICRO_BATCHES:
            for rest in range(1, k):
                batches = (updates - 1) * k + rest
                yield Clock("micro-batch", k, updates=updates, batches=batches, parameters={"k": k}, extra=0.3)


def _around(w: int, peak: range) -> list[int]:
    """The integers by which a warmup of W steps is too fast if its peak is in this range."""
    if not w or not len(peak) or peak[-1] < 1:
        return []
    low, high = w / (peak[-1] + 1), w / max(peak[0], 1)
    return list(range(max(2, int(low)), int(high) + 2)) if high - low < NEAR else []


def _treads(plan: Lengths, what: LoggedLengths) -> list[int]:
    """Lengths of an epoch that divide the run."""
    return [n for n in range(2, what.updates // 2 + 1) if plan.total_steps % n == 0]


def trials(plan: Lengths, what: LoggedLengths) -> Iterator[Variant]:
    """The plan itself, and the plans that mistakes make of it, as they are and one step late."""
    for trial in _trials(plan, what):
        if trial.cause != "follows" and not trial.lost and not what.allows(trial.plan.warmup_steps):
            continue
        yield trial
        if (what.starts_late or trial.cause == "follows") and trial.joint == "prefix" and not trial.lost:
            yield dataclasses.replace(trial, delay=1, extra=trial.extra + 0.3)


def _trials(plan: Lengths, what: LoggedLengths) -> Iterator[Variant]:
    w, total = plan.warmup_steps, plan.total_steps
    yield Variant("follows", plan)
    if w:
        yield Variant("warmup-lost", Lengths(0, total), lost=True)
        yield Variant("warmup-lost", plan, lost=True, extra=0.1)
        yield Variant("decay-counts-from-zero", plan, "over")
        yield from _warmups(w, total, what)
        yield from _slower(w, total, what)
        yield from _epochs(w, total, what)
    beyond = what.beyond(total)
    for other in dict.fromkeys((*(total * k for k in FACTORS), total + w)):
        if other > total:
            yield Variant(
                "horizon-long", Lengths(w, other), parameters={"d": other - w, "meant": total - w}, extra=beyond
            )
    shorter = {int(total / k): 0.0 for k in PARTS} | {w + (total - w) // 2: 0.1, total - w: 0.0}
    for other, extra in shorter.items():
        if w + 2 < other < total:
            yield Variant(
                "horizon-short", Lengths(w, other), parameters={"d": other - w, "meant": total - w}, extra=extra
            )


def _warmups(w: int, total: int, what: LoggedLengths) -> Iterator[Variant]:
    lengths = {w * k: 0.0 for k in FACTORS} | {w // k: 0.0 for k in FACTORS if w // k > 1}
    peaks = list(what.peak)
    for k in peaks if len(peaks) <= NEAR else []:
        for near in (k, k + 1):
            lengths.setdefault(near, 0.2)
    for length, extra in lengths.items():
        if 1 < length < total - 2 and length != w:
            numbers = {"w": length, "meant": w}
            yield Variant("warmup-length", Lengths(length, total), parameters=numbers, extra=extra)
            yield Variant("warmup-length", Lengths(length, length + total - w), parameters=numbers, extra=extra + 0.2)


def _slower(w: int, total: int, what: LoggedLengths) -> Iterator[Variant]:
    beyond = what.beyond(total)
    for k in FACTORS:
        yield Variant("too-slow", Lengths(w * k, total * k), parameters={"k": k, "n": k}, extra=beyond)


def _epochs(w: int, total: int, what: LoggedLengths) -> Iterator[Variant]:
    """Both lengths in epochs: the schedule is over after as many updates as there should be epochs."""
    epochs = [e for e in range(2, min(total // 2, 400) + 1) if total % e == 0]
    for e in epochs:
        n = total // e
        short = round(w / n)
        if n > 1 and 1 <= short < e - 2:
            yield Variant("per-step", Lengths(short, e), parameters={"n": n}, extra=0.1 + 1.5 * usual(n))
