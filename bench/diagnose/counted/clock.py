"""Traces read on the clock of their scheduler, and traces of a run and its continuation joined."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from bench.diagnose.core.counts import Counts
from bench.diagnose.core.diagnosis import Diagnosis
from bench.diagnose.core.trace import Trace
from reference.check import Rates


def on_scheduler_clock(trace: Trace) -> Trace | None:
    """The LR at each step of a scheduler that is not stepped once per update; None where there is no such clock.

    A schedule in epochs is no staircase then, and one in micro-batches has its own length.
    """
    counts = trace.counts
    if counts is None or counts.pace == 1 or not counts.moves.any() or np.isnan(counts.at).any():
        return None
    at = counts.at.astype(np.int64)
    if at[0] < 0 or (np.diff(at) != counts.moves[1:]).any():
        return None
    first = np.append(True, np.diff(at) > 0)
    held = trace.lrs[first][np.cumsum(first) - 1]
    if first.sum() < 2 or (held != trace.lrs).any():  # something else moves the LR too
        return None
    return dataclasses.replace(trace, steps=at[first], lrs=trace.lrs[first], counts=None)


def in_scheduler_steps(diagnosis: Diagnosis, counts: Counts) -> Diagnosis:
    """The diagnosis of a trace on the scheduler's clock, with the unit of its steps in the sentence."""
    if not diagnosis.explanations:
        return diagnosis
    unit = f"{counts.pace} in each update" if counts.pace else f"{counts.moves.sum()} in {counts.moves.size} updates"
    best = diagnosis.explanations[0]
    best = dataclasses.replace(best, sentence=f"{best.sentence} Steps are those of the scheduler, {unit}.")
    return dataclasses.replace(diagnosis, explanations=(best, *diagnosis.explanations[1:]))


def continues(earlier: Counts | None, later: Counts | None) -> bool:
    """Whether a recording resumes another one of the same process: optimizer and scheduler start where it ended."""
    if earlier is None or later is None or not later.resumed_at:
        return False
    ended = earlier.resumed_at + earlier.moves.size
    return later.resumed_at == ended and (np.isnan(later.state_step) or later.state_step in (0, ended))


def together(earlier: Counts, later: Counts) -> Counts:
    """The counts of a run and its continuation."""

    def both(name: str) -> Rates:
        return np.concatenate([getattr(earlier, name), getattr(later, name)])

    arrays = {name: both(name) for name in ("backwards", "moves", "skipped", "at")}
    return dataclasses.replace(earlier, **arrays, length=later.length, idle=later.idle)  # type: ignore[arg-type]


def joined(traces: Sequence[Trace]) -> list[Trace]:
    """The traces, each continuation appended to the run that it resumes."""
    result: list[Trace] = []
    for trace in traces:
        at = next((i for i, earlier in enumerate(result) if continues(earlier.counts, trace.counts)), None)
        if at is None or trace.counts is None or result[at].counts is None:
            result.append(trace)
            continue
        earlier = result[at]
        assert earlier.counts is not None
        result[at] = dataclasses.replace(
            earlier,
            steps=np.concatenate([earlier.steps, trace.steps]),
            lrs=np.concatenate([earlier.lrs, trace.lrs]),
            name=f"{earlier.name}, then {trace.name}",
            counts=together(earlier.counts, trace.counts),
        )
    return result
