"""Where a warmup may end and a run may, and the warmups that lead to a decay which is already known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from bench.diagnose.hypotheses.evidence import misfit
from reference import Convention, Decay, LinearWarmup, Schedule, WarmupDecay

from .fit import Fit, LoggedLRs
from .grid import Floats, digits
from .rise import Rise, rises

#: Places of an end that are tried between two logged rows.
PLACES = 100
#: Integers that are compared.
INTEGERS = 24
#: Warmup lengths whose warmups are fitted: each takes about 3 ms.
LENGTHS = 10


def between(low: int, high: int) -> list[int]:
    """The steps from `low` to `high`; of many, those with few digits and an even spread.

    >>> between(3, 6), len(between(1, 10_000)) <= 2 * PLACES, 5000 in between(1, 10_000)
    ([3, 4, 5, 6], True, True)
    """
    if high - low < PLACES:
        return list(range(low, high + 1))
    unit = 10 ** (len(str((high - low) // PLACES)))
    round_ones = range(-(-low // unit) * unit, high + 1, unit)
    return sorted({*np.linspace(low, high, PLACES).astype(int).tolist(), *round_ones})


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


def integers_between(low: Floats, high: Floats) -> list[int]:
    """The integers from the highest of `low` to the lowest of `high`, or near them; those of few digits first."""
    least, most = sorted((float(np.max(low)), float(np.min(high))))
    if not 0 < most < 2**40:
        return []
    numbers = range(max(1, int(np.floor(least)) - 1), int(np.ceil(most)) + 2)
    if len(numbers) > 1000:
        numbers = range(numbers[0], numbers[-1] + 1, len(numbers) // 1000)
    middle = (least + most) / 2
    return sorted(numbers, key=lambda k: (digits(k), abs(k - middle)))[:INTEGERS]
