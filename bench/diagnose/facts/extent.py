"""Facts about single values: not finite, negative, zero, constant, the peak, the ends, the floor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.diagnose.core.fact import Fact
from bench.diagnose.core.trace import Trace
from bench.diagnose.core.words import number, percent
from reference.check import Rates, Steps
from suite.shared.words import counted

from .phases import Floats, Phase

#: An LR below this share of the peak is 0: cosines end at a rounding error.
NOTHING = 1e-8
#: A share of the run at 0 from which on it is a finding.
IDLE = 0.05
#: The peak may be this far below the base LR where rows are missing around it, and this far above it.
BELOW, ABOVE = 0.03, 0.005


def not_finite(trace: Trace) -> list[Fact]:
    """NaN or infinite LRs."""
    bad = np.flatnonzero(~np.isfinite(trace.lrs))
    if not bad.size:
        return []
    name = "NaN" if np.isnan(trace.lrs[bad]).all() else "infinite" if np.isinf(trace.lrs[bad]).all() else "not finite"
    first, count, rows = int(trace.steps[bad[0]]), int(bad.size), int(trace.lrs.size)
    numbers = {"first": first, "rows": count, "of": rows}
    if count == rows:
        return [Fact("not-finite", f"LR is {name} at every logged step.", numbers, True)]
    where = f"from step {first} on" if bad[0] == rows - count else f"at {counted(count, 'row')}, first at step {first}"
    return [Fact("not-finite", f"LR is {name} {where}.", numbers, True)]


def sign(t: Steps, y: Rates, tol: Floats) -> list[Fact]:
    """Negative LRs."""
    largest = float(np.abs(y).max())
    below = np.flatnonzero(y < -np.maximum(2 * tol, NOTHING * largest))
    if not below.size:
        return []
    first, count = int(t[below[0]]), int(below.size)
    numbers = {"first": first, "rows": count, "lowest": float(y.min())}
    low = f"down to {number(float(y.min()))}"
    if count == y.size:
        text = f"LR is negative at every logged step, {low}: each update climbs the loss."
    elif below[0] == y.size - count:
        text = f"LR is negative from step {first} on, {low}: those updates climb the loss."
    else:
        text = f"LR is negative at {counted(count, 'row')}, first at step {first}, {low}."
    return [Fact("negative", text, numbers, True)]


def zeros(t: Steps, y: Rates, tol: Floats) -> list[Fact]:
    """Runs at LR 0 at the start and at the end."""
    top = float(np.abs(y).max())
    zero = np.abs(y) <= NOTHING * top
    if zero.all():
        return [Fact("zero", "LR is 0 at every logged step: nothing is trained.", {"share": 1.0}, True)]
    span = float(t[-1] - t[0]) or 1.0
    facts = []
    moving = np.flatnonzero(~zero)
    lead, trail = int(moving[0]), int(y.size - 1 - moving[-1])
    if lead > 1:
        share = float(t[lead] - t[0]) / span
        text = f"LR is 0 before step {int(t[lead])}: {percent(share)} of the run trains nothing."
        numbers = {"until": int(t[lead]), "share": share, "where": "start"}
        facts.append(Fact("zero", text, numbers, share >= IDLE and lead >= 3))
    if trail > 1:
        start = int(t[moving[-1] + 1])
        share = float(t[-1] - start) / span
        text = f"LR is 0 from step {start} to step {int(t[-1])}: {percent(share)} of the run trains nothing."
        numbers = {"from": start, "share": share, "where": "end"}
        facts.append(Fact("zero", text, numbers, share >= IDLE and trail >= 3))
    return facts


def ends(t: Steps, y: Rates) -> list[Fact]:
    """The first, highest and last LR."""
    top = float(y.max())
    first, last = float(y[0]), float(y[-1])
    text = f"First LR {number(first)}, highest {number(top)} at step {int(t[np.argmax(y)])}, last {number(last)}"
    text += f" ({percent(last / top)} of the highest)." if 0 < last < top else "."
    numbers = {"first": first, "highest": top, "at": int(t[np.argmax(y)]), "last": last}
    return [Fact("ends", text, numbers)]


def never_moves(t: Steps, y: Rates, tol: Floats, base: float | None, warmup: int | None) -> list[Fact]:
    """An LR that never leaves its first value; a finding where something else was asked for."""
    if float(np.ptp(y)) > 2 * float(tol.max()):
        return []
    value = float(y[0])
    text, sick = f"LR never leaves its first value, {number(value)}, in {counted(y.size, 'row')}", False
    if base is not None and abs(value - base) > 1e-3 * base:
        text, sick = f"{text}: {percent(value / base)} of the base LR {number(base)}", True
    elif warmup:
        text, sick = f"{text}: there is no warmup of {counted(warmup, 'step')}", True
    return [Fact("constant", f"{text}.", {"value": value, "rows": int(y.size)}, sick)]


def peak(t: Steps, y: Rates, tol: Floats, base: float | None, total: int | None) -> list[Fact]:
    """The highest LR against the base LR."""
    if base is None:
        return []
    i = int(np.argmax(y))
    share = float(y[i]) / base
    numbers = {"peak": float(y[i]), "base_lr": base, "share": share, "at": int(t[i])}
    if abs(share - 1) <= ABOVE + float(tol[i]) / base:
        return [Fact("peak", f"The highest LR is the base LR, {number(base)}, at step {int(t[i])}.", numbers)]
    ended = i < y.size - 1 or (total is not None and int(t[-1]) >= total - 1)
    if not ended:
        return []
    text = (
        f"The highest LR is {number(float(y[i]))} at step {int(t[i])}: {percent(share)} of the base LR {number(base)}."
    )
    around = y[max(i - 1, 0) : i + 2]
    missed = 2 * float(np.ptp(around)) / base
    return [Fact("peak", text, numbers, share > 1 + ABOVE or share < 1 - max(BELOW, missed))]


def floor(found: Sequence[Phase], top: float, last: int) -> list[Fact]:
    """How long the LR stays at a floor above 0 at the end."""
    end = found[-1]
    if len(found) < 2 or end.way != "holds" or not NOTHING * top < end.last < 0.99 * top:
        return []
    share = (last - end.start) / max(last - found[0].start, 1)
    text = (
        f"Stays at {number(end.last)}, {percent(end.last / top)} of the peak, from step {end.start} on:"
        f" {percent(share)} of the run."
    )
    return [Fact("floor", text, {"value": end.last, "from": end.start, "share": share})]


def still_rising(found: Sequence[Phase], total: int | None) -> list[Fact]:
    """A trace that rises up to its last row."""
    if any(phase.way != "rises" for phase in found):
        return []
    end = found[-1].end
    over = total is not None and end >= total - 1
    text = f"Still rises at the last row, step {end}: no end of the warmup is in the log."
    return [Fact("rising", text, {"last": end}, over)]
