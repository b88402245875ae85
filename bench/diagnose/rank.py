"""From hypotheses to explanations: which reproduce the trace, and which of those is the simplest."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from bench.diagnose.core.causes import CAUSES
from bench.diagnose.core.diagnosis import FITS, Diagnosis, Explanation
from bench.diagnose.core.trace import Trace
from bench.diagnose.hypotheses.anatomy import Anatomy
from bench.diagnose.hypotheses.evidence import Hypothesis, misfit
from reference.check import Rates

#: Explanations that are kept, and hypotheses that are compared at every step.
KEPT, COMPARED = 8, 24
#: Explanations whose costs differ by less are equally simple.
EQUAL_COST = 0.35


@dataclasses.dataclass(frozen=True)
class Scored:
    """A hypothesis with its misfit on the screened steps."""

    hypothesis: Hypothesis
    misfit: float

    @property
    def cost(self) -> float:
        """What the hypothesis assumes."""
        return CAUSES[self.hypothesis.cause].cost + self.hypothesis.extra

    @property
    def order(self) -> tuple[bool, float, float]:
        """Those that fit first, then the simpler, then the closer; of those that do not fit the closer."""
        if self.misfit <= FITS:
            return False, self.cost, self.misfit
        return True, self.misfit * (1 + 0.1 * self.cost), self.cost


def scored(hypotheses: Iterable[Hypothesis], t: Any, y: Rates, tol: Any) -> list[Scored]:
    """Every hypothesis with its misfit at these steps, the best first."""
    return sorted((Scored(h, misfit(y, h.at(t), tol)) for h in hypotheses), key=lambda s: s.order)


def best_of(trace: Trace, screened: list[Scored]) -> list[Scored]:
    """The best of each cause, compared at every step of the trace."""
    found: dict[str, Scored] = {}
    for s in screened[:COMPARED]:
        kept = found.get(s.hypothesis.cause)
        if kept is not None and kept.misfit <= FITS:
            continue
        whole = Scored(s.hypothesis, misfit(trace.lrs, s.hypothesis.at(trace.steps), trace.tolerance))
        if kept is None or whole.order < kept.order:
            found[s.hypothesis.cause] = whole
    return sorted(found.values(), key=lambda s: s.order)[:KEPT]


def difference(trace: Trace, expected: Rates) -> tuple[int | None, float | None]:
    """The first step that is not as expected, and the largest error relative to what was expected there."""
    off = np.abs(trace.lrs - expected)
    wrong = off > trace.tolerance
    if not wrong.any():
        return None, None
    peak = float(np.abs(expected).max()) or 1.0
    scale = np.where(np.abs(expected) > 1e-6 * peak, np.abs(expected), peak)
    return int(trace.steps[np.argmax(wrong)]), float((off / scale)[wrong].max())


class _Blank(dict[str, Any]):
    """What a sentence asks for and no hypothesis gave."""

    def __missing__(self, key: str) -> str:
        return ""


def explanation(trace: Trace, s: Scored, anatomy: Anatomy | None) -> Explanation:
    """What a reader gets to see of a hypothesis."""
    h, cause = s.hypothesis, CAUSES[s.hypothesis.cause]
    first, size = (None, None) if anatomy is None else difference(trace, anatomy.at(trace.steps))
    if anatomy is None and h.cause not in ("follows",):
        first = h.parameters.get("r")
    numbers: dict[str, Any] = {name: _plain(value) for name, value in h.parameters.items()}
    if h.base is not None:
        numbers.setdefault("base_lr", float(h.base))
    words = {"schedule": _name(h), "log": _log(trace), "c": math.nan, "value": math.nan, "first_lr": math.nan}
    sentence = h.says or cause.sentence.format_map(_Blank(words | {"meant": 0.0} | numbers))
    if h.cause != "follows" and first is not None and size is not None:
        sentence += f" First wrong update: step {first}; largest error {100 * size:.3g} %."
    schedule = h.schedule if h.schedule is not None and _has_slug(h) else None
    return Explanation(cause.id, cause.title, sentence, cause.fix, first, size, s.misfit, schedule, numbers)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _has_slug(h: Hypothesis) -> bool:
    return h.schedule is not None and bool(h.schedule.slug)


def _name(h: Hypothesis) -> str:
    if h.schedule is None:
        return "the expected schedule"
    return f"{h.schedule.slug} at base LR {h.base:.6g}" if h.base is not None else h.schedule.slug


def _log(trace: Trace) -> str:
    parts = [f"logged every {trace.stride} steps"] if trace.stride > 1 else []
    parts += [f"rounded to {trace.digits} digits"] if trace.digits is not None else []
    return f" ({', '.join(parts)})" if parts else ""


def diagnosis(trace: Trace, anatomy: Anatomy | None, ranked: list[Scored]) -> Diagnosis:
    """The verdict that the ranked hypotheses give."""
    explanations = tuple(explanation(trace, s, anatomy) for s in ranked)
    fitting = [s for s in ranked if s.misfit <= FITS]
    if not fitting:
        verdict, tied = "unknown", 0
    else:
        verdict = "healthy" if fitting[0].hypothesis.cause in ("follows", "log-rounded", "log-strided") else "fault"
        tied = sum(s.cost - fitting[0].cost < EQUAL_COST for s in fitting)
        tied = 1 if fitting[0].hypothesis.cause == "follows" and anatomy is not None else tied
    expected = None if anatomy is None else anatomy.schedule
    return Diagnosis(trace, expected, verdict, explanations, tied, None if anatomy is None else anatomy.base)
