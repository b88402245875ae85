"""From hypotheses to explanations: which reproduce the trace, and which of those is the simplest."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from bench.diagnose.core.causes import CAUSES
from bench.diagnose.core.diagnosis import FITS, Diagnosis, Explanation, share_of
from bench.diagnose.core.trace import Trace
from bench.diagnose.fit.describe import in_words
from bench.diagnose.hypotheses.anatomy import Anatomy
from bench.diagnose.hypotheses.evidence import Hypothesis, misfit
from reference.check import Rates
from suite.shared.words import counted

#: Explanations that are kept, and hypotheses that are compared at every step: in all, and of one cause.
KEPT, COMPARED, OF_ONE_CAUSE = 8, 24, 6
#: Explanations whose costs differ by less are equally simple.
EQUAL_COST = 0.35
#: Causes that are no fault.
HEALTHY_CAUSES = ("follows", "log-rounded", "log-strided")
#: Causes that are in the log alone: no update is wrong.
OF_THE_LOG = ("log-after", "log-rows", "steps-in-batches", "get-lr-logged")


@dataclasses.dataclass(frozen=True)
class ScoredHypothesis:
    """A hypothesis with its misfit on the compared steps."""

    hypothesis: Hypothesis
    misfit: float

    @property
    def cost(self) -> float:
        """How much the hypothesis assumes."""
        return CAUSES[self.hypothesis.cause].cost + self.hypothesis.extra

    @property
    def order(self) -> tuple[bool, float, float]:
        """Those that fit come first, simpler before closer; those that do not fit follow, closest first."""
        if self.misfit <= FITS:
            return False, self.cost, self.misfit
        return True, self.misfit * (1 + 0.1 * self.cost), self.cost


def scored(hypotheses: Iterable[Hypothesis], t: Any, y: Rates, tol: Any) -> list[ScoredHypothesis]:
    """Every hypothesis with its misfit at these steps, the best first."""
    return sorted((ScoredHypothesis(h, misfit(y, h.at(t), tol)) for h in hypotheses), key=lambda s: s.order)


def best_of(trace: Trace, screened: list[ScoredHypothesis]) -> list[ScoredHypothesis]:
    """The best of each cause, compared at every step of the trace."""
    best: dict[str, ScoredHypothesis] = {}
    compared: dict[str, int] = {}
    for candidate in screened:
        hypothesis = candidate.hypothesis
        kept = best.get(hypothesis.cause)
        tried = compared.get(hypothesis.cause, 0)
        if (kept is not None and kept.misfit <= FITS) or tried == OF_ONE_CAUSE:
            continue
        if sum(compared.values()) == COMPARED:
            break
        compared[hypothesis.cause] = tried + 1
        complete = ScoredHypothesis(hypothesis, misfit(trace.lrs, hypothesis.at(trace.steps), trace.tolerance))
        if kept is None or complete.order < kept.order:
            best[hypothesis.cause] = complete
    return sorted(best.values(), key=lambda s: s.order)[:KEPT]


def difference(trace: Trace, expected: Rates) -> tuple[int | None, float | None]:
    """The first step that is not as expected, and the largest error relative to the expected LR."""
    off = np.abs(trace.lrs - expected)
    wrong = off > trace.tolerance
    if not wrong.any():
        return None, None
    peak = float(np.abs(expected).max()) or 1.0
    scale = np.where(np.abs(expected) > 1e-6 * peak, np.abs(expected), peak)
    return int(trace.steps[np.argmax(wrong)]), float((off / scale)[wrong].max())


def _of_peak(trace: Trace, expected: Rates) -> float:
    """The largest error of an LR, relative to the highest expected one, or to the highest logged one."""
    return float(np.abs(trace.lrs - expected).max()) / (float(np.abs(expected).max()) or float(np.abs(trace.lrs).max()))


def share_of_peak(trace: Trace, hypothesis: Hypothesis) -> float:
    """The largest difference between the trace and a hypothesis, relative to the peak of the trace."""
    with np.errstate(invalid="ignore", over="ignore"):
        worst = float(np.max(np.abs(trace.lrs - hypothesis.at(trace.steps))))
    return worst / (float(np.abs(trace.lrs).max()) or 1.0)


class _Count(int):
    """An integer that a template can write with its noun: ``{k:step}``, ``{k:shift}``."""

    def __format__(self, spec: str) -> str:
        count = int(self)
        if spec == "shift":
            return f"{counted(abs(count), 'step')} {'ahead' if count > 0 else 'behind'}"
        if spec.replace(" ", "").isalpha() and len(spec) > 1:
            return counted(count, spec)
        return format(count, spec)


def in_sentence(template: str, parameters: dict[str, Any]) -> str:
    """A template with its parameters filled in.

    >>> in_sentence("{k:step} early, {d:shift}, c={c:.2g}, step {r}", {"k": 1, "d": -3, "c": 0.125, "r": 7})
    '1 step early, 3 steps behind, c=0.12, step 7'
    """
    return template.format_map({k: _Count(v) if isinstance(v, int) else v for k, v in parameters.items()})


def explanation(trace: Trace, candidate: ScoredHypothesis, expected: Anatomy | None) -> Explanation:
    """A hypothesis as the reader gets it."""
    hypothesis = candidate.hypothesis
    cause = CAUSES[hypothesis.cause]
    first, size = (None, None) if expected is None else difference(trace, expected.at(trace.steps))
    if expected is None and cause.id != "follows":
        first = hypothesis.parameters.get("r")
    parameters: dict[str, Any] = {
        name: value.item() if isinstance(value, np.generic) else value for name, value in hypothesis.parameters.items()
    }
    if hypothesis.base is not None:
        parameters.setdefault("base_lr", float(hypothesis.base))
    sentence = hypothesis.says
    if not sentence:
        words = {"log": _coarseness(trace)}
        if "{schedule}" in cause.sentence and hypothesis.schedule is not None:
            words["schedule"] = in_words(hypothesis.schedule, 1.0 if hypothesis.base is None else hypothesis.base)
        sentence = in_sentence(cause.sentence, words | parameters)
    if hypothesis.also:
        sentence += f" {hypothesis.also}"
    if cause.id != "follows" and first is not None and size is not None:
        off = share_of(_of_peak(trace, expected.at(trace.steps)), "the peak") if expected is not None else ""
        where = "First row that differs" if cause.id in OF_THE_LOG else "First wrong update"
        sentence += f" {where}: step {first}" + (f"; largest error {off}." if off else ".")
    return Explanation(
        cause.id,
        cause.title,
        sentence,
        cause.fix,
        first,
        size,
        candidate.misfit,
        hypothesis.schedule if hypothesis.schedule is not None and hypothesis.schedule.slug else None,
        parameters,
        share_of_peak(trace, hypothesis) if candidate.misfit > FITS else None,
    )


def _coarseness(trace: Trace) -> str:
    parts = [f"logged every {trace.stride} steps"] if trace.stride > 1 else []
    parts += [f"rounded to {trace.digits} digits"] if trace.digits is not None else []
    return f" ({', '.join(parts)})" if parts else ""


def diagnosis(trace: Trace, expected: Anatomy | None, ranked: list[ScoredHypothesis]) -> Diagnosis:
    """The verdict that follows from the ranked hypotheses."""
    explanations = tuple(explanation(trace, candidate, expected) for candidate in ranked)
    fitting = [candidate for candidate in ranked if candidate.misfit <= FITS]
    if not fitting:
        verdict, tied = "unknown", 0
    else:
        verdict = "healthy" if fitting[0].hypothesis.cause in HEALTHY_CAUSES else "fault"
        tied = sum(candidate.cost - fitting[0].cost < EQUAL_COST for candidate in fitting)
        tied = 1 if fitting[0].hypothesis.cause == "follows" and expected is not None else tied
    if expected is None:
        return Diagnosis(trace, None, verdict, explanations, tied)
    return Diagnosis(trace, expected.schedule, verdict, explanations, tied, expected.base)
