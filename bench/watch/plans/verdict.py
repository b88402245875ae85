"""The verdict on a recorded run: what was counted, then what its schedulers planned, then a fit of its LRs."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.diagnose.core.diagnosis import Diagnosis, Explanation
from bench.diagnose.core.trace import Trace
from bench.diagnose.counted.clock import in_scheduler_steps
from bench.diagnose.counted.consistent import by_counts
from bench.diagnose.examine import diagnose
from bench.diagnose.facts.gather import Told, gather_facts
from bench.diagnose.plan.fact import PlanFact
from reference import Schedule
from suite.shared.words import counted

from .recorded import RecordedPlan

#: The cause of a fault that the plan shows starts with this; that of a healthy run is AS_PLANNED.
PLAN = "plan-"
AS_PLANNED = "as-planned"


def diagnosed(
    trace: Trace, plan: RecordedPlan | None, expect: Schedule | None = None, *, ended: bool = True, **settings: Any
) -> Diagnosis:
    """The diagnosis of a recorded trace; `ended`: whether the run ended by itself; else as `diagnose`.

    An expected schedule is compared with the LRs alone. A plan that explains them needs no fit.
    """
    if plan is None or expect is not None or by_counts(trace, None, 1.0) is not None:
        return diagnose(trace, expect, **settings)
    facts = _in_updates(plan.facts(ended=ended), trace)
    wrong = [fact for fact in facts if fact.wrong]
    if not wrong and (not plan.explains or any(value is not None for value in settings.values())):
        result = diagnose(trace, **settings)
        if not plan.explains or result.verdict != "healthy":
            return result
    told = Told(settings.get("base_lr"), settings.get("warmup_steps"), settings.get("total_steps"))
    explanation = _explanation(plan, wrong, trace)
    verdict = "healthy" if explanation.cause == AS_PLANNED else "fault"
    result = Diagnosis(trace, None, verdict, (explanation,), 1, facts=gather_facts(trace, told))
    return result if trace.counts is None or trace.counts.pace == 1 else in_scheduler_steps(result, trace.counts)


def notes_of(plan: RecordedPlan | None, diagnosis: Diagnosis, *, ended: bool = True) -> list[str]:
    """What else a reader should know: what was built, unless the verdict says it, and facts that are no fault."""
    if plan is None:
        return []
    said = diagnosis.sentence()
    built = [] if plan.words in said else [f"built: {plan.words}."]
    others = [fact.sentence for fact in _in_updates(plan.facts(ended=ended), diagnosis.trace) if not fact.wrong]
    return built + [sentence for sentence in others if sentence not in said]


def _explanation(plan: RecordedPlan, wrong: list[PlanFact], trace: Trace) -> Explanation:
    schedule = plan.groups[0].schedule if plan.groups and (trace.counts is None or trace.counts.pace == 1) else None
    base = plan.groups[0].base_lr if plan.groups else None
    numbers: dict[str, float | int | str] = {} if base is None else {"base_lr": base}
    sentences, fixes = [fact.sentence for fact in wrong], [fact.fix for fact in wrong]
    cause, first = (PLAN + wrong[0].kind, wrong[0].step) if wrong else (AS_PLANNED, None)
    if plan.deviation is not None:
        sentences, fixes = [plan.deviation.sentence, *sentences], [plan.deviation.fix, *fixes]
        cause, first = plan.deviation.cause, plan.deviation.step
    if cause == AS_PLANNED:
        sentences = [f"Every update ran at the LR of its scheduler: {plan.words}."]
    if first is not None and trace.counts is not None:
        first = int(trace.steps[min(int((trace.counts.at < first).sum()), trace.steps.size - 1)])
    fix = "; ".join(dict.fromkeys(text for text in fixes if text))
    return Explanation(cause, plan.words, " ".join(sentences), fix, first, None, 0.0, schedule, numbers)


def _in_updates(facts: list[PlanFact], trace: Trace) -> list[PlanFact]:
    """The facts, where a first step at LR 0 is as many updates as ran at it."""
    zeros = int(np.argmax(trace.lrs != 0)) if trace.lrs.any() else 0
    if zeros < 2:
        return facts
    text = f"The first {counted(zeros, 'update')} run at LR 0, so they do not move the weights."
    later = PlanFact("zero", text, True, "start the warmup at the first update, above 0", 0)
    return [later if fact.kind == "first-zero" else fact for fact in facts]
