"""Search the known forms: which warmup and decay, on which clock, with which plan, explain every row."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.causes import CAUSES
from bench.diagnose.fit.fit import LoggedLRs
from bench.diagnose.hypotheses.evidence import Hypothesis
from reference.check import Rates, Steps

from .found import EQUAL, Found, FoundParts, FoundWhole, fall_plan, falling, floor_slope
from .parts import FALLS, RISES, DecayForm, Lengths, WarmupForm
from .solve import Bools, Floats, roundest, unknown
from .trials import SAME_CLOCK, Clock, Variant, clocks, ragged, seen, trials
from .wholes import wholes

#: First factors and floors that users have, tried where the base LR is wrong too; the first are the usual ones.
STARTS = (0.0, 0.1, 0.01, 0.001, 1 / 3, 0.25, 0.04, 0.05)
FLOORS = (0.0, 0.1, 0.01, 0.05, 0.2, 0.001)
#: A warmup from more of the base LR than this is none.
HIGHEST_START = 0.95
#: With a higher floor than this, a line that continues below it has any slope.
HIGHEST_FLOOR = 0.3
#: Hypotheses that are kept of each cause.
KEPT = 3
#: Rows that are compared first.
FEW = 24


@dataclasses.dataclass(frozen=True)
class Rows:
    """What is compared: each line is a trial on a clock, each column a logged row.

    `phi`: the schedule's step, `inside`, `behind`: whether it is before W, and from W on; neither for a row that is
    left out.
    """

    pairs: tuple[tuple[Variant, Clock], ...]
    t: Steps
    y: Rates
    tol: Floats
    phi: NDArray[np.int64]
    inside: Bools
    behind: Bools

    @classmethod
    def of(cls, pairs: Sequence[tuple[Variant, Clock]], data: LoggedLRs, columns: Steps) -> Rows:
        """The lines of these trials at some of the logged rows."""
        t = data.t[columns]
        phi = np.stack([np.maximum(clock.at(t) - trial.delay, 0) for trial, clock in pairs])
        w = np.array([trial.plan.warmup_steps for trial, _ in pairs])[:, None]
        used = ~np.array([clock.first for _, clock in pairs])[:, None] | (t > 0)
        return cls(tuple(pairs), t, data.y[columns], data.tol[columns], phi, (phi < w) & used, (phi >= w) & used)


@dataclasses.dataclass(frozen=True)
class Up:
    """A warmup with the first factors, or the bases for a given one, that explain the rows before W, on each line."""

    rise: WarmupForm | None
    low: Floats
    high: Floats
    first: float | None


@dataclasses.dataclass(frozen=True)
class Down:
    """A decay with the floors, or the bases for a relative floor, that explain the rows from W on, on each line."""

    fall: DecayForm
    past: str
    end: str
    low: Floats
    high: Floats
    share: float | None


def search(data: LoggedLRs) -> list[Hypothesis]:
    """The hypotheses that explain every row of `data`, given W, the total and the base LR; the cheapest first."""
    assert data.w is not None
    assert data.total is not None
    assert data.base is not None
    plan, what = Lengths(data.w, data.total), seen(data.t, data.y, data.tol, data.base)
    all_trials = list(trials(plan, what))
    follow = [trial for trial in all_trials if trial.cause == "follows"]
    others = [trial for trial in all_trials if trial.cause != "follows"]
    found = _explained(data, [(trial, SAME_CLOCK) for trial in follow], scaled=False)
    if not any(f.cause == "follows" for f in found):
        pairs = [(trial, clock) for trial in follow for clock in clocks(plan, what)]
        found = _explained(data, pairs, scaled=True)
        found += _explained(data, [(trial, SAME_CLOCK) for trial in others], scaled=False)
    if not found:
        found = _explained(data, [(trial, clock) for trial in follow for clock in ragged(plan, what)], scaled=False)
    kept: dict[str, list[Hypothesis]] = {}
    hypotheses = sorted((f.hypothesis(data.base) for f in found), key=lambda h: CAUSES[h.cause].cost + h.extra)
    for h in hypotheses:
        if len(kept.setdefault(h.cause, [])) < KEPT:
            kept[h.cause].append(h)
    return [h for same in kept.values() for h in same]


def _explained(data: LoggedLRs, pairs: list[tuple[Variant, Clock]], *, scaled: bool) -> list[Found]:
    """What explains all rows; a few of them rule most out."""
    if not pairs:
        return []
    assert data.base is not None
    few = np.unique(np.linspace(0, data.t.size - 1, FEW).astype(np.int64))
    for columns in (few, np.arange(data.t.size)):
        rows = Rows.of(pairs, data, columns)
        found = [f for share in ((False, True) if scaled else (False,)) for f in _fitting(rows, data.base, share)]
        possible = {(id(f.trial), id(f.clock)) for f in found}
        pairs = [(trial, clock) for trial, clock in pairs if (id(trial), id(clock)) in possible]
        if not pairs:
            return []
    return found


def _fitting(rows: Rows, base: float, scaled: bool) -> Iterator[Found]:
    ups, downs = list(_ups(rows, base, scaled)), list(_downs(rows, base, scaled))
    for k, (trial, clock) in enumerate(rows.pairs):
        mine_up = [up for up in ups if up.low[k] <= up.high[k]]
        mine_down = [down for down in downs if down.low[k] <= down.high[k]]
        made = [
            _joined(trial, clock, up, down, k, base)
            for up in mine_up
            for down in mine_down
            if down.end == "open" or up.rise is None or up.rise.start == "first"
        ]
        best = min((found for found in made if found is not None), key=lambda f: f.price, default=None)
        if best is not None:
            yield best
    yield from _whole(rows, base, scaled)


def _whole(rows: Rows, base: float, scaled: bool) -> Iterator[Found]:
    """The schedules that are known as a whole, at the base LR or at another one."""
    everywhere, zero = rows.inside | rows.behind, np.zeros(rows.phi.shape)
    told = [trial.plan if trial.joint == "prefix" and not trial.lost else Lengths(0, 0) for trial, _ in rows.pairs]
    for plan, lines in grouped(told).items():
        for whole in wholes(plan):
            rates = base * whole.shares(plan, rows.phi[lines])
            low, high = unknown(everywhere[lines], rows.y, rows.tol, zero[lines], rates, base)
            for i, line in enumerate(lines):
                trial, clock = rows.pairs[line]
                if low[i] > high[i]:
                    continue
                c, price = roundest(float(low[i]), float(high[i]), (1.0,))
                if (abs(c - 1) > EQUAL) == scaled:
                    yield FoundWhole(trial, clock, c * base, price + whole.price + trial.extra + clock.extra, whole)


def _ups(rows: Rows, base: float, scaled: bool) -> Iterator[Up]:
    zero = np.zeros(rows.phi.shape)
    bare = np.array([trial.lost or not trial.plan.warmup_steps for trial, _ in rows.pairs])
    lines_of = grouped([trial.plan for trial, _ in rows.pairs])
    if bare.any():
        known, slope = (zero, zero + base) if scaled else (zero + base, zero)
        low, high = unknown(rows.inside, rows.y, rows.tol, known, slope, base)
        yield Up(None, np.where(bare, low, np.inf), np.where(bare, high, -np.inf), 1.0 if scaled else None)
    for rise in RISES:
        x = np.ones(rows.phi.shape)
        for plan, lines in lines_of.items():
            if plan.warmup_steps:
                x[lines] = rise.factors(plan, 0.0)(np.minimum(rows.phi[lines], plan.warmup_steps))
        for first in STARTS if scaled else (None,):
            if first is None:
                low, high = unknown(rows.inside, rows.y, rows.tol, base * x, base * (1 - x), base)
                low, high = np.maximum(low, 0.0), np.minimum(high, HIGHEST_START)
            else:
                low, high = unknown(rows.inside, rows.y, rows.tol, zero, base * (first + (1 - first) * x), base)
            low = np.where(bare, np.inf, low)
            if (low <= high).any():
                yield Up(rise, low, high, first)


def _downs(rows: Rows, base: float, scaled: bool) -> Iterator[Down]:
    plans = [fall_plan(trial) for trial, _ in rows.pairs]
    starts = np.array([trial.plan.warmup_steps if trial.joint == "prefix" else 0 for trial, _ in rows.pairs])
    n, zero = rows.phi - starts[:, None], np.zeros(rows.phi.shape)
    beyond = bool((n > np.array([plan.decay_steps for plan in plans])[:, None]).any())
    lines_of = grouped(plans)
    for fall in FALLS:
        decays = {plan: fall.make(plan) for plan in lines_of}
        for past in fall.past if beyond else fall.past[:1]:
            for end in ("open", "closed"):
                d, spread = np.full(n.shape, np.nan), np.zeros(n.shape)
                for plan, lines in lines_of.items():
                    decay = decays[plan]
                    if decay is not None:
                        d[lines] = falling(decay, past, end, n[lines] * fall.pace)
                        spread[lines] = floor_slope(fall, decay, past, end, n[lines], d[lines])
                for share in (FLOORS if fall.floored else FLOORS[:1]) if scaled else (None,):
                    if share is not None:
                        known, slope = zero, base * (d + share * spread)
                    else:
                        known, slope = base * d, spread
                    low, high = unknown(rows.behind, rows.y, rows.tol, known, slope, 1.0 if share is None else base)
                    low = np.where(np.isnan(d).any(axis=1), np.inf, low)
                    if fall.floored and share is None:
                        low = np.maximum(low, 0.0)
                        high = np.minimum(high, HIGHEST_FLOOR * base) if past == "unbounded" else high
                    if (low <= high).any():
                        yield Down(fall, past, end, low, high, share)


def grouped(plans: Sequence[Lengths]) -> dict[Lengths, list[int]]:
    """The lines of each plan."""
    lines: dict[Lengths, list[int]] = {}
    for line, plan in enumerate(plans):
        lines.setdefault(plan, []).append(line)
    return lines


def _joined(trial: Variant, clock: Clock, up: Up, down: Down, k: int, base: float) -> Found | None:
    """A warmup and a decay that agree on the base LR of a clock; None where they do not."""
    if (up.first is None) != (down.share is None):
        return None
    price = (up.rise.price if up.rise else 0.0) + down.fall.price + trial.extra + clock.extra
    price += 0.05 * (down.end == "closed") + 0.05 * (down.past != "clamp")
    if up.first is None or down.share is None:
        first, dear = roundest(float(up.low[k]), float(up.high[k]), (*STARTS, 1 / (trial.plan.warmup_steps + 1)))
        if not down.fall.floored:
            return FoundParts(trial, clock, base, price + dear, up.rise, down.fall, down.past, down.end, first, 0.0)
        share, dearer = roundest(float(down.low[k]) / base, float(down.high[k]) / base, FLOORS)
        low = share * base
        price += dear + dearer
        return FoundParts(trial, clock, base, price, up.rise, down.fall, down.past, down.end, first, low)
    low, high = max(up.low[k], down.low[k]) * base, min(up.high[k], down.high[k]) * base
    if low > high or low <= 0 or not np.isfinite(high):
        return None
    other, dear = roundest(float(low), float(high), (base, *(base * f for f in (0.1, 10, 2, 0.5, 4, 0.25, 8, 0.125))))
    if abs(other / base - 1) <= EQUAL:
        return None
    price += dear + 0.05 * (STARTS.index(up.first) if up.rise else 0) + 0.05 * FLOORS.index(down.share)
    floor = down.share * other
    return FoundParts(trial, clock, other, price, up.rise, down.fall, down.past, down.end, up.first, floor)
