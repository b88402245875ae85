"""Diagnose one trace, or all traces of a log."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from bench.diagnose.core.counts import Counts
from bench.diagnose.core.diagnosis import VERDICTS, Diagnosis, Explanation
from bench.diagnose.core.fact import Fact
from bench.diagnose.core.trace import Trace
from bench.diagnose.counted.clock import in_scheduler_steps, joined, on_scheduler_clock
from bench.diagnose.counted.consistent import by_counts, consistent
from bench.diagnose.facts.gather import Told, gather_facts
from bench.diagnose.log.read_log import Log
from reference import Schedule
from reference.check import Rates, Steps

from .against_schedule import against_schedule
from .base_lr import with_base_of_trace
from .compare_told import Numbers, compare_told, in_units, longer_warmup, told_numbers
from .groups import families
from .judge import can_be_fitted, judged
from .never_moves import as_finding, never_moves
from .parts_of_trace import by_parts
from .without_schedule import HEALTHY, without_schedule


def diagnose(
    trace: Trace,
    expect: Schedule | None = None,
    *,
    base_lr: float | None = None,
    warmup_steps: int | None = None,
    total_steps: int | None = None,
) -> Diagnosis:
    """Identify the schedule in a trace, or what is wrong with it.

    With `expect` (at `base_lr`, by default the one that fits best): how the trace differs from it and why. With
    settings only: any healthy schedule with these settings is right. With nothing: the family, the kinds and their
    parameters. What was told never hides an answer: where nothing told fits, the trace's own numbers are compared.
    The facts come with every diagnosis; where no explanation fits they decide. What a recorder has counted comes
    before any fit, and rules out what contradicts it.
    """
    told = Told(base_lr, warmup_steps, total_steps)
    if expect is None or base_lr is not None or not can_be_fitted(trace):
        return _diagnosed(trace, expect, 1.0 if base_lr is None else base_lr, told)
    return with_base_of_trace(trace, expect, lambda base: _diagnosed(trace, expect, base, told))


def _diagnosed(trace: Trace, expect: Schedule | None, base_lr: float, told: Told) -> Diagnosis:
    facts = gather_facts(trace, told)
    if not can_be_fitted(trace):
        return Diagnosis(trace, expect, "fault", (), 0, told.base_lr, facts)
    if trace.counts is not None:
        counted = by_counts(trace, expect, base_lr)
        if counted is not None:
            return dataclasses.replace(counted, facts=facts)
        own = on_scheduler_clock(trace) if (expect, told.warmup_steps, told.total_steps) == (None, None, None) else None
        result = None if own is None else judged(without_schedule(own, told.base_lr), gather_facts(own, told), told)
        if result is not None and result.verdict != "unknown":
            return in_scheduler_steps(result, trace.counts)
    longer = longer_warmup(trace, told) if expect is None else None
    if longer is not None:
        return dataclasses.replace(longer, facts=facts)
    if expect is not None:
        result = against_schedule(trace, expect, base_lr, told.total_steps)
    else:
        result = without_schedule(trace, told.base_lr, told.warmup_steps, told.total_steps)
    if never_moves(trace, expect, base_lr, told):
        result = as_finding(result)
    if trace.counts is not None:
        result = consistent(result, trace.counts)
    result = judged(result, facts, told)
    asked = told_numbers(told, expect, base_lr)
    if not result.tied:
        return _freely(result, expect, base_lr, told, asked)
    return result if expect is not None or result.best is None else _in_detail(result, result.best, asked)


def _in_detail(result: Diagnosis, best: Explanation, asked: Numbers) -> Diagnosis:
    """The diagnosis with what the trace itself adds to a cause that the settings gave."""
    if best.cause == "decay-counts-from-zero":
        jump = by_parts(result.trace, result.facts, asked, lambda part: result)
        best = jump if jump is not None and jump.cause == best.cause else best
    best = in_units(result.trace, best, asked)
    return dataclasses.replace(result, explanations=(best, *result.explanations[1:]))


def _freely(result: Diagnosis, expect: Schedule | None, base_lr: float, told: Told, asked: Numbers) -> Diagnosis:
    """The diagnosis of a trace that nothing told explains: by its parts, or by the numbers of its own schedule."""
    trace = result.trace

    def whole(part: Trace) -> Diagnosis:
        if expect is not None:
            return against_schedule(part, expect, base_lr, told.total_steps)
        return without_schedule(part, told.base_lr, told.warmup_steps, told.total_steps)

    found: Explanation | Fact | None = by_parts(trace, result.facts, asked, whole)
    if found is None and result.verdict != "healthy":
        found = compare_told(trace, asked)
    if isinstance(found, Fact):
        return dataclasses.replace(result, verdict="fault", explanations=(), facts=(found, *result.facts))
    if found is None:
        return result
    verdict = "healthy" if found.cause == "follows" and expect is None else "fault"
    return dataclasses.replace(result, verdict=verdict, explanations=(found,), tied=1)


@dataclasses.dataclass(frozen=True, eq=False)
class LogDiagnosis:
    """The diagnoses of a log, one for each distinct trace, and the notes and findings of its reader."""

    diagnoses: tuple[Diagnosis, ...]
    notes: tuple[str, ...]
    findings: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong with any trace."""
        return not self.findings and all(diagnosis.verdict == "healthy" for diagnosis in self.diagnoses)

    def to_json(self) -> dict[str, Any]:
        """Notes, findings and diagnoses as plain data for JSON."""
        diagnoses = [diagnosis.to_json() for diagnosis in self.diagnoses]
        return {"notes": self.notes, "findings": self.findings, "diagnoses": diagnoses}


def examine(
    log: Log,
    expect: Schedule | None = None,
    *,
    base_lr: float | None = None,
    warmup_steps: int | None = None,
    total_steps: int | None = None,
) -> LogDiagnosis:
    """Diagnose every distinct trace of a log.

    If the log does not say which number its first update has, both readings are tried and the one that explains
    more is used: a shift by one step and a different first number look the same.

    >>> log = Log((Trace(np.arange(1, 5), np.full(4, 0.1)),), first_step=0, other_first_step=1)
    >>> len(examine(log).diagnoses)
    1
    """

    groups = families(distinct(joined(log.traces)), base_lr)

    def diagnose_all(traces: Sequence[Trace]) -> tuple[Diagnosis, ...]:
        return tuple(
            diagnose(trace, expect, base_lr=base_lr, warmup_steps=warmup_steps, total_steps=total_steps)
            for trace in traces
        )

    traces = [family.trace for family in groups]
    diagnoses, notes = diagnose_all(traces), list(log.notes)
    if log.other_first_step is not None and _badness(diagnoses) > 0:
        shift = log.first_step - log.other_first_step
        other = diagnose_all([dataclasses.replace(trace, steps=trace.steps + shift) for trace in traces])
        better = _badness(other) < _badness(diagnoses)
        used, rejected = log.first_step, log.other_first_step
        if better:
            diagnoses, used, rejected = other, rejected, used
        notes.append(
            f"The log does not say whether its first update is step {min(used, rejected)} or {max(used, rejected)}; "
            + (f"read as {used}, because {rejected} fits worse" if better else f"read as {used}")
            + f". Use --first-step {rejected} for the other reading."
        )
    lost = dict(log.lost)
    completed = []
    for diagnosis, family in zip(diagnoses, groups, strict=True):
        following = family.fact()
        if following is not None:
            diagnosis = dataclasses.replace(diagnosis, facts=(*diagnosis.facts[:1], following, *diagnosis.facts[1:]))
        for name in family.trace.name.split(", "):
            if name in lost:
                diagnosis = with_lost_rows(diagnosis, lost[name])
        completed.append(diagnosis)
    return LogDiagnosis(tuple(completed), tuple(notes), log.findings)


def with_lost_rows(diagnosis: Diagnosis, fact: Fact) -> Diagnosis:
    """The diagnosis of the finite rows, with the fact that others are not."""
    if diagnosis.verdict == "fault" and diagnosis.best is not None and diagnosis.tied:
        best = dataclasses.replace(diagnosis.best, sentence=f"{fact.sentence} {diagnosis.best.sentence}")
        explanations = (best, *diagnosis.explanations[1:])
        return dataclasses.replace(diagnosis, explanations=explanations, facts=(fact, *diagnosis.facts))
    rest = Fact("rest", f"The other rows: {diagnosis.sentence().removeprefix(HEALTHY)}", {})
    return dataclasses.replace(
        diagnosis, verdict="fault", explanations=(), tied=0, facts=(fact, rest, *diagnosis.facts)
    )


def _badness(diagnoses: Sequence[Diagnosis]) -> int:
    """The worst verdict; a fault whose cause is unknown counts as an unknown."""
    return max(
        VERDICTS.index(diagnosis.verdict if diagnosis.tied or diagnosis.verdict == "healthy" else "unknown")
        for diagnosis in diagnoses
    )


def distinct(traces: Sequence[Trace]) -> list[Trace]:
    """The distinct traces, each under the names of all traces equal to it.

    >>> same = Trace(np.arange(2), np.ones(2), name="pg1")
    >>> [trace.name for trace in distinct([same, dataclasses.replace(same, name="pg2")])]
    ['pg1, pg2']
    """
    kept: list[Trace] = []
    for trace in traces:
        for i, other in enumerate(kept):
            if same(trace, other):
                kept[i] = dataclasses.replace(other, name=f"{other.name}, {trace.name}")
                break
        else:
            kept.append(trace)
    return kept


class Recorded(Protocol):
    """What `same` compares: a trace, or a recorded series that is not a trace yet."""

    @property
    def steps(self) -> Steps:
        """The optimizer steps."""

    @property
    def lrs(self) -> Rates:
        """The LR at each."""

    @property
    def counts(self) -> Counts | None:
        """What was counted beside them."""


def same(first: Recorded, second: Recorded) -> bool:
    """Whether two traces have the same LRs at the same steps, and the same counts where they were recorded."""
    counts = (first.counts, second.counts)
    alike = counts[0].alike(counts[1]) if counts[0] is not None and counts[1] is not None else counts[0] is counts[1]
    return alike and np.array_equal(first.steps, second.steps) and np.array_equal(first.lrs, second.lrs)
