"""Diagnosis against an expected schedule: which mistake turns it into this trace."""

from __future__ import annotations

from bench.diagnose.core.diagnosis import Diagnosis
from bench.diagnose.core.trace import Trace
from bench.diagnose.hypotheses.anatomy import anatomy
from bench.diagnose.hypotheses.every import hypotheses
from bench.diagnose.hypotheses.evidence import gather_evidence
from reference import Schedule

from .against_settings import against_settings, with_kinds
from .pairs import pairs
from .rank import best_of, diagnosis, scored


def against_schedule(trace: Trace, expect: Schedule, base_lr: float, total_steps: int | None) -> Diagnosis:
    """The difference between a trace and the expected schedule, and its cause: one mistake, or two at once.

    Another convention of the same settings comes between the two: nothing in it is wrong by itself.
    """
    expected = anatomy(expect, base_lr, total_steps)
    evidence = gather_evidence(trace, expected)
    singles = scored(hypotheses(evidence), evidence.t, evidence.y, evidence.tol)
    result = diagnosis(trace, expected, best_of(trace, singles))
    if result.verdict != "unknown":
        return with_kinds(result, expected)
    by_settings = against_settings(trace, expected)
    if by_settings is not None and by_settings.explanations[0].cause == "other-convention":
        return with_kinds(by_settings, expected)
    both = pairs(evidence, (single.hypothesis for single in singles), hypotheses)
    second = diagnosis(trace, expected, best_of(trace, scored(both, evidence.t, evidence.y, evidence.tol)))
    return second if second.verdict == "fault" else by_settings or result
