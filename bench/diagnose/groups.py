"""Parameter groups with one base LR each: one schedule, times a factor for each group."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from bench.diagnose.core.fact import Fact
from bench.diagnose.core.trace import Trace
from bench.diagnose.core.words import number
from bench.diagnose.hypotheses.evidence import factor

#: Factors are equally spaced on a logarithmic scale to this, for a decay from layer to layer.
EVEN = 0.01
#: Groups that are listed with their factor; of more only the range is said.
LISTED = 3


@dataclasses.dataclass(frozen=True, eq=False)
class GroupFamily:
    """A trace, and the other groups of the log that are its LRs times a constant: name → factor."""

    trace: Trace
    factors: dict[str, float]

    def fact(self) -> Fact | None:
        """The factors in words; None where no other group follows."""
        if not self.factors:
            return None
        numbers = {"factors": self.factors}
        if len(self.factors) <= LISTED:
            each = ", ".join(f"{name} times {number(c)}" for name, c in self.factors.items())
            return Fact("groups", f"Follow the same schedule: {each}.", numbers)
        values = sorted([1.0, *self.factors.values()])
        steps = np.diff(np.log(np.unique(values)))
        layers = steps.size > 1 and float(np.ptp(steps)) < EVEN * float(steps.max())
        why = f", as for a decay of {number(math.exp(-float(steps[0])))} from layer to layer" if layers else ""
        text = f"{len(values)} groups follow this schedule, times {number(values[0])} to {number(values[-1])}{why}."
        return Fact("groups", text, numbers)


def families(traces: Sequence[Trace], base_lr: float | None) -> list[GroupFamily]:
    """The traces, each with those that are a constant times it.

    One trace of each family is kept: the one whose peak is nearest to `base_lr`, or else the one of the highest peak.

    >>> steps, lrs = np.arange(9), np.arange(9.0)
    >>> found = families([Trace(steps, lrs, name="a"), Trace(steps, lrs / 4, name="b")], None)
    >>> [(family.trace.name, family.factors) for family in found]
    [('a', {'b': 0.25})]
    """
    order = sorted(traces, key=lambda trace: _apart(trace, math.inf if base_lr is None else base_lr))
    result: list[GroupFamily] = []
    for trace in order:
        for family in result:
            c = _factor(family.trace, trace)
            if c is not None:
                family.factors[trace.name] = c
                break
        else:
            result.append(GroupFamily(trace, {}))
    place = {id(trace): i for i, trace in enumerate(traces)}
    return sorted(result, key=lambda family: place[id(family.trace)])


def _apart(trace: Trace, base_lr: float) -> float:
    """How far the peak of a trace is from a base LR, by their ratio; lower for a higher peak without a base LR."""
    peak = float(trace.lrs.max())
    if not (peak > 0 and math.isfinite(peak)):
        return math.inf
    return -math.log(peak) if math.isinf(base_lr) else abs(math.log(peak / base_lr))


def _factor(first: Trace, other: Trace) -> float | None:
    """The constant factor between two traces of the same steps; None without one, or if they were treated apart."""
    if not np.array_equal(first.steps, other.steps) or not (first.finite.all() and other.finite.all()):
        return None
    if (first.counts is None) != (other.counts is None):
        return None
    if first.counts is not None and other.counts is not None and not first.counts.alike(other.counts):
        return None
    c = factor(other.lrs, first.lrs, other.tolerance)
    if c is None or c <= 0:
        return None
    off = np.abs(other.lrs - c * first.lrs)
    return c if bool((off <= 2 * (other.tolerance + c * first.tolerance)).all()) else None
