"""The diagnoses of all traces of a log, and how the log was read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from bench.diagnose.core.diagnosis import VERDICTS, Diagnosis
from bench.diagnose.core.trace import Trace
from bench.diagnose.log.read_log import Log
from reference import Schedule


def diagnose(
    trace: Trace,
    expect: Schedule | None = None,
    *,
    base_lr: float | None = None,
    warmup_steps: int | None = None,
    total_steps: int | None = None,
) -> Diagnosis:
    """Name what a trace is, or what is wrong with it.

    With `expect` (at `base_lr`, by default 1): how the trace differs from it and why. With settings only:
    any healthy schedule that has them is right. With nothing: the family, the kinds and their parameters.
    """
    from bench.diagnose.against_schedule import against  # the search needs the classes above
    from bench.diagnose.without_schedule import unaided

    if expect is not None:
        return against(trace, expect, 1.0 if base_lr is None else base_lr, total_steps)
    return unaided(trace, base_lr, warmup_steps, total_steps)


@dataclasses.dataclass(frozen=True, eq=False)
class Examined:
    """The diagnoses of a log, one for each distinct trace, and the notes of its reader."""

    diagnoses: tuple[Diagnosis, ...]
    notes: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong with any trace."""
        return all(found.verdict == "healthy" for found in self.diagnoses)


def examine(
    log: Log,
    expect: Schedule | None = None,
    *,
    base_lr: float | None = None,
    warmup_steps: int | None = None,
    total_steps: int | None = None,
) -> Examined:
    """Diagnose every distinct trace of a log.

    Where the log leaves open what number its first update has, both readings are tried, and the one that explains
    more counts: a shift by one cannot be told from another way to count.

    >>> log = Log((Trace(np.arange(1, 5), np.full(4, 0.1)),), first_step=0, other_first_step=1)
    >>> len(examine(log).diagnoses)
    1
    """

    def of(traces: Sequence[Trace]) -> tuple[Diagnosis, ...]:
        return tuple(
            diagnose(trace, expect, base_lr=base_lr, warmup_steps=warmup_steps, total_steps=total_steps)
            for trace in traces
        )

    traces = distinct(log.traces)
    found, notes = of(traces), list(log.notes)
    if log.other_first_step is not None and _badness(found) > 0:
        shift = log.first_step - log.other_first_step
        other = of([dataclasses.replace(trace, steps=trace.steps + shift) for trace in traces])
        better = _badness(other) < _badness(found)
        taken, left = log.first_step, log.other_first_step
        if better:
            found, taken, left = other, left, taken
        notes.append(
            f"The log does not say whether its first update has number {min(taken, left)} or {max(taken, left)}: "
            + (f"read as {taken}, because {left} fits worse" if better else f"read as {taken}")
            + f"; --first-step {left} reads it the other way."
        )
    return Examined(found, tuple(notes))


def _badness(diagnoses: Sequence[Diagnosis]) -> int:
    return max(VERDICTS.index(found.verdict) for found in diagnoses)


def distinct(traces: Sequence[Trace]) -> list[Trace]:
    """The traces without repetition, each under the names of all that equal it.

    >>> same = Trace(np.arange(2), np.ones(2), name="pg1")
    >>> [trace.name for trace in distinct([same, dataclasses.replace(same, name="pg2")])]
    ['pg1, pg2']
    """
    kept: list[Trace] = []
    for trace in traces:
        for i, other in enumerate(kept):
            if np.array_equal(trace.steps, other.steps) and np.array_equal(trace.lrs, other.lrs):
                kept[i] = dataclasses.replace(other, name=f"{other.name}, {trace.name}")
                break
        else:
            kept.append(trace)
    return kept
