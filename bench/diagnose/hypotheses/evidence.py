"""Logged beside expected LRs, and what follows from the two: first difference, clock, factors."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.trace import Trace
from reference import Schedule
from reference.check import Rates, Steps

from .anatomy import Anatomy

#: Steps at which hypotheses are screened; the best are then compared at every step.
SCREENED = 320
#: Steps between two logged ones that are tried as the place of an event, at most.
PLACES = 64
#: LRs above this share of the highest are near it.
NEAR_PEAK = 0.9
#: Points of the grid on which the expected schedule is inverted.
GRID = 4096

LRFunction = Callable[[Steps], Rates]


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """A cause with its numbers, and the LRs that it would give.

    `at`: the LR at any steps; `extra`: its cost beyond that of its cause; `says`: its sentence, where that of the
    cause needs numbers that it lacks; `also`: a sentence about a second mistake on top of it; `schedule` at `base`: a
    reference schedule of the same curve, if there is one.
    """

    cause: str
    at: LRFunction
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    schedule: Schedule | None = None
    base: float | None = None
    extra: float = 0.0
    says: str = ""
    also: str = ""


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Screened steps `t` with LRs `y` to within `tol`, beside the expected schedule; `whole`: the complete trace."""

    t: Steps
    y: Rates
    tol: NDArray[np.float64]
    whole: Trace
    anatomy: Anatomy

    @property
    def stride(self) -> int:
        """The most common distance of logged steps."""
        return self.whole.stride

    @functools.cached_property
    def fineness(self) -> float:
        """The median relative tolerance."""
        return float(np.median(self.tol / np.maximum(np.abs(self.y), self.tol)))

    @functools.cached_property
    def expected(self) -> Rates:
        """The expected LRs."""
        return self.anatomy.at(self.t)

    @functools.cached_property
    def wrong(self) -> NDArray[np.bool_]:
        """Where the trace is not as expected."""
        return np.asarray(np.abs(self.y - self.expected) > self.tol)

    @functools.cached_property
    def first(self) -> int | None:
        """The index of the first wrong LR, None where all are right."""
        return int(np.argmax(self.wrong)) if self.wrong.any() else None

    def gap(self, i: int) -> range:
        """The steps at which the event seen at index i can have happened: after the previous logged step."""
        low = int(self.t[i - 1]) + 1 if i > 0 else 0
        high = int(self.t[i]) + 1
        return range(max(low, high - PLACES), high)

    def misfit(self, values: Rates) -> float:
        """The largest residual in units of the tolerance."""
        return misfit(self.y, values, self.tol)

    @functools.cached_property
    def peak(self) -> int:
        """The first index of the highest logged LR."""
        return int(np.argmax(self.y))

    @functools.cached_property
    def first_top(self) -> int:
        """The first index near the peak from which the LR falls: a wave that comes back can reach higher rows."""
        falls = np.append(np.diff(self.y) < -self.tol[1:] - self.tol[:-1], True)
        return int(np.argmax(falls & (self.y >= self.y.max() * NEAR_PEAK)))

    @functools.cached_property
    def first_fall(self) -> NDArray[np.bool_]:
        """The rows from the first peak on up to the first rise after it."""
        rises = np.diff(self.y) > self.tol[1:] + self.tol[:-1]
        top = self.first_top
        again = np.flatnonzero(rises[top:])
        index = np.arange(self.y.size)
        return np.asarray((index >= top) & (index <= (top + int(again[0]) if again.size else self.y.size)))

    def falling(self, after: int, above: float = 0.05) -> tuple[Steps, Rates, NDArray[np.float64]]:
        """Steps, LRs and tolerances of the first fall behind a step, above a share of the peak: below it may end."""
        later = self.t > after
        rises = np.concatenate([[False], np.diff(self.y) > self.tol[1:] + self.tol[:-1]]) & later
        rises[int(np.argmax(later))] = False
        end = int(np.argmax(rises)) if rises.any() else self.t.size
        inside = later & (np.arange(self.t.size) < end) & (self.y > above * self.y.max())
        return self.t[inside], self.y[inside], self.tol[inside]

    @functools.cached_property
    def clock(self) -> tuple[Rates, NDArray[np.bool_], NDArray[np.bool_]]:
        """The step at which the schedule has each logged LR; where it is known on the rise, and on the fall.

        It is known where one step moves the schedule by more than the tolerance.
        """
        end = int(self.t[-1])
        reach = self.anatomy.total or 40 * end
        grid = np.unique(np.concatenate([np.arange(512), np.linspace(0, reach, GRID)]).astype(np.int64))
        rates = self.anatomy.at(grid)
        slope = np.abs(self.anatomy.at(grid + 1) - rates)
        top = int(np.argmax(rates))
        last_top = int(np.flatnonzero(rates >= rates[top] * (1 - 1e-12))[-1])
        phi = np.full(self.y.shape, np.nan)
        known = []
        rising = np.arange(self.y.size) <= self.first_top
        for part, mine in ((slice(0, top + 1), rising), (slice(last_top, None), ~rising)):
            part_rates, part_steps, part_slope = rates[part], grid[part], slope[part]
            good = np.zeros(self.y.shape, bool)
            if part_rates.size >= 2:
                order = np.argsort(part_rates, kind="stable")
                places = np.interp(self.y, part_rates[order], part_steps[order].astype(np.float64))
                moves = np.interp(self.y, part_rates[order], part_slope[order])
                good = mine & (self.y > part_rates.min()) & (self.y < part_rates.max()) & (moves > 0)
                good &= self.tol < 40 * moves
                phi[good] = places[good]
            known.append(good)
        return phi, known[0], known[1]

    def clock_median(self, values: Rates, where: NDArray[np.bool_]) -> float | None:
        """The median over known places of the clock; None where there is none."""
        known = values[where & np.isfinite(values)]
        return float(np.median(known)) if known.size else None


def misfit(y: Rates, values: Rates, tol: NDArray[np.float64]) -> float:
    """The largest |y − values| in units of the tolerance; infinite where a value is not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        worst = float(np.max(np.abs(y - values) / tol))
    return worst if np.isfinite(worst) else float("inf")


def common(low: Rates, high: Rates) -> float | None:
    """The middle of the intersection of all intervals; of the closest miss where it is empty."""
    if not low.size:
        return None
    a, b = float(np.max(low)), float(np.min(high))
    return (a + b) / 2 if np.isfinite(a + b) else None


def factor(y: Rates, expected: Rates, tol: NDArray[np.float64]) -> float | None:
    """The c with y = c·expected within the tolerance, where the expected LR is > 0."""
    use = expected > 1e-9 * max(float(np.max(np.abs(expected), initial=0.0)), 1e-300)
    return common((y[use] - tol[use]) / expected[use], (y[use] + tol[use]) / expected[use])


def mixture(y: Rates, a: Rates, b: Rates, tol: NDArray[np.float64]) -> float | None:
    """The share c with y = a + c·(b − a) within the tolerance."""
    d = b - a
    use = np.abs(d) > 1e-9 * max(float(np.max(np.abs(d), initial=0.0)), 1e-300)
    ends = np.stack([(y[use] - a[use] - tol[use]) / d[use], (y[use] - a[use] + tol[use]) / d[use]])
    return common(ends.min(axis=0), ends.max(axis=0)) if use.any() else None


def gather_evidence(trace: Trace, expected: Anatomy) -> Evidence:
    """The screened steps of a trace beside the expected schedule."""
    at = screen(trace)
    if at.size < trace.steps.size:  # the first difference tells when it happened
        wrong = np.abs(trace.lrs - expected.at(trace.steps)) > trace.tolerance
        first = int(np.argmax(wrong))
        near = np.arange(max(first - 3, 0), min(first + 4, trace.steps.size))
        at = np.union1d(at, near)
    return Evidence(trace.steps[at], trace.lrs[at], trace.tolerance[at], trace, expected)


def screen(trace: Trace) -> Steps:
    """The most informative indices of a long trace: its ends, its corners, and an even spread."""
    n = trace.steps.size
    if n <= 2 * SCREENED:
        return np.arange(n)
    bend = np.abs(np.diff(np.diff(trace.lrs) / np.diff(trace.steps)))
    jump = np.abs(np.diff(trace.lrs))
    corners = np.argpartition(bend, -16)[-16:] + 1
    jumps = np.argpartition(jump, -16)[-16:]
    near = (np.concatenate([corners, jumps, [int(np.argmax(trace.lrs))]])[:, None] + np.arange(-1, 3)).ravel()
    spread = np.linspace(0, n - 1, SCREENED // 2).astype(np.int64)
    early = np.geomspace(1, n - 1, SCREENED // 4).astype(np.int64)
    chosen = np.concatenate([np.arange(24), np.arange(n - 8, n), near, spread, early])
    return np.unique(chosen[(chosen >= 0) & (chosen < n)]).astype(np.int64)
