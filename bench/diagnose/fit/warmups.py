"""Where a warmup may end and a run may, and the warmups that lead to a decay which is already known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from bench.diagnose.hypotheses.evidence import misfit
from reference import Convention, Decay, LinearWarmup, Schedule, WarmupDecay

from .fit import Fit, LoggedLRs
from .places import between, digits
from .rise import Rise, rises

#: Warmup lengths whose warmups are fitted: each takes about 3 ms.
LENGTHS = 10


def starts(data: LoggedLRs, rows: int | None = None) -> list[int]:
    """The steps at which the decay may start: between the rows around the highest ones, of all or the first `rows`."""
    if data.w is not None:
        return [data.w]
    y, tol = data.y[:rows], data.tol[:rows]
    i = int(np.argmax(y))
    if i == 0 or y[0] >= y[i] - tol[i]:
        return [0]
    level = y[i:] >= y[i] - 2 * tol[i]
    j = i + (int(np.argmin(level)) if not level.all() else level.size)  # the first row that is lower
    after = int(data.t[j]) if j < data.t.size else data.last + 1
    return between(int(data.t[i - 1]) + 1, max(after, int(data.t[i]) + 1))


def totals(data: LoggedLRs) -> list[int]:
    """The steps at which a run that is logged to its end may end."""
    if data.total is not None:
        return [data.total]
    stride = int(np.median(np.diff(data.t)))
    return between(data.last + 1, data.last + stride)


def risen(data: LoggedLRs, top: Callable[[int], float], lengths: list[int], most: int = LENGTHS) -> Iterator[Rise]:
    """The warmups that lead to `top(w)` at step w, the likeliest lengths first."""
    if not (data.t < lengths[-1]).any():
        yield Rise(LinearWarmup(lengths[0]), "zero", top(lengths[0]), 0.0)
        return
    t, y = data.t[data.t < lengths[0]], data.y[data.t < lengths[0]]

    def distance(w: int) -> float:
        """How far a line through the first and the last row of the warmup is from the top at step w."""
        if t.size < 2:
            return 0.0
        slope = float(y[-1] - y[0]) / int(t[-1] - t[0])
        return round(abs(float(y[0]) + slope * (w - int(t[0])) - top(w)) / top(w), 3)

    for w in sorted(lengths, key=lambda w: (distance(w), digits(w)))[:most]:
        if (data.t < w).any():
            yield from rises(data.t, data.y, data.tol, w, top(w))
        else:
            yield Rise(LinearWarmup(w), "zero", top(w), 0.0)


def joined(
    data: LoggedLRs, rise: Rise, decay: Decay, base: float, price: float, *, closed: bool = False, clock: str = "prefix"
) -> Fit:
    """A warmup and a decay as one schedule, compared with all rows."""
    warmup = rise.warmup
    if clock != "prefix" and warmup.start_factor:
        warmup = dataclasses.replace(warmup, start_factor=warmup.start_factor * rise.base / base)  # type: ignore[type-var]  # a dataclass
    rule = Convention(rise.start, "closed" if closed else "open", clock)
    pair = WarmupDecay(warmup, decay, rule)
    return compared(data, pair, base, price + rise.cost, pair)


def compared(data: LoggedLRs, pair: WarmupDecay, base: float, cost: float, schedule: Schedule) -> Fit:
    """The fit with its misfit at all rows; numbers of few digits are the likelier ones."""
    cost += 0.02 * (digits(pair.warmup.warmup_steps) + digits(base))
    return Fit(pair, base, cost, misfit(data.y, schedule(data.t, base), data.tol), schedule)
