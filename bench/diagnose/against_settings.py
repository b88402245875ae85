"""A second look at a trace that no mistake of the expected schedule explains: only its settings are compared.

People name the expected schedule in one convention and train with another: torch's LinearLR(0.01) for a warmup
from 0, (t+1)/W for t/W. Then a second difference, the mistake, is all that is left to find.
"""

from __future__ import annotations

import dataclasses

from bench.diagnose.core.causes import CAUSES
from bench.diagnose.core.diagnosis import Diagnosis, Explanation
from bench.diagnose.core.trace import Trace
from bench.diagnose.fit.describe import kinds
from bench.diagnose.hypotheses.anatomy import Anatomy, anatomy, as_pair

from .rank import difference
from .without_schedule import HEALTHY, without_schedule

#: Floors that differ by less than this share of the base LR are the same, rounded.
SAME_FLOOR = 1e-3


def against_settings(trace: Trace, expected: Anatomy) -> Diagnosis | None:
    """The diagnosis with W, the total and the base LR of the expected schedule; None where that explains nothing.

    A healthy schedule of another convention is a finding here: it is not the expected one.
    """
    if expected.pair is None or expected.decay_steps is None:
        return None
    total = expected.total or expected.warmup_steps + expected.decay_steps
    result = without_schedule(trace, expected.pair_base, expected.warmup_steps, total)
    if result.best is None or result.verdict == "unknown":
        return None
    first, size = difference(trace, expected.at(trace.steps))

    def reworded(explanation: Explanation) -> Explanation:
        if result.verdict == "fault":
            sentence = f"Only the settings of the expected schedule match, not its convention. {explanation.sentence}"
            return dataclasses.replace(explanation, sentence=sentence)
        cause = CAUSES["other-convention"]
        base = float(explanation.parameters.get("base_lr", expected.base))
        own = None if explanation.schedule is None else anatomy(explanation.schedule, base, total)
        says, fix = cause.sentence, cause.fix
        if own is not None:
            fix = fix.replace("--expect", f"--expect to {own.schedule.slug}")
            if abs(own.floor - expected.floor) > SAME_FLOOR * expected.base:
                says = f"{cause.sentence}, and its floor is {own.floor:.4g}, not {expected.floor:.4g}"
        return dataclasses.replace(
            explanation,
            cause=cause.id,
            title=cause.title,
            fix=fix,
            sentence=f"{says}: {explanation.sentence.removeprefix(HEALTHY)}",
            first_step=first,
            size=size,
        )

    explanations = tuple(reworded(explanation) for explanation in result.explanations)
    tied = result.tied if result.verdict == "fault" else 1
    return Diagnosis(trace, expected.schedule, "fault", explanations, tied, expected.base)


def with_kinds(result: Diagnosis, expected: Anatomy) -> Diagnosis:
    """The diagnosis of another schedule, which says first that its warmup or decay is of another kind."""
    best = result.best
    if best is None or not result.tied or best.cause not in ("other-schedule", "other-convention"):
        return result
    pair = None if best.schedule is None else as_pair(best.schedule, float(best.parameters.get("base_lr", 1.0)))[0]
    if pair is None or expected.pair is None:
        return result
    runs, asked = kinds(pair), kinds(expected.pair)
    unlike = [part for part in runs if runs[part] != asked[part]]
    if len(unlike) != 1:
        return result
    part = unlike[0]
    says = f"A {runs[part]} {part} runs where a {asked[part]} one was expected. {best.sentence}"
    fix = f"build the {asked[part]} {part}, or change --expect"
    best = dataclasses.replace(best, sentence=says, fix=fix)
    return dataclasses.replace(result, explanations=(best, *result.explanations[1:]))
