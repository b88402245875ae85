"""A trace that nothing told explains: its own schedule is fitted, and its numbers are compared with those told."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from bench.diagnose.core.causes import CAUSES
from bench.diagnose.core.diagnosis import Diagnosis, Explanation
from bench.diagnose.core.fact import Fact
from bench.diagnose.core.trace import Trace
from bench.diagnose.core.words import capitalized, joined_with_and, number, percent
from bench.diagnose.facts.gather import Told
from bench.diagnose.hypotheses.anatomy import anatomy, as_pair, decay_length
from reference import Schedule
from suite.shared.words import counted

from .without_schedule import without_schedule

#: Lengths that differ by one step are the same in two conventions; base LRs that differ by less are the same rounded.
SAME_STEPS, SAME_BASE = 1, 1e-3
#: Updates or processes that a factor between two clocks counts, at most.
MOST_TIMES = 64
#: Multiples of the total that are tried where the trace alone does not show it.
MULTIPLES = (2, 4, 8, 3, 16, 6, 5, 32)
#: A run that has lost more of its peak than this shows the length of its decay.
HIGH = 0.5
#: Rows that show a schedule.
FEWEST = 6
#: A factor between two clocks is an integer to this.
WHOLE = 0.02


@dataclasses.dataclass(frozen=True)
class Numbers:
    """The numbers of a schedule: warmup and decay in steps, and the base LR; None where unknown or without end.

    `through`: whether the decay also counts the steps of the warmup.
    """

    warmup: int | None
    decay: int | None
    base: float | None
    through: bool = False

    @property
    def total(self) -> int | None:
        """The steps to the end of the decay."""
        if self.decay is None:
            return None
        return self.decay + (0 if self.through else self.warmup or 0)


def told_numbers(told: Told, expect: Schedule | None, base_lr: float) -> Numbers:
    """What was asked for, by settings or by a schedule."""
    if expect is None:
        w, total = told.warmup_steps, told.total_steps
        return Numbers(w, None if total is None else max(total - (w or 0), 0), told.base_lr)
    expected = anatomy(expect, base_lr, told.total_steps)
    if expected.pair is None:
        return Numbers(None, None, None)
    through = expected.pair.convention.clock != "prefix"
    return Numbers(expected.warmup_steps, expected.decay_steps, expected.pair_base, through)


def found_numbers(explanation: Explanation) -> Numbers | None:
    """The numbers of the schedule in an explanation; None where it has none with a warmup and a decay."""
    if explanation.schedule is None:
        return None
    pair, base = as_pair(explanation.schedule, float(explanation.parameters.get("base_lr", 1.0)))
    if pair is None:
        return None
    through = pair.convention.clock != "prefix"
    return Numbers(pair.warmup.warmup_steps, decay_length(pair.decay), base, through)


def longer_warmup(trace: Trace, told: Told) -> Diagnosis | None:
    """The diagnosis of settings whose warmup is longer than the run; None for others."""
    warmup, total = told.warmup_steps, told.total_steps
    if warmup is None or total is None or warmup <= total:
        return None
    cause = CAUSES["warmup-longer-than-run"]
    own = without_schedule(trace, told.base_lr, warmup)
    base = told.base_lr
    if base is None and own.best is not None and own.verdict == "healthy":
        base = float(own.best.parameters["base_lr"])
    top = float(trace.lrs.max())
    reached = "" if base is None else f" The highest LR is {number(top)}, {percent(top / base)} of {number(base)}."
    finding = Explanation(
        cause.id,
        cause.title,
        f"The warmup of {warmup} steps is longer than the run of {total}: the base LR is never reached.{reached}",
        f"set the warmup to a part of the run, such as {max(total // 20, 1)} steps, or train for longer",
        int(trace.steps[0]),
        None,
        0.0,
        None,
        {"w": warmup, "meant": total},
    )
    return Diagnosis(trace, None, "fault", (finding,), 1)


def compare_told(trace: Trace, asked: Numbers) -> Explanation | Fact | None:
    """What differs between the trace's own schedule and what was asked for; None where it has none with a name.

    One number that differs, or all by one factor, is a cause; several are a fact. Where none differs, the schedule
    itself is returned: it follows what was told in a form that was not looked for.
    """
    if asked == Numbers(None, None, None):
        return None
    own = without_schedule(trace)
    head = None if own.tied else _without_tail(trace)
    own = own if head is None else without_schedule(head)
    high = float(trace.lrs[-1]) > HIGH * float(trace.lrs.max())
    asks = asked.base is None and asked.warmup is not None  # with a base LR the forms have been tried
    if not own.tied and high and asks and asked.total:
        own = _longer(trace, asked) or own
    found = found_numbers(own.best) if own.best is not None and own.tied else None
    if own.best is None or found is None:
        return None
    differs = _clock(found, asked) or _unit(found, asked) or _each(found, asked, max(SAME_STEPS, trace.stride))
    if differs is None:
        ends = found.total is not None and asked.total is not None and abs(found.total - asked.total) <= SAME_STEPS
        return own.best if own.verdict == "healthy" and ends else None
    cause, says, fix, parameters = differs
    if not cause:
        return Fact("unlike-told", f"{capitalized(says)}{_after(trace, own.best, found)}.", dict(parameters), True)
    return dataclasses.replace(
        own.best,
        cause=cause,
        title=CAUSES[cause].title,
        sentence=f"{capitalized(says)}{_after(trace, own.best, found)}.",
        fix=fix or CAUSES[cause].fix,
        parameters=own.best.parameters | parameters,
    )


def in_units(trace: Trace, best: Explanation, asked: Numbers) -> Explanation:
    """A decay that is too long, with the unit of its length in words, if it is a multiple of what was told."""
    found = found_numbers(best) if best.cause == "horizon-long" else None
    differs = None if found is None else _unit(found, asked)
    if found is None or differs is None:
        return best
    return dataclasses.replace(best, sentence=f"{capitalized(differs[1])}{_after(trace, best, found)}.", fix=differs[2])


def _without_tail(trace: Trace) -> Trace | None:
    """The trace up to the first row of a constant end; None without one."""
    moving = np.flatnonzero(np.abs(trace.lrs - trace.lrs[-1]) > 2 * trace.tolerance)
    end = int(moving[-1]) + 2 if moving.size else trace.lrs.size
    if end < FEWEST or end + 2 > trace.lrs.size:
        return None
    return dataclasses.replace(trace, steps=trace.steps[:end], lrs=trace.lrs[:end], counts=None)


def _longer(trace: Trace, asked: Numbers) -> Diagnosis | None:
    """The healthy schedule of a multiple of the total: a log of its first tenth alone does not show its length.

    The warmup is the one that was told, or as many times as long, if the peak is there.
    """
    peak, warmup = int(trace.steps[np.argmax(trace.lrs)]), asked.warmup or 0
    for k in MULTIPLES:
        longer = k if abs(peak - k * warmup) <= trace.stride else 1
        own = without_schedule(trace, asked.base, longer * warmup, k * (asked.total or 0))
        if own.verdict == "healthy":
            return own
    return None


#: A cause ("" for several), what it says, the line to change ("" for the cause's own), and its numbers.
Differences = tuple[str, str, str, dict[str, float | int | str]]


def _clock(found: Numbers, asked: Numbers) -> Differences | None:
    """Both lengths off by one factor: the scheduler is stepped too often, or too seldom."""
    if _other_base(found, asked) or not (found.warmup and asked.warmup and found.decay and asked.decay):
        return None
    k = asked.decay / found.decay
    if abs(k - 1) < 0.3 or abs(found.warmup * k - asked.warmup) > max(k, 1.0):
        return None
    if k > 1 and _whole(k) and found.total is not None:
        times = round(k)
        says = (
            f"the scheduler is stepped {_times(times)} per update: the warmup takes {found.warmup} steps instead of"
            f" {asked.warmup}, the decay {found.decay} instead of {asked.decay}"
        )
        return "per-process", says, "call scheduler.step() once per optimizer.step()", {"n": times}
    if k < 1 and _whole(1 / k):
        times = round(1 / k)
        says = (
            f"the schedule is {times} times too slow: the warmup takes {found.warmup} steps instead of {asked.warmup},"
            f" the decay {found.decay} instead of {asked.decay}"
        )
        cause = "too-slow"
        fix = "give the lengths in optimizer steps: micro-batches divided by the accumulation, not multiplied"
        return cause, says, fix, {"n": times}
    return None


def _unit(found: Numbers, asked: Numbers) -> Differences | None:
    """A total that is a multiple of the one told: counted in micro-batches, or over all processes."""
    if (
        _other_base(found, asked)
        or found.warmup != asked.warmup
        or not asked.total
        or found.total is None
        or asked.decay is None
    ):
        return None
    k = found.total / asked.total
    if round(k) < 2 or round(k) > MOST_TIMES or abs(found.total - round(k) * asked.total) > SAME_STEPS:
        return None
    says = (
        f"the decay takes {found.decay} steps, you said {asked.decay}: the schedule was built for {found.total} steps,"
        f" {round(k)} × {asked.total}, as if each micro-batch were an update"
    )
    fix = "give the total in optimizer steps: len(loader) // accumulation * epochs"
    parameters: dict[str, float | int | str] = {"d": found.decay or 0, "meant": asked.decay}
    return "horizon-long", says, fix, parameters


def _each(found: Numbers, asked: Numbers, spare: int) -> Differences | None:
    """Every number that differs, by itself; rows that are `spare` steps apart do not tell a length better than that."""
    causes, says, fixes, parameters = [], [], [], dict[str, float | int | str]()
    if _other_base(found, asked) and asked.base and found.base:
        causes.append("wrong-base")
        says.append(f"the base LR is {number(found.base)}, you said {number(asked.base)}")
        fixes.append(CAUSES["wrong-base"].fix)
        parameters |= {"base": found.base, "c": found.base / asked.base}
    if asked.warmup is not None and found.warmup is not None and abs(found.warmup - asked.warmup) > spare:
        causes.append("warmup-length")
        says.append(f"the warmup takes {counted(found.warmup, 'step')}, you said {asked.warmup}")
        fixes.append(f"set the warmup to {asked.warmup} steps")
        parameters |= {"w": found.warmup}
    ends = found.total, asked.total
    if found.decay and asked.decay and None not in ends and abs((ends[0] or 0) - (ends[1] or 0)) > spare:
        longer = found.decay > asked.decay
        causes.append("horizon-long" if longer else "horizon-short")
        says.append(f"the decay takes {counted(found.decay, 'step')}, you said {asked.decay}")
        state = "" if longer else "; a loaded scheduler state brings the length that it was saved with"
        fixes.append(f"set the length of the decay to {asked.decay} steps{state}")
        parameters |= {"d": found.decay, "meant": asked.decay}
    if not causes:
        return None
    if len(causes) > 1:
        text = joined_with_and([f"{part.replace(', you said', ' (you said')})" for part in says])
        return "", text, "", parameters
    return causes[0], says[0], "; ".join(fixes), parameters


def _after(trace: Trace, own: Explanation, found: Numbers) -> str:
    """What the run's own schedule does at its end."""
    last = int(trace.steps[-1])
    if own.cause == "rises-again":
        return f". It ends at step {own.parameters['r']}, and then the LR rises again"
    if found.total is not None and found.total > last + 1:
        share = float(trace.lrs[-1]) / float(trace.lrs.max())
        return f". At the last row, step {last}, the LR is still {percent(share)} of its peak"
    return ""


def _other_base(found: Numbers, asked: Numbers) -> bool:
    return bool(asked.base and found.base and abs(found.base / asked.base - 1) > SAME_BASE)


def _whole(k: float) -> bool:
    return round(k) <= MOST_TIMES and math.isclose(k, round(k), rel_tol=WHOLE)


def _times(count: int) -> str:
    return {2: "twice"}.get(count, f"{count} times")
