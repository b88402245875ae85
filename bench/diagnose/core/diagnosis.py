"""The result of a diagnosis: explanations of a trace, ranked, and the sentence for the reader."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from reference import Schedule

from .fact import LOOK, Fact
from .trace import Trace

VERDICTS = ("healthy", "fault", "unknown")
#: Residuals up to here, in units of the log's rounding, are a fit. It is more than 1 because the numbers of a
#: hypothesis are themselves computed from rounded values.
FITS = 1.2


def share_of(share: float, whole: str) -> str:
    """A share of something in words.

    >>> share_of(0.023, "the peak"), share_of(1.0, "the peak"), share_of(1234.5, "the peak")
    ('2.3 % of the peak', '100 % of the peak', '1,234 times the peak')
    """
    return f"{100 * share:.3g} % of {whole}" if share < 9.995 else f"{share:,.0f} times {whole}"


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


@dataclasses.dataclass(frozen=True, eq=False)
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

    @property
    def best(self) -> Explanation | None:
        """The first explanation, or None."""
        return self.explanations[0] if self.explanations else None

    def sentence(self) -> str:
        """The verdict in words: what, since which step, by how much, and what fits equally well."""
        best = self.best
        if best is None or self.verdict == "unknown":
            return self._by_facts()
        others = [explanation.title for explanation in self.explanations[1 : self.tied]]
        if not others:
            return best.sentence
        if len(others) == 1:
            return f"{best.sentence} {others[0][0].upper()}{others[0][1:]} fits equally well."
        return f"{best.sentence} These fit equally well: {'; '.join(others)}."

    def _by_facts(self) -> str:
        """The verdict where no explanation fits: the facts decide, and the cause is unknown."""
        if not self.facts:
            return "No known schedule or mistake reproduces this trace."
        lead = self.facts[0].sentence
        if self.verdict == "healthy":
            return f"{lead} Nothing in it is a fault by itself."
        asked = "" if self.facts[0].sick else " This is not what was asked for."
        return f"{lead}{asked} The cause is unknown."

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
