"""Cut a trace into phases: rises, falls and holds, each with the curve that it follows."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.trace import Trace
from bench.diagnose.hypotheses.evidence import screen
from reference.check import Rates, Steps

from .curve import best_curve

#: Corners that are taken at each width of the look at the slopes.
BENDS = 4
#: Turning points that are all corners, at most.
TURNS = 24
#: Rows up to which a stretch is looked at as a whole.
ROWS = 640
#: What a phase costs by its curve: one without a name more than two with names.
COST = {"hold": 0.95, "linear": 1.0, "": 1.3, "faster": 2.6, "slower": 2.6, "unevenly": 4.0}
NAMED = 1.15
#: What a phase costs in addition that has two of many rows, or that does not start where the one before ends.
SHORT, APART = 0.5, 0.05
#: What a stretch costs that turns, and each of its turns.
WANDERS, TURN = 3.0, 1.5

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Phase:
    """A stretch of a trace from step `start` to `end`, LR `first` to `last`.

    `way`: rises, falls, holds or wanders; `curve`: its name ('' where two rows tell none); `part`: how much of a
    half wave a cosine runs; `rows`: the logged rows in it; `joined`: whether it continues the phase before it.
    """

    way: str
    curve: str
    start: int
    end: int
    first: float
    last: float
    part: float
    rows: int
    joined: bool = False

    def to_json(self) -> dict[str, Any]:
        """The phase as plain data for JSON."""
        return dataclasses.asdict(self)


def phases(t: Steps, y: Rates, tol: Floats, peak: float) -> list[Phase]:
    """The phases of a stretch without jumps.

    >>> lrs = np.concatenate([np.arange(20) / 20, np.ones(30)])
    >>> found = phases(np.arange(50), lrs, np.full(50, 1e-12), 1.0)
    >>> [(phase.way, phase.curve, phase.start, phase.end) for phase in found]
    [('rises', 'linear', 0, 20), ('holds', 'hold', 20, 49)]
    """
    if t.size == 1:
        return [Phase("holds", "hold", int(t[0]), int(t[0]), float(y[0]), float(y[0]), 1.0, 1)]
    chosen = _rows(t, y)
    corners = _corners(t[chosen], y[chosen], tol[chosen], peak)
    bounds = [(int(chosen[a]), int(chosen[b])) for a, b in _cheapest(t[chosen], y[chosen], tol[chosen], peak, corners)]
    result: list[Phase] = []
    for a, b in _refined(t, y, chosen, bounds):
        mine = np.union1d(chosen[(chosen >= a) & (chosen <= b)], [a, b]) - a
        found = _phase(t[a : b + 1], y[a : b + 1], tol[a : b + 1], peak, mine)
        result.append(dataclasses.replace(found, joined=bool(result)))
    return result


def _rows(t: Steps, y: Rates) -> Steps:
    """The most informative rows of a long stretch."""
    return screen(Trace(t, y)) if t.size > ROWS else np.arange(t.size)


def _corners(t: Steps, y: Rates, tol: Floats, peak: float) -> list[int]:
    """Rows at which the slope changes most, at several widths, with the extremes and the ends of constant runs."""
    n = t.size
    corners = {0, n - 1, int(np.argmax(y)), int(np.argmin(y)), n - 1 - int(np.argmax(y[::-1]))}
    corners.add(n - 1 - int(np.argmin(y[::-1])))
    still = np.abs(np.diff(y)) <= np.maximum(2 * tol[1:], 1e-9 * peak)
    edges = np.flatnonzero(np.diff(still.astype(np.int8))) + 1
    runs = np.diff(np.concatenate([[0], edges, [n - 1]]))
    for i, edge in enumerate(edges):
        if max(runs[i], runs[i + 1]) >= max(4, n // 40):
            corners.add(int(edge))
    change = np.diff(y)
    moves = np.flatnonzero(np.abs(change) > 2 * tol[1:])
    turns = moves[1:][np.sign(change[moves[1:]]) != np.sign(change[moves[:-1]])]
    if turns.size <= TURNS:
        corners.update(turns.tolist())
    x = t.astype(np.float64)
    for width in (1, 3, 8):
        if n <= 2 * width + 1:
            break
        left = (y[width:-width] - y[: -2 * width]) / (x[width:-width] - x[: -2 * width])
        right = (y[2 * width :] - y[width:-width]) / (x[2 * width :] - x[width:-width])
        reach = np.minimum(x[width:-width] - x[: -2 * width], x[2 * width :] - x[width:-width])
        relative = np.abs(right - left) / (np.abs(right) + np.abs(left) + 1e-3 * peak / max(float(np.ptp(x)), 1.0))
        bend = np.maximum(np.abs(right - left) * reach - 4 * tol[width:-width], 0) * relative
        for _ in range(BENDS):
            i = int(np.argmax(bend))
            if bend[i] <= 0:
                break
            corners.add(i + width)
            bend[max(i - 2 * width, 0) : i + 2 * width + 1] = 0
    return sorted(corners)


def _cheapest(t: Steps, y: Rates, tol: Floats, peak: float, corners: Sequence[int]) -> list[tuple[int, int]]:
    """The first and last rows of the phases of the cheapest chain of curves from corner to corner."""
    x = t.astype(np.float64)

    @functools.cache
    def alone(a: int, b: int) -> float:
        part = slice(a, b + 1)
        curve = best_curve(x[part], y[part], tol[part], peak)
        if curve is None:
            return WANDERS + TURN * _turns(y[part], tol[part])
        short = SHORT if b - a < 2 and y.size > 40 else 0.0
        return COST.get(curve.name, NAMED) + short

    def cost(a: int, b: int) -> tuple[float, int]:
        """The cost of a phase from corner a, or from the row after it, to b; with its first row."""
        here = alone(a, b), a
        if a == 0 or b - a < 3 or here[0] <= NAMED:
            return here
        return min(here, (alone(a + 1, b) + APART, a + 1))

    best: dict[int, tuple[float, list[tuple[int, int]]]] = {corners[0]: (0.0, [])}
    for j, b in enumerate(corners[1:], 1):
        cheapest: tuple[float, list[tuple[int, int]]] = (np.inf, [])
        for a in corners[:j]:  # the long phases first: they leave little to try
            so_far, before = best[a]
            if so_far + min(COST.values()) < cheapest[0]:
                price, first = cost(a, b)
                if so_far + price < cheapest[0]:
                    cheapest = so_far + price, [*before, (first, b)]
        best[b] = cheapest
    return best[corners[-1]][1]


def _turns(y: Rates, tol: Floats) -> int:
    change = np.diff(y)
    ways = np.sign(change[np.abs(change) > 2 * tol[1:]])
    return int((ways[1:] != ways[:-1]).sum())


def _refined(t: Steps, y: Rates, chosen: Steps, bounds: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The phases with their common ends moved to the row between the chosen ones at which the slope changes most."""
    result = list(bounds)
    for k in range(1, len(result)):
        (start, end), (after, stop) = result[k - 1], result[k]
        at = int(np.searchsorted(chosen, end))
        low, high = int(chosen[max(at - 1, 0)]), int(chosen[min(at + 1, chosen.size - 1)])
        if after != end or high - low <= 2:
            continue
        i = np.arange(max(low, 1), min(high, t.size - 2) + 1)
        slopes = np.abs((y[i + 1] - y[i]) / (t[i + 1] - t[i]) - (y[i] - y[i - 1]) / (t[i] - t[i - 1]))
        corner = int(i[np.argmax(slopes)])
        if start < corner < stop:
            result[k - 1], result[k] = (start, corner), (corner, stop)
    return result


def _phase(t: Steps, y: Rates, tol: Floats, peak: float, chosen: Steps) -> Phase:
    curve = best_curve(t[chosen].astype(np.float64), y[chosen], tol[chosen], peak)
    if curve is None:
        way, name = "wanders", ""
    elif curve.name == "hold":
        way, name = "holds", "hold"
    else:
        way, name = ("rises" if y[-1] > y[0] else "falls"), curve.name
    part = 1.0 if curve is None else curve.part
    return Phase(way, name, int(t[0]), int(t[-1]), float(y[0]), float(y[-1]), part, t.size)
