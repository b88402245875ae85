"""Diagnosis against an expected schedule: what must have happened to it, so that this trace comes out."""

from __future__ import annotations

from collections.abc import Iterator

from bench.diagnose.core.diagnosis import Diagnosis
from bench.diagnose.core.trace import Trace
from bench.diagnose.hypotheses.anatomy import anatomy
from bench.diagnose.hypotheses.clocks import clocks
from bench.diagnose.hypotheses.evidence import Evidence, Hypothesis, evidence
from bench.diagnose.hypotheses.scales import scales
from bench.diagnose.hypotheses.shapes import shapes
from bench.diagnose.hypotheses.torch_defects import torch_defects
from reference import Schedule

from .against_settings import by_settings
from .rank import best_of, diagnosis, scored


def against(trace: Trace, expect: Schedule, base_lr: float, total_steps: int | None) -> Diagnosis:
    """The difference between a trace and the schedule that was expected, and its cause."""
    expected = anatomy(expect, base_lr, total_steps)
    x = evidence(trace, expected)
    ranked = best_of(trace, scored(hypotheses(x), x.t, x.y, x.tol))
    found = diagnosis(trace, expected, ranked)
    return (by_settings(trace, expected) if found.verdict == "unknown" else None) or found


def hypotheses(x: Evidence) -> Iterator[Hypothesis]:
    """The expected schedule itself, and every mistake that it could have suffered."""
    a = x.anatomy
    yield Hypothesis("follows", a.at, {}, a.schedule, a.base)
    yield from clocks(x)
    yield from scales(x)
    yield from shapes(x)
    yield from torch_defects(x)
