"""1/√t: behind a constant LR (T5, OpenNMT's rsqrt), and Noam under LambdaLR, whose first two updates are equal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.diagnose.hypotheses.evidence import common
from reference import Convention, InverseSqrtDecay, LinearWarmup, Noam, WarmupDecay

from .fit import Fit, LoggedLRs
from .grid import digits
from .rise import short_decimals
from .warmups import compared, whole_numbers

#: Rows that must show the curve.
ROWS = 4


def root_fits(data: LoggedLRs) -> Iterator[Fit]:
    """Both forms, where the rows allow them."""
    if float(data.y.min()) > 0:
        yield from _behind_constant(data)
        if data.t[0] == 0:
            yield from _noam(data)


def _behind_constant(data: LoggedLRs) -> Iterator[Fit]:
    t, y, tol = data.t, data.y, data.tol
    fallen = y < y[0] - 2 * tol[0]
    if fallen.sum() < ROWS or fallen[1] or not fallen[int(np.argmax(fallen)) :].all():
        return
    for base in [data.base] if data.base is not None else short_decimals(float(y[0]), 2 * float(tol[0] / y[0])):
        for closed in (True, False):
            scale = (t[fallen] + closed) / base**2
            for k in whole_numbers(scale * (y - tol)[fallen] ** 2, scale * (y + tol)[fallen] ** 2):
                rule = Convention("zero", "closed" if closed else "open")
                pair = WarmupDecay(LinearWarmup(0), InverseSqrtDecay(k, k), rule)
                yield compared(data, pair, base, 1.2 + 0.02 * digits(k), pair)


def _noam(data: LoggedLRs) -> Iterator[Fit]:
    """lr = c·min(s^(−½), s·W^(−3/2)) with s = max(t, 1): c from the decay, W from the warmup."""
    t, y, tol = np.maximum(data.t, 1), data.y, data.tol
    top = int(np.argmax(y))
    if y.size - top - 1 < ROWS or top == 0:
        return
    falls, rises = slice(top + 1, None), slice(0, top)
    root = np.sqrt(t[falls])
    c = common((y - tol)[falls] * root, (y + tol)[falls] * root)
    slope = common((y - tol)[rises] / t[rises], (y + tol)[rises] / t[rises])
    if c is None or slope is None or slope <= 0:
        return
    w = (c / slope) ** (2 / 3)
    error = w * float(np.min(tol[rises] / y[rises]))
    for steps in whole_numbers(np.array([w - error - 1]), np.array([w + error + 1])):
        noam = Noam(steps, 1, count="max_one")
        for base in short_decimals(c, float(np.min(tol[falls] / y[falls]))):
            pair = WarmupDecay(LinearWarmup(steps), InverseSqrtDecay(steps))
            yield compared(data, pair, base, 1.2, noam)
