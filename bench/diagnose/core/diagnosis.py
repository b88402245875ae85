"""The result of a diagnosis: explanations of a trace, ranked, and the sentence for the reader."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from reference import Schedule

from .fact import LOOK, Fact
from .trace import Trace
from .words import capitalized, joined_with_and

VERDICTS = ("healthy", "fault", "unknown")
#: Residuals up to here, in units of the log's rounding, are a fit. It is more than 1 because the numbers of a
#: hypothesis are themselves computed from rounded values.
FITS = 1.2
#: Explanations that fit equally well and are named beside the first, at most.
MOST_TIES = 2


def share_of(share: float, whole: str) -> str:
    """A share of something in words.

    >>> share_of(0.023, "the peak"), share_of(1.0, "the peak"), share_of(1234.5, "the peak")
    ('2.3 % of the peak', '100 % of the peak', '1,234 times the peak')
    """
    return f"{100 * share:.3g} % of {whole}" if share < 9.995 else f"{share:,.0f} times {whole}"


def ties_text(tied: Sequence[Explanation]) -> str:
    """What fits as well as the first explanation, as one clause; empty where nothing else does.

    Of healthy schedules only what differs is named: the family of the convention, or the kind of a part.
    """
    if len(tied) < 2:
        return ""
    if not all(explanation.cause == "follows" and "decay" in explanation.parameters for explanation in tied):
        names = [explanation.title for explanation in tied[1:]]
    else:
        names = [name for other in tied[1:] for name in _unlike(tied[0].parameters, other.parameters)]
    names = list(dict.fromkeys(names))[:MOST_TIES]
    verb = "fits" if len(names) == 1 else "fit"
    return f"{capitalized(joined_with_and(names))} {verb} equally well."


def _unlike(best: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What another healthy schedule has that the best has not."""
    kinds = [f"{other[name]} {name}" for name in ("warmup", "decay") if other[name] != best[name]]
    if kinds:
        return [f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" for kind in kinds]
    if other["family"] and other["family"] != best["family"]:
        return [f"family {other['family']}"]
    return ["a schedule of the same kind with other numbers"]


@dataclasses.dataclass(frozen=True)
class Explanation:
    """One way to account for a trace.

    `cause`: its id in `causes.CAUSES`; `title`, `sentence` (what is wrong, in words), `fix` (the line to change);
    `first_step`: the first optimizer step with a wrong LR, None where there is none; `size`: the largest relative
    error of an LR, None where the right LRs are unknown; `misfit`: the largest residual in units of the log's rounding
    (up to `FITS` it fits); `schedule`: a reference schedule that reproduces the trace at base LR
    ``parameters["base_lr"]``, None where there is none; `parameters`: the numbers of the cause by name;
    `residual`: the largest residual relative to the peak of the trace, None for a fit.
    """

    cause: str
    title: str
    sentence: str
    fix: str
    first_step: int | None
    size: float | None
    misfit: float
    schedule: Schedule | None
    parameters: dict[str, float | int | str]
    residual: float | None = None

    @property
    def fits(self) -> bool:
        """Whether the trace is reproduced within the rounding of the log."""
        return self.misfit <= FITS

    def to_json(self) -> dict[str, Any]:
        """The explanation as plain data for JSON; the schedule as its slug."""
        record = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        record["schedule"] = None if self.schedule is None else self.schedule.slug
        for name in ("misfit", "size", "residual"):
            if record[name] is not None and not math.isfinite(record[name]):
                record[name] = None
        return record


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """The verdict on a trace, with its explanations, best first.

    `verdict`: ``healthy`` (as expected or, without an expectation, without a sick fact), ``fault`` (the first
    explanation is a mistake, or a fact is sick) or ``unknown`` (nothing fits what was asked for); `expected`: the
    schedule that the trace is compared with, None without one; `base_lr`: of `expected`; `tied`: how many of the first
    explanations fit equally well, 1 where only the first does and 0 where none fits; `facts`: what can be read off the
    trace, the most telling first.
    """

    trace: Trace
    expected: Schedule | None
    verdict: str
    explanations: tuple[Explanation, ...]
    tied: int
    base_lr: float | None = None
    facts: tuple[Fact, ...] = ()

    def __repr__(self) -> str:
        """The verdict in words: people print diagnoses, and the arrays of a trace fill a screen."""
        name = f"{self.trace.name}: " if self.trace.name else ""
        return f"<Diagnosis: {name}{self.verdict}. {self.sentence()}>"

    @property
    def best(self) -> Explanation | None:
        """The first explanation, or None."""
        return self.explanations[0] if self.explanations else None

    def sentence(self) -> str:
        """The verdict in words: what, since which step, by how much, and in a clause what fits equally well."""
        best = self.best
        if best is None or self.verdict == "unknown":
            return self._by_facts()
        ties = ties_text(self.explanations[: self.tied])
        return f"{best.sentence} {ties}".strip()

    def _by_facts(self) -> str:
        """The verdict where no explanation fits: the facts decide."""
        if not self.facts:
            return "No known schedule or mistake reproduces this trace."
        lead = self.facts[0].sentence
        if self.verdict == "healthy":
            lead = next((fact.sentence for fact in self.facts if fact.id == "phases"), lead)
            return f"No fault found: {lead[:1].lower() if lead[1:2].islower() else lead[:1]}{lead[1:]}"
        if self.facts[0].sick:
            return lead
        return f"{lead} This is not what was asked for, and no known mistake explains it."

    @property
    def look(self) -> str:
        """Where to look next, for a sick fact whose cause is unknown; else empty."""
        unexplained = not self.tied and self.facts and self.facts[0].sick
        return LOOK.get(self.facts[0].id, "") if unexplained else ""

    def to_json(self) -> dict[str, Any]:
        """The diagnosis as plain data for JSON, without the trace itself."""
        return {
            "name": self.trace.name,
            "verdict": self.verdict,
            "sentence": self.sentence(),
            "expected": None if self.expected is None else self.expected.slug,
            "base_lr": self.base_lr,
            "tied": self.tied,
            "steps": int(self.trace.steps.size),
            "first_logged_step": int(self.trace.steps[0]),
            "last_logged_step": int(self.trace.steps[-1]),
            "stride": self.trace.stride,
            "digits": self.trace.digits,
            "facts": [fact.to_json() for fact in self.facts],
            "explanations": [e.to_json() for e in self.explanations],
        }
