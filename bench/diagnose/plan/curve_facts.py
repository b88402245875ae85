"""What is wrong with a plan, read from its learning rates alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .fact import VISIBLE_SHARE, PlanFact, PlannedCurve
from .words import lr, steps

#: LRs that differ by less, as a share of the peak, are the same: rounding of cosines.
SAME_SHARE = 1e-9
#: An LR below this share of the peak trains nothing; more than so much of the run is worth a fact.
NOTHING, NOTHING_OF_RUN = 1e-6, 0.1
#: The share of the way to the first millionth that the way to 0 takes in a curve that fades.
FADES = 0.1
#: A jump is larger than this share of the peak, and than this multiple of the changes beside it, in its direction.
JUMP_SHARE, JUMP_TIMES = 0.05, 4.0
#: Rounding of an LR: relative to itself, and, next to 0, to the peak.
ROUNDING = 1e-12
#: After a first update at the full LR, the warmup starts below this share of it.
START_SHARE = 0.5


def curve_facts(curve: PlannedCurve) -> Iterator[PlanFact]:
    """Every fact that the LRs of a run show, in the order of the run."""
    y = curve.lrs
    bad = np.flatnonzero(~np.isfinite(y))
    if bad.size:
        at = int(bad[0])
        text = f"The LR is not a finite number ({y[at]}) at step {at}."
        yield PlanFact("not-finite", text, True, "correct the formula at that step", at)
        return
    peak = float(np.abs(y).max(initial=0.0))
    if np.ptp(y) <= SAME_SHARE * peak:
        if peak == 0:
            yield PlanFact("zero", "The LR is 0 in every update.", True, "give a base LR above 0")
        else:
            yield PlanFact("constant", f"The LR never changes: it is {lr(y[0])} in all {y.size} updates.")
        return
    yield from _negative(y, peak)
    yield from _start(curve, peak)
    unfinished = list(_unfinished_warmup(curve))
    yield from unfinished
    if not unfinished:
        yield from _end(curve, peak)
        rises = list(_rise(curve, peak))
        yield from rises
        if not rises:
            yield from _jump(curve, peak)


def _negative(y: np.ndarray, peak: float) -> Iterator[PlanFact]:
    below = np.flatnonzero(y < -SAME_SHARE * peak)
    if below.size:
        at = int(below[0])
        text = f"The LR is negative from step {at} on, {steps(below.size)} in all: these updates climb the loss."
        yield PlanFact("negative", text, True, "stop the decay at 0, for instance with max(0.0, …)", at)


def _full_first(curve: PlannedCurve, peak: float) -> bool:
    y = curve.lrs
    return (
        not curve.resumed
        and y.size > 3
        and y[0] >= (1 - VISIBLE_SHARE) * peak
        and y[1] < START_SHARE * y[0]
        and y[2] >= y[1]
        and y[2:].max() > y[0] * (1 - 0.1)
    )


def _start(curve: PlannedCurve, peak: float) -> Iterator[PlanFact]:
    y = curve.lrs
    if curve.resumed:
        return
    zeros = int(np.argmax(np.abs(y) > SAME_SHARE * peak))
    if zeros == 1:
        yield PlanFact("first-zero", "The first update runs at LR 0, so it does not move the weights.", step=0)
    elif zeros:
        text = f"The first {zeros} updates run at LR 0, so they do not move the weights."
        yield PlanFact("zero", text, True, "start the warmup at the first update", 0)
    if _full_first(curve, peak):
        text = f"The first update runs at the full LR {lr(y[0])}; the warmup starts one step later, at {lr(y[1])}."
        yield PlanFact(
            "first-full", text, True, "build the scheduler before the first update, and do not skip step 0", 0
        )


def _unfinished_warmup(curve: PlannedCurve) -> Iterator[PlanFact]:
    y, z = curve.lrs, curve.longer
    last, top = y.size - 1, int(np.argmax(z))
    if int(np.argmax(y)) == last and last < top < z.size - 1 and z[top] > y[last] * (1 + VISIBLE_SHARE):
        text = (
            f"The warmup is longer than the run: at the last update, step {last}, the LR is {lr(y[last])},"
            f" {100 * y[last] / z[top]:.3g} % of the {lr(z[top])} that it would reach at step {top}."
        )
        yield PlanFact(
            "warmup-too-long", text, True, f"make the warmup shorter than the {y.size} updates of the run", last
        )


def _end(curve: PlannedCurve, peak: float) -> Iterator[PlanFact]:
    """The decay: longer than the run, or over before it."""
    y, z, n = curve.lrs, curve.longer, curve.lrs.size
    top = int(np.argmax(y))
    low = float(z[top:].min())
    end = top + int(np.argmax(z[top:] <= low + ROUNDING * abs(low)))
    left = y[-1] - max(low, 0.0)
    rests = z.size - end > _longest_stair(z[top : end + 1])  # a step decay without an end only seems to rest
    if not curve.repeats and rests and n + 1 < end < z.size - 1 and left > VISIBLE_SHARE * peak:
        text = (
            f"The decay is longer than the run: it ends at step {end}, but the run has {n} updates. The last one runs"
            f" at {lr(y[-1])}, {100 * y[-1] / peak:.3g} % of the peak, instead of {lr(low)}."
        )
        yield PlanFact("decay-too-long", text, True, f"let the decay end at the last of the {n} updates", n - 1)
        return
    idle = np.flatnonzero(np.abs(y[top:]) <= ROUNDING * peak) + top
    faint = np.flatnonzero(np.abs(y[top:]) <= NOTHING * peak) + top
    # A curve that ends at 0 passes the last millionth at once; one that fades takes as long for each next millionth.
    fades = idle.size == 0 or idle[0] - faint[0] > FADES * (faint[0] - top)
    if faint.size > NOTHING_OF_RUN * n and fades:
        share = 100 * faint.size / n
        text = f"The LR is below a millionth of its peak for {share:.3g} % of the run, from step {faint[0]} on."
        yield PlanFact("vanishing", text, True, "make the decay slower, or step it once per epoch", int(faint[0]))
        return
    if idle.size > max(1.0, VISIBLE_SHARE * n):
        text = f"The LR is 0 for {100 * idle.size / n:.3g} % of the run, from step {idle[0]} on."
        yield PlanFact("zero", text, True, f"make the decay as long as the run, {n} updates", int(idle[0]))
        return
    floor = float(y[top:].min())
    reached = top + int(np.argmax(y[top:] <= floor + SAME_SHARE * peak))
    flat = bool((y[reached:] <= floor + SAME_SHARE * peak).all())
    slid = reached > top and y[reached - 1] - y[reached] < JUMP_SHARE * peak
    if flat and slid and not curve.steps_down and n - reached > max(2.0, VISIBLE_SHARE * n):
        share = 100 * (n - reached) / n
        text = f"The LR stays at its floor {lr(floor)} from step {reached} on, {share:.3g} % of the run."
        yield PlanFact("floor-early", text, step=reached)


def _longest_stair(y: np.ndarray) -> int:
    """The longest stretch of equal values below the first one."""
    edges = np.flatnonzero(np.diff(y[y < y[0]]) != 0)
    return int(np.diff(edges, prepend=-1).max(initial=0))


def _rise(curve: PlannedCurve, peak: float) -> Iterator[PlanFact]:
    """A rise after the decay that no cycle asks for."""
    if curve.repeats or _full_first(curve, peak):
        return
    y = curve.lrs
    top = int(np.argmax(y))
    climbed = y[top:] - np.minimum.accumulate(y[top:])
    high = top + int(np.argmax(climbed))
    if climbed.max() <= 2 * VISIBLE_SHARE * peak:
        return
    low = top + int(np.argmin(y[top : high + 1]))
    ups = np.diff(y[low : high + 1])
    at = low + 1 + int(np.argmax(ups))
    if ups.max() >= 0.5 * climbed.max():
        asked = at not in curve.milestones
        text = f"The LR restarts at step {at}: it goes from {lr(y[at - 1])} up to {lr(y[at])}."
        fix = "" if asked else "start the later phase from the LR that the phase before it reaches"
        yield PlanFact("restart", text, not asked, fix, at)
        return
    waves = int((np.diff(np.sign(np.diff(y[top:]))) > 0).sum())
    text = f"The LR rises again: from {lr(y[low])} at step {low} to {lr(y[high])} at step {high}."
    if waves > 1 and not curve.cosine:
        yield PlanFact("waves", text, step=low)
    else:
        fix = f"make the decay as long as the run, {y.size} updates, or stop stepping the scheduler at step {low}"
        yield PlanFact("rises-again", text, True, fix, low)


def _jump(curve: PlannedCurve, peak: float) -> Iterator[PlanFact]:
    """A single large change in an otherwise smooth curve."""
    if curve.steps_down or curve.repeats or curve.lrs.size < 4:
        return
    change = np.diff(curve.lrs)
    size, before, after = np.abs(change), change[:-2], change[2:]
    # A change the other way is no measure: the last step of a warmup says nothing about the decay.
    along = np.sign(change[1:-1])
    beside = np.maximum(np.maximum(before * along, after * along), 0.0)
    smooth = (before != 0) & (after != 0)
    jumps = np.flatnonzero(smooth & (size[1:-1] > JUMP_SHARE * peak) & (size[1:-1] > JUMP_TIMES * beside)) + 2
    jumps = jumps[~np.isin(jumps, curve.milestones)]
    if not jumps.size:
        return
    at, y = int(jumps[0]), curve.lrs
    falls = y[at] < y[at - 1]
    text = (
        f"The LR {'drops' if falls else 'jumps'} from {lr(y[at - 1])} to {lr(y[at])} at step {at},"
        f" {100 * size[at - 1] / peak:.3g} % of the peak in one step."
    )
    fix = "let the next phase start from the LR before it"
    if falls and at - 1 == int(np.argmax(y)):
        text += " The warmup ends there: a decay that also counts the warmup steps starts too low."
        fix = "count the decay from the end of the warmup: (step − warmup)/(total − warmup)"
    yield PlanFact("jump", text, True, fix, at)
