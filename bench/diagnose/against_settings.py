"""A second look at a trace that no mistake of the expected schedule explains: only its settings are held to.

People name the schedule that they mean in one convention and train with another: torch's LinearLR(0.01) for a
warmup from 0, (t+1)/W for t/W. Then a second difference, the mistake, is all that there is to find.
"""

from __future__ import annotations

import dataclasses

from bench.diagnose.core.causes import CAUSES
from bench.diagnose.core.diagnosis import Diagnosis, Explanation
from bench.diagnose.core.trace import Trace
from bench.diagnose.hypotheses.anatomy import Anatomy

from .rank import difference
from .without_schedule import HEALTHY, unaided


def by_settings(trace: Trace, expected: Anatomy) -> Diagnosis | None:
    """The diagnosis with W, the total and the base LR of the expected schedule; None where that explains nothing.

    A healthy schedule of another convention is a finding here: it is not the one that was asked for.
    """
    if expected.pair is None or expected.decay_steps is None:
        return None
    total = expected.total or expected.warmup_steps + expected.decay_steps
    found = unaided(trace, expected.pair_base, expected.warmup_steps, total)
    if found.best is None or found.verdict == "unknown":
        return None
    first, size = difference(trace, expected.at(trace.steps))
    meant = f"{expected.schedule.slug} at base LR {expected.base:g}"

    def seen(one: Explanation) -> Explanation:
        if found.verdict == "fault":
            sentence = f"Of {meant} only the settings are kept, in another convention. {one.sentence}"
            return dataclasses.replace(one, sentence=sentence)
        cause = CAUSES["other-convention"]
        sentence = f"{cause.sentence.format(meant=meant)}: {one.sentence.removeprefix(HEALTHY)}"
        return dataclasses.replace(
            one, cause=cause.id, title=cause.title, fix=cause.fix, sentence=sentence, first_step=first, size=size
        )

    explanations = tuple(seen(one) for one in found.explanations)
    tied = found.tied if found.verdict == "fault" else 1
    return Diagnosis(trace, expected.schedule, "fault", explanations, tied, expected.base)
