"""Traces that no single schedule explains, but whose parts have one each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from bench.diagnose.core.causes import CAUSES
from bench.diagnose.core.diagnosis import Diagnosis, Explanation
from bench.diagnose.core.fact import Fact
from bench.diagnose.core.trace import Trace
from bench.diagnose.core.words import number, percent

from .compare_told import FEWEST, Numbers, found_numbers
from .without_schedule import without_schedule

#: The decay starts from the LR that the warmup reaches, to this.
SAME_PEAK = 0.05
#: Causes of an LR that comes one update late.
ONE_LATE = ("late", "zero-first", "zero-twice")


def by_parts(
    trace: Trace, facts: Sequence[Fact], asked: Numbers, whole: Callable[[Trace], Diagnosis]
) -> Explanation | None:
    """The explanation by the first update and the rest, or by the rows before and after a jump; None without one.

    `asked`: the numbers that were asked for; `whole`: diagnoses a trace against what was asked for.
    """
    if not facts:
        return None
    if facts[0].id == "wrong-updates" and facts[0].numbers["steps"] == [int(trace.steps[0])]:
        return _first_update(trace, whole)
    if facts[0].id == "jump" and "step" in facts[0].numbers:
        return _two_schedules(trace, int(facts[0].numbers["step"]), asked)
    jumps = [int(fact.numbers["steps"][0]) for fact in facts if fact.id == "jump" and "steps" in fact.numbers]
    return _from_zero(trace, jumps[0], asked) if jumps else None


def _first_update(trace: Trace, whole: Callable[[Trace], Diagnosis]) -> Explanation | None:
    """A first update at the optimizer's own LR, before the scheduler or the loop has set one."""
    cause = CAUSES["first-update-unscheduled"]
    rest = whole(_rows(trace, 1, trace.lrs.size))
    late = rest.best is not None and rest.tied > 0 and rest.best.cause in ONE_LATE
    if not late and rest.verdict != "healthy":
        return None
    after = "every later one is one step late" if late else "the schedule only sets the later ones"
    fix = "set the LR before the first update: build the scheduler first, and call its step() after each update"
    return Explanation(
        cause.id,
        cause.title,
        f"The first update runs at LR {number(float(trace.lrs[0]))}, which the schedule has not set yet, and {after}.",
        fix,
        int(trace.steps[0]),
        None,
        0.0,
        None,
        {"k": 1, "value": float(trace.lrs[0])},
    )


def _from_zero(trace: Trace, step: int, asked: Numbers) -> Explanation | None:
    """A decay that has counted the steps of the warmup, so that the LR jumps down where the warmup ends."""
    i = int(np.searchsorted(trace.steps, step))
    was, now = (float(lr) for lr in trace.lrs[i - 1 : i + 1])
    if min(i, trace.lrs.size - i) < FEWEST or now >= was or (trace.lrs[:i] > was).any():
        return None
    warmup = _fitted(_rows(trace, 0, i), None, None)
    after = _fitted(_rows(trace, i, trace.lrs.size), asked.base, None if asked.base is None else 0)
    if warmup is None or warmup.decay is not None or after is None or after.warmup:
        return None
    if not after.decay or not after.base:
        return None
    if after.base < was * (1 - SAME_PEAK):
        return None
    cause = CAUSES["decay-counts-from-zero"]
    peak = float(trace.lrs.max())
    return Explanation(
        cause.id,
        cause.title,
        f"The decay counts from step 0, not from the end of the warmup: at step {step} the LR falls from {number(was)}"
        f" to {number(now)}, by {percent((was - now) / peak)} of the peak.",
        cause.fix,
        step,
        None,
        0.0,
        None,
        {"r": step, "value": now, "d": after.decay},
    )


def _two_schedules(trace: Trace, step: int, asked: Numbers) -> Explanation | None:
    """Another length of the decay from a jump on: a run that was resumed with other arguments."""
    i = int(np.searchsorted(trace.steps, step))
    if min(i, trace.lrs.size - i) < FEWEST:
        return None
    before = _fitted(_rows(trace, 0, i), asked.base, asked.warmup)
    if before is None:
        return None
    after = _fitted(_rows(trace, i, trace.lrs.size), before.base, before.warmup)
    if after is None or not before.total or not after.total or abs(before.total - after.total) < 2:
        return None
    cause = CAUSES["resumed-other-length"]
    was, now = number(float(trace.lrs[i - 1])), number(float(trace.lrs[i]))
    said = [part for part in (before, after) if part.total == asked.total]
    which = "" if not said else f" You asked for {asked.total}."
    return Explanation(
        cause.id,
        cause.title,
        f"From step {step} on the schedule is one of {after.total} steps, before it was one of {before.total}:"
        f" the LR jumps there from {was} to {now}.{which}",
        "resume with the total of the first run, or keep the new total from the start",
        step,
        None,
        0.0,
        None,
        {"r": step, "meant": before.total, "d": after.total},
    )


def _rows(trace: Trace, start: int, end: int) -> Trace:
    steps, lrs = trace.steps[start:end], trace.lrs[start:end]
    return dataclasses.replace(trace, steps=steps, lrs=lrs, counts=None)


def _fitted(trace: Trace, base: float | None, warmup: int | None) -> Numbers | None:
    own = without_schedule(trace, base, warmup)
    return found_numbers(own.best) if own.best is not None and own.verdict == "healthy" else None
