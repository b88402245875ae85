"""What a diagnosis says: explanations of a trace, ranked, and the sentence that a reader gets."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from reference import Schedule

from .trace import Trace

VERDICTS = ("healthy", "fault", "unknown")
#: Residuals up to here, in units of what the rounding allows, are a fit: the numbers of a hypothesis are
#: themselves found from rounded values, which adds a little to the one unit.
FITS = 1.2


@dataclasses.dataclass(frozen=True)
class Explanation:
    """One way to account for a trace.

    `cause`: its id in `causes.CAUSES`; `title`, `sentence` (what is wrong, in words), `fix` (the line to change);
    `first_step`: the first optimizer step with a wrong LR, None where none is; `size`: the largest relative error
    of an LR, None where nothing right is known; `misfit`: the largest residual in units of what the log's rounding
    allows (up to `FITS` it fits); `schedule`: a reference schedule that reproduces the trace at base LR
    ``parameters["base_lr"]``, None where there is none; `parameters`: what was found, by name.
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

    @property
    def fits(self) -> bool:
        """Whether the trace is reproduced within the rounding of the log."""
        return self.misfit <= FITS

    def to_json(self) -> dict[str, Any]:
        """The explanation as JSON can hold it; the schedule as its slug."""
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        found["schedule"] = None if self.schedule is None else self.schedule.slug
        for name in ("misfit", "size"):
            if found[name] is not None and not math.isfinite(found[name]):
                found[name] = None
        return found


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnosis:
    """The verdict on a trace, with its explanations from the best to the worst.

    `verdict`: ``healthy`` (it is what was expected or, without an expectation, a healthy schedule), ``fault``
    (the first explanation is a mistake) or ``unknown`` (nothing fits); `expected`: the schedule that the trace is
    held against, None without one; `base_lr`: of `expected`; `tied`: how many of the first explanations fit equally
    well, 1 where the first stands alone and 0 where none fits.
    """

    trace: Trace
    expected: Schedule | None
    verdict: str
    explanations: tuple[Explanation, ...]
    tied: int
    base_lr: float | None = None

    @property
    def best(self) -> Explanation | None:
        """The first explanation, if there is any."""
        return self.explanations[0] if self.explanations else None

    def sentence(self) -> str:
        """The verdict in words: what, since which step, how much, and what else fits equally well."""
        best = self.best
        if best is None or self.verdict == "unknown":
            return "No known schedule and no known mistake reproduces this trace."
        text = best.sentence
        if self.tied > 1:
            others = "; ".join(e.title for e in self.explanations[1 : self.tied])
            text += f" Equally well fits: {others}."
        return text

    def to_json(self) -> dict[str, Any]:
        """The diagnosis as JSON can hold it, without the trace itself."""
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
            "explanations": [e.to_json() for e in self.explanations],
        }
