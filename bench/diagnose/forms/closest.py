"""The known forms that explain most rows: what the run was meant to be, where something happened to it on the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from bench.diagnose.core.diagnosis import FITS
from bench.diagnose.fit.fit import LoggedLRs
from reference import Convention, Decay, Delayed, LinearWarmup, Schedule, Warmup, WarmupDecay
from reference.check import Rates, Steps

from .found import at_base, delayed
from .parts import FALLS, RISES, Lengths
from .solve import Bools
from .wholes import wholes

#: First factors and floors that are tried.
STARTS = (0.0, 0.1, 0.01, 0.001, 1 / 3)
FLOORS = (0.0, 0.1, 0.01, 0.05)
#: The last LR of transformers' polynomial, which is a learning rate.
LR_END = 1e-7
#: Steps ahead or late at which a form may explain rows: a scaler that skips leaves the
#: schedule some steps ahead, or late where it waits.
SHIFTS = (0, 1, 2, 3, 4, 5, 6, 7, 8, -1, -2, -3, -4, -5, -6)
#: Warmups and decays that are combined, the best of each.
WARMUPS, DECAYS = 2, 16
#: A form must explain this share of the rows, and at least this many of them.
SHARE, ROWS = 0.04, 4


P = TypeVar("P", Warmup, Decay)


@dataclasses.dataclass(frozen=True)
class Part(Generic[P]):
    """A warmup or a decay, the rows that it explains, and whether it does so one step late."""

    rows: int
    price: float
    part: P
    start: str
    late: bool

    @property
    def order(self) -> tuple[int, float]:
        """Most rows first, then the commonest."""
        return -self.rows, self.price


def closest(data: LoggedLRs) -> list[Schedule]:
    """The schedules with the told W, total and base LR that explain most rows as they are, the best first."""
    assert data.w is not None
    assert data.total is not None
    assert data.base is not None
    plan, base = Lengths(data.w, data.total), data.base
    ups, downs = _warmups(data, plan, base), _decays(data, plan, base)
    scored: list[tuple[int, float, Schedule]] = [
        (up.rows + down.rows, up.price + down.price + 0.1 * (late != (up.late and down.late)), delayed(schedule, late))
        for up in ups
        for down in downs
        for late in ((0, 1) if up.late or down.late else (0,))
        for schedule in [WarmupDecay(up.part, down.part, Convention(up.start))]
    ]
    for whole in wholes(plan):
        if whole.make is not None:
            rows, late = _rows(data, lambda phi, w=whole: base * w.shares(plan, phi))  # type: ignore[misc]
            scored.append((rows, whole.price, delayed(whole.make(plan, base), int(late))))
    scored.sort(key=lambda s: (-s[0], s[1]))
    enough = max(ROWS, SHARE * data.t.size)
    best: dict[tuple[str, ...], Schedule] = {}
    for rows, _, schedule in scored:
        if rows >= enough:
            best.setdefault(kind_of(schedule), schedule)
    return list(best.values())


def kind_of(schedule: Schedule) -> tuple[str, ...]:
    """What a form is but for its numbers: forms of one kind that explain the same rows are one guess."""
    if isinstance(schedule, Delayed):
        return "delayed", *kind_of(schedule.schedule)
    if not isinstance(schedule, WarmupDecay):
        return (type(schedule).__name__,)
    decay = schedule.decay
    floored = "floored" if getattr(decay, "min_lr", 0.0) else ""
    return schedule.convention.clock, type(decay).__name__, str(getattr(decay, "shape", "")), floored


def explained(data: LoggedLRs, rates: Rates) -> Bools:
    """The rows that these LRs explain."""
    return np.asarray(np.abs(data.y - rates) <= FITS * data.tol)


def _rows(
    data: LoggedLRs, at: Callable[[Steps], Rates], mine: Callable[[Steps], Bools] | None = None
) -> tuple[int, bool]:
    """How many rows these LRs explain, at best a few steps ahead or late, and whether one step late is best."""
    phi = np.maximum(data.t[None, :] + np.array(SHIFTS)[:, None], 0)
    rates = at(phi)
    rows = explained(data, rates)
    # A run that was resumed at another base LR follows the rest of the form times a factor.
    scale = data.y[-1] / np.where(rates[:, -1:] > 0, rates[:, -1:], np.inf)
    rows |= explained(data, scale * rates) & (scale > 0)
    counts = (rows if mine is None else rows & mine(phi)).sum(axis=1)
    most = int(np.argmax(counts))
    return int(counts[most]), SHIFTS[most] == -1


def _part(data: LoggedLRs, plan: Lengths, part: P, start: str, price: float, at: Callable[[Steps], Rates]) -> Part[P]:
    """A part with the rows before W (a warmup) or from W on that it explains, at best a few steps ahead or late."""
    rows, late = _rows(data, at, lambda phi: (phi < plan.warmup_steps) == isinstance(part, Warmup))
    return Part(rows, price, part, start, late)


def _warmups(data: LoggedLRs, plan: Lengths, base: float) -> list[Part[Warmup]]:
    tried = []
    for rise in RISES:
        for first in (*STARTS, 1 / (plan.warmup_steps + 1)):
            factors = rise.factors(plan, first)
            price = rise.price + 0.05 * (first != 0)
            start = factors.convention.start
            tried.append(_part(data, plan, factors.warmup, start, price, lambda phi, f=factors: base * f(phi)))  # type: ignore[misc]
    return sorted(tried, key=lambda part: part.order)[:WARMUPS]


def _decays(data: LoggedLRs, plan: Lengths, base: float) -> list[Part[Decay]]:
    tried, w = [], plan.warmup_steps
    lows = [low for low in (*(share * base for share in FLOORS), LR_END, float(data.y[-1])) if 0 <= low < base]
    for fall in FALLS:
        unit = fall.make(plan)
        if unit is None:
            continue
        for low in dict.fromkeys(lows if fall.floored else lows[:1]):
            decay = at_base(fall, unit, base, low)
            pair = WarmupDecay(LinearWarmup(0), decay)
            price = fall.price + 0.05 * (low != 0)
            tried.append(_part(data, plan, decay, "", price, lambda phi, p=pair: p(np.maximum(phi - w, 0), base)))  # type: ignore[misc]
    return sorted(tried, key=lambda part: part.order)[:DECAYS]
