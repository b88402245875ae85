"""What is wrong with a plan, read from the composition: which part does what to which."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np

from reference import CosineAnnealingLR, MultiStepLR, ReduceLROnPlateau, Schedule, StepLR

from .fact import VISIBLE_SHARE, PlanFact, PlannedCurve
from .phases import PlannedPhase, end_of, phases
from .words import lr

#: How far the curve is followed after the run, in lengths of the run, and in steps at least and at most.
TIMES, LEAST, MOST = 20, 1000, 20_000


def planned_curve(schedule: Schedule, base: float, lrs: np.ndarray, resumed: bool, follows: bool) -> PlannedCurve:
    """The LRs of a run beside the schedule that they come from; `follows`: whether they are that schedule's."""
    parts = list(phases(schedule))
    return PlannedCurve(
        lrs,
        _longer(schedule, base, lrs) if follows else lrs,
        tuple(int(p.start) for p in parts if p.start > 0),
        repeats=any(p.repeats for p in parts),
        steps_down=any(isinstance(p.schedule, StepLR | MultiStepLR) for p in parts),
        cosine=any(isinstance(p.schedule, CosineAnnealingLR) for p in parts),
        resumed=resumed,
    )


def _longer(schedule: Schedule, base: float, lrs: np.ndarray) -> np.ndarray:
    count = min(max(TIMES * lrs.size, LEAST), lrs.size + MOST)
    for steps in (count, 2 * lrs.size):
        try:
            return np.concatenate(
                [lrs, schedule(np.arange(lrs.size, min(steps, end_of(schedule)), dtype=np.int64), base)]
            )
        except (ValueError, ArithmeticError):  # a function that has no value so far out
            continue
    return lrs


def structure_facts(schedule: Schedule, base: float, curve: PlannedCurve) -> Iterator[PlanFact]:
    """Every fact that the composition shows."""
    parts, steps = list(phases(schedule)), max(curve.updates, curve.lrs.size)
    yield from _peak(parts, base, curve)
    for phase in parts:
        if phase.start < steps:
            yield from _cut(phase, base, curve)
        if phase.overwrites and phase.before:
            text = f"{phase.name} overwrites what {_names(phase.before)} before it in the chain {_does(phase.before)}."
            fix = "multiply the functions into one LambdaLR, or use SequentialLR to have one after the other"
            yield PlanFact("overwritten", text, True, fix)
    if isinstance(schedule, ReduceLROnPlateau):
        yield from _wrong_mode(schedule, base)
    end = end_of(schedule)
    if end < steps:
        text = f"The run has {steps} updates, but OneCycleLR ends after {end:.0f}: its next step() raises ValueError."
        yield PlanFact("past-end", text, True, f"give it total_steps={steps}, and step it once per update", int(end))


def _wrong_mode(schedule: ReduceLROnPlateau, base: float) -> Iterator[PlanFact]:
    """A plateau that lowers the LR while its metric gets better, in the other sense of better."""
    metrics = schedule.metrics
    if len(metrics) < 2 or metrics[0] == metrics[-1]:
        return
    other = dataclasses.replace(schedule, mode="min" if schedule.mode == "max" else "max")
    at = np.arange(len(metrics) + 1)
    cuts, others = (int((np.diff(twin(at, base)) < 0).sum()) for twin in (schedule, other))
    if cuts > 1 and not others:
        moved, kind = ("fell", "loss") if metrics[-1] < metrics[0] else ("rose", "score")
        text = (
            f"ReduceLROnPlateau(mode={schedule.mode!r}) lowered the LR {cuts} times while its metric {moved} from"
            f" {metrics[0]:.4g} to {metrics[-1]:.4g}."
        )
        yield PlanFact("wrong-mode", text, True, f"if the metric is a {kind}, pass mode={other.mode!r}", 0)


def _names(schedules: Sequence[Schedule]) -> str:
    return " and ".join(type(schedule).__name__ for schedule in schedules)


def _does(schedules: Sequence[Schedule]) -> str:
    return "does" if len(schedules) == 1 else "do"


def _peak(parts: list[PlannedPhase], base: float, curve: PlannedCurve) -> Iterator[PlanFact]:
    """A decay that is chained with the warmup and lowers its peak."""
    for warmup in parts:
        others = [p for p in parts if p.chained and p is not warmup and p.start < warmup.start + (warmup.length or 0)]
        falling = [p for p in others if not p.rises and p.start < curve.lrs.size]
        if not (warmup.rises and warmup.chained and falling):
            continue
        reached = curve.longer[: max(curve.lrs.size, warmup.start + (warmup.length or 0) + 1)]
        top = int(np.argmax(reached))
        peak = float(reached[top])
        if 0 < peak < (1 - VISIBLE_SHARE) * base:
            below = f"{100 * (1 - peak / base):.3g} % below the base LR {lr(base)}"
            text = (
                f"The LR peaks at {lr(peak)} at step {top}, {below}:"
                f" {_names([p.schedule for p in falling])} already lowers it during the warmup ({warmup.name})."
            )
            fix = (
                f"use SequentialLR([warmup, decay], milestones=[{warmup.length}]), with a decay of"
                f" {max(curve.lrs.size - (warmup.length or 0), 1)} steps"
            )
            yield PlanFact("peak-below-base", text, True, fix, top)
            return


def _cut(phase: PlannedPhase, base: float, curve: PlannedCurve) -> Iterator[PlanFact]:
    """A phase that the next one ends before it is done."""
    length, window = phase.length, phase.stop - phase.start
    if length is None or math.isinf(window) or length <= window + 1 or phase.stop >= curve.lrs.size:
        return
    at = int(window)
    own = phase.schedule(np.array([at, length]) if phase.name != "OneCycleLR" else np.array([at, length - 1]), base)
    if abs(own[0] - own[1]) <= VISIBLE_SHARE * float(np.abs(curve.lrs).max()):
        return
    stop, y = int(phase.stop), curve.lrs
    text = (
        f"{phase.name} needs {length} steps, but the next phase starts after {at}, at step {stop}: the LR goes from"
        f" {lr(y[stop - 1])} to {lr(y[stop])} in one step."
    )
    yield PlanFact(
        "cut", text, True, f"give {phase.name} {at} steps, or set the milestone to {phase.start + length}", stop
    )
