"""Undo mistakes: the trace as it would be without one, so that a healthy schedule can be fitted to it.

Without an expected schedule this is how a mistake is recognised: once undone, a healthy schedule appears.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.hypotheses.evidence import LRFunction
from reference.check import Steps

from .fit import LoggedLRs

#: Paces and delays that are tried where the peak does not determine them.
PACES, DELAYS = 40, 6
#: Factors by which a base LR is usually wrong: integers (batch sizes, processes), tenths and quarters.
FACTORS = sorted(
    {f for k in (*range(2, 17), 32, 64, 100, 256) for f in (k, 1 / k)} | {0.3, 0.4, 0.6, 0.7, 0.75, 0.8, 1.25, 1.5}
)
#: Lengths of treads that are tried in a log with gaps.
TREADS = 64
#: Places of a jump that are tried.
JUMPS = 4


@dataclasses.dataclass(frozen=True)
class Undone:
    """A cause with its numbers, the LRs without it, and its effect on the healthy curve."""

    cause: str
    parameters: dict[str, Any]
    data: LoggedLRs
    redo: Callable[[LRFunction], LRFunction]
    price: float = 0.0


def undone(data: LoggedLRs) -> Iterator[Undone]:
    """Every mistake that can be undone without knowing the schedule and leaves one peak."""
    return (mistake for mistake in _tried(data) if one_peak(mistake.data))


def one_peak(data: LoggedLRs) -> bool:
    """Whether the LRs go up, then down, as every warmup and decay does."""
    top = int(np.argmax(data.y))
    step = np.diff(data.y)
    step[:top] = -step[:top]
    return bool((step <= data.tol[1:] + data.tol[:-1]).all())


def _tried(data: LoggedLRs) -> Iterator[Undone]:
    yield from _late(data)
    yield from _stairs(data)
    yield from _restarted(data)
    if data.w is not None and data.total is not None and data.base is not None:
        yield from _settings(data, data.w, data.total, data.base)


def placed(data: LoggedLRs, steps: Steps, keep: NDArray[np.bool_] | None = None) -> LoggedLRs | None:
    """The LRs at other steps; None where two LRs of one step differ, or too few remain."""
    chosen = np.ones(steps.shape, bool) if keep is None else keep
    t, y, tol = steps[chosen], data.y[chosen], data.tol[chosen]
    order = np.argsort(t, kind="stable")
    t, y, tol = t[order], y[order], tol[order]
    same = t[1:] == t[:-1]
    if (same & (np.abs(y[1:] - y[:-1]) > tol[1:] + tol[:-1])).any():
        return None
    first = np.concatenate([[True], ~same])
    if first.sum() < 3:
        return None
    return dataclasses.replace(data, t=t[first], y=y[first], tol=tol[first])


def _late(data: LoggedLRs) -> Iterator[Undone]:
    level = np.abs(data.y - data.y[0]) <= data.tol + data.tol[0]
    flat = int(data.t[np.argmin(level)]) if not level.all() else 0
    stride = int(data.t[1] - data.t[0])
    tried = range(1, DELAYS + 1) if stride > 1 else range(max(1, flat - 2), flat)
    for k in tried:
        rest = placed(data, data.t - k, data.t >= k)
        if rest is None or (data.t[0] == 0 and data.w == 0):
            continue
        zero = k == 1 and data.y[0] == 0
        yield Undone("zero-twice" if zero else "late", {"k": k}, rest, _delayed(k))


def _delayed(k: int) -> Callable[[LRFunction], LRFunction]:
    return lambda at: lambda t: at(np.maximum(t - k, 0))


def _stairs(data: LoggedLRs) -> Iterator[Undone]:
    changes = np.abs(np.diff(data.y)) > data.tol[1:] + data.tol[:-1]
    if changes.all() or changes.sum() < 3:
        return
    end = data.last if data.w is None else data.w
    for n in treads(data):
        index = data.t // n
        whole = placed(data, index * n)
        if whole is not None:
            yield Undone("staircase", {"n": n}, whole, _stair(n, n))
        if data.w is not None:
            slow = placed(data, index)
            if slow is not None:
                yield Undone("per-epoch", {"n": n}, slow, _stair(n, 1))
            part = placed(data, np.where(data.t < end, index * n, data.t))
            if part is not None and whole is None:
                yield Undone("staircase-warmup", {"n": n}, part, _stair_until(n, end))


def treads(data: LoggedLRs) -> list[int]:
    """Possible lengths of the stairs: the LRs of one stair are equal."""
    gaps = np.diff(data.t)
    moved = data.t[1:][np.abs(np.diff(data.y)) > data.tol[1:] + data.tol[:-1]]
    if moved.size < 2:
        return []
    apart = np.diff(moved)
    if (gaps == 1).mean() > 0.5:
        short = int(apart[apart > 1].min(initial=0)) if (apart > 1).any() else 0
        sizes = {int(np.median(apart)), short, int(apart[0]), int(moved[0])}
        return sorted(n for n in sizes if n > 1)
    mean = float(moved[-1] - moved[0]) / (moved.size - 1)
    stride = int(np.median(gaps))
    spare = 2.0 * stride / (moved.size - 1) + 2
    low = max(2, int(min(mean, float(np.median(apart))) - spare))
    return list(range(low, min(int(mean + spare) + 1, low + TREADS) + 1))


def _stair(n: int, pace: int) -> Callable[[LRFunction], LRFunction]:
    return lambda at: lambda t: at(t // n * pace)


def _stair_until(n: int, end: int) -> Callable[[LRFunction], LRFunction]:
    return lambda at: lambda t: at(np.where(t < end, t // n * n, t))


def kinks(data: LoggedLRs) -> list[int]:
    """The indices where the trace bends most sharply, where an event is possible."""
    if data.t.size < 8:
        return []
    slope = np.diff(data.y) / np.diff(data.t)
    bend = np.abs(np.diff(slope)) / (data.tol[1:-1] + 1e-3 * float(np.abs(data.y).max()))
    sharpest: list[int] = []
    for i in np.argsort(bend)[::-1][: 4 * JUMPS]:
        at = int(i) + 1
        # A jump bends the trace before and after it; the event is at the later one.
        for place in (at, at + 1):
            if place not in sharpest and 1 < place < data.t.size - 1:
                sharpest.append(place)
    return sharpest[: 3 * JUMPS]


def _restarted(data: LoggedLRs) -> Iterator[Undone]:
    falls = [i for i in kinks(data) if abs(data.y[i] - data.y[0]) < 0.7 * float(data.y.max()) and i > 2]
    for i in falls[: 2 * JUMPS]:
        stride = int(data.t[i] - data.t[i - 1])
        for r in range(int(data.t[i]), int(data.t[i]) - min(stride, 32), -1):
            if data.t[0] == 0 and stride == 1 and abs(data.y[i] - data.y[0]) > data.tol[i] + data.tol[0]:
                continue
            merged = placed(data, np.where(data.t < r, data.t, data.t - r))
            if merged is not None:
                yield Undone("restarted", {"r": r}, merged, _again(r))


def _again(r: int) -> Callable[[LRFunction], LRFunction]:
    return lambda at: lambda t: at(np.where(t < r, t, t - r))


def _settings(data: LoggedLRs, w: int, total: int, base: float) -> Iterator[Undone]:
    yield from _paces(data, w, total)
    same: Callable[[LRFunction], LRFunction] = lambda at: at  # noqa: E731
    if w > 0:
        longer = dataclasses.replace(data, total=total + w)
        yield Undone("horizon-long", {"d": total, "meant": total - w}, longer, same)
        if total > 2 * w:
            inside = data.t < total - w  # after its end a cosine may rise again
            shorter = dataclasses.replace(
                data, t=data.t[inside], y=data.y[inside], tol=data.tol[inside], total=total - w
            )
            yield Undone("horizon-short", {"d": total - 2 * w, "meant": total - w}, shorter, same)
        if abs(data.y[0] - base) <= 4 * data.tol[0] + 1e-4 * base:
            lost = {"value": float(data.y[0]), "first_lr": 0.0}
            for rest in (total, total - w):
                yield Undone("warmup-lost", lost, dataclasses.replace(data, w=0, total=rest), same)
            inside = data.t < w
            if (np.abs(data.y[inside] - base) <= 2 * data.tol[inside]).all():
                late = placed(data, data.t - w, ~inside)
                if late is not None:
                    at_zero = dataclasses.replace(late, w=0, total=total - w)
                    yield Undone("warmup-lost", lost, at_zero, _delayed(w))
    high = float(data.y.max()) / base
    for c in FACTORS:
        if high * 0.999 <= c <= high * 1.25 and c != 1:
            yield Undone("wrong-base", {}, dataclasses.replace(data, base=c * base), same)
    yield Undone("wrong-base", {}, dataclasses.replace(data, base=None), same)


def _paces(data: LoggedLRs, w: int, total: int) -> Iterator[Undone]:
    top = int(np.argmax(data.y))
    low = int(data.t[max(top - 1, 0)])
    high = int(data.t[min(top + 1, data.t.size - 1)])
    least, most = int(w / (high + 1)) - 1, int(w / (low - 1)) + 2 if low > 1 else PACES
    for n in range(max(2, least), min(most, PACES) + 1):
        faster = placed(data, data.t * n)
        if faster is None:
            continue
        ends = n * (data.last + 1) <= total + n
        yield Undone("log-rows" if ends else "per-process", {"n": n}, faster, _paced(n))


def _paced(n: int) -> Callable[[LRFunction], LRFunction]:
    return lambda at: lambda t: at(t * n)
