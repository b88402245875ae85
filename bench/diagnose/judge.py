"""The verdict: what the fit says, and what the facts say where it says nothing."""

from __future__ import annotations

import dataclasses

from bench.diagnose.core.diagnosis import Diagnosis
from bench.diagnose.core.fact import Fact
from bench.diagnose.core.trace import Trace
from bench.diagnose.facts.gather import Told


def can_be_fitted(trace: Trace) -> bool:
    """Whether a schedule can be fitted: all LRs are finite and some are positive, or all are 0."""
    return bool(trace.finite.all()) and (float(trace.lrs.max()) > 0 or not trace.lrs.any())


#: Facts that a healthy schedule excuses if it gives every row: with few rows in each, warm restarts look like noise.
EXPLAINED = ("noise", "jump", "wrong-updates")


def judged(result: Diagnosis, facts: tuple[Fact, ...], told: Told) -> Diagnosis:
    """The diagnosis with the facts: healthy is what follows what was told, or has no sick fact.

    A healthy schedule fitted to a trace with a sick fact is no excuse for it unless the user gave its length: a
    decay over 50 steps is sound, an LR of 0 for the 950 steps behind it is not.
    """
    result = dataclasses.replace(result, facts=facts)
    asked = result.expected is not None or told.total_steps is not None
    explained = EXPLAINED if result.verdict == "healthy" else ()
    sick = any(fact.sick and fact.id not in explained for fact in facts)
    if result.verdict == "fault" or (result.verdict == "healthy" and (asked or not sick)):
        return result
    if sick:
        return dataclasses.replace(result, verdict="fault", explanations=(), tied=0)
    if not asked and told.warmup_steps is None:
        return dataclasses.replace(result, verdict="healthy", explanations=(), tied=0)
    return result
