"""1/√t behind a constant LR (T5, OpenNMT's rsqrt) or behind a line of as many steps (Noam, by each of its counts)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bench.diagnose.core.diagnosis import FITS
from bench.diagnose.hypotheses.evidence import common, misfit
from reference import Convention, InverseSqrtDecay, LinearWarmup, Noam, Schedule, WarmupDecay
from reference.check import Steps

from .fit import Fit, LoggedLRs
from .places import digits, integers_between
from .rise import short_decimals
from .warmups import compared

#: Rows that must show the curve.
ROWS = 4


def root_fits(data: LoggedLRs) -> Iterator[Fit]:
    """Behind a constant LR, and behind a line."""
    if float(data.y.min()) > 0:
        yield from _behind_constant(data)
    yield from _behind_line(data)


def _behind_constant(data: LoggedLRs) -> Iterator[Fit]:
    t, y, tol = data.t, data.y, data.tol
    fallen = y < y[0] - 2 * tol[0]
    if fallen.sum() < ROWS or fallen[1] or not fallen[int(np.argmax(fallen)) :].all():
        return
    for base in [data.base] if data.base is not None else short_decimals(float(y[0]), 2 * float(tol[0] / y[0])):
        for closed in (True, False):
            scale = (t[fallen] + closed) / base**2
            for k in integers_between(scale * (y - tol)[fallen] ** 2, scale * (y + tol)[fallen] ** 2):
                rule = Convention("zero", "closed" if closed else "open")
                pair = WarmupDecay(LinearWarmup(0), InverseSqrtDecay(k, k), rule)
                yield compared(data, pair, base, 1.2 + 0.02 * digits(k), pair)


#: The step count s of 1/√s at update t, and the schedule of W steps that has it.
COUNTS: tuple[tuple[Callable[[Steps], Steps], Callable[[int], tuple[WarmupDecay, Schedule]]], ...] = (
    (lambda t: t, lambda w: _rooted(w, Convention())),
    (lambda t: t + 1, lambda w: _rooted(w, Convention("first", "closed"))),
    (lambda t: np.maximum(t, 1), lambda w: (_rooted(w, Convention())[0], Noam(w, 1, count="max_one"))),
)


def _rooted(w: int, rule: Convention) -> tuple[WarmupDecay, Schedule]:
    pair = WarmupDecay(LinearWarmup(w), InverseSqrtDecay(w), rule)
    return pair, pair


def _behind_line(data: LoggedLRs) -> Iterator[Fit]:
    """lr = c·min(s^(−½), s·W^(−3/2)): c from the decay, W from the warmup, or from where it must end."""
    y, tol = data.y, data.tol
    top = int(np.argmax(y))
    if y.size - top - 2 < ROWS or top == 0:
        return
    after = int(data.t[top + 1])
    for count, made in COUNTS:
        s = count(data.t)
        root = np.sqrt(s[top + 1 :])
        c = common((y - tol)[top + 1 :] * root, (y + tol)[top + 1 :] * root)
        if c is None or misfit(y[top + 1 :], c / root, tol[top + 1 :]) > FITS:
            continue
        low, high = np.array([float(data.t[top - 1])]), np.array([float(after)])
        rises = (s > 0) & (y > 0) & (np.arange(y.size) < top)
        if rises.any():
            slope = common((y - tol)[rises] / s[rises], (y + tol)[rises] / s[rises])
            if slope is None or slope <= 0:
                continue
            w = (c / slope) ** (2 / 3)
            error = w * float(np.min(tol[rises] / y[rises]))
            low, high = np.array([w - error]), np.array([w + error])
        for steps in integers_between(low, high):
            pair, schedule = made(steps)
            # The LR of Noam at base LR 1 is c·s^(−½); that of the pair is its peak.
            noam = isinstance(schedule, Noam)
            for base in short_decimals(c if noam else c / np.sqrt(steps), float(np.min(tol[top:] / y[top:]))):
                yield compared(data, pair, base, 1.2, schedule)
