"""How often the diagnosis of a generated trace is right: by cause and kind of log, and what it is mistaken for."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

from bench.diagnose.core.causes import group_of
from bench.diagnose.core.diagnosis import Diagnosis
from bench.diagnose.examine import diagnose

from .example import Example, example


@dataclasses.dataclass(frozen=True)
class ScoredExample:
    """An example with the cause that was named first (``unknown`` if none fits) and all causes tied with it."""

    example: Example
    named: str
    tied: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether the true cause, or one with the same trace, is named first."""
        return group_of(self.named) == group_of(self.example.cause) if self.named != "unknown" else False

    @property
    def accused(self) -> bool:
        """Whether a healthy trace is reported as faulty."""
        return self.example.cause == "follows" and self.named not in ("follows", "unknown")


def diagnosed(case: Example) -> Diagnosis:
    """The diagnosis of an example, given what the example provides."""
    return diagnose(
        case.trace,
        case.expect,
        base_lr=case.base_lr,
        warmup_steps=case.warmup_steps,
        total_steps=case.total_steps,
    )


def score_example(seed: int) -> ScoredExample:
    """Diagnose the example of a seed and compare."""
    case = example(seed)
    diagnosis = diagnosed(case)
    named = diagnosis.explanations[0].cause if diagnosis.tied else "unknown"
    return ScoredExample(case, named, tuple(tied.cause for tied in diagnosis.explanations[: diagnosis.tied]))


def share(scored: list[ScoredExample]) -> float | None:
    """The share that is right; None for an empty list."""
    return sum(s.right for s in scored) / len(scored) if scored else None


def summary(scored: list[ScoredExample]) -> dict[str, Any]:
    """All reported figures as plain data."""
    kinds: dict[str, Any] = {}
    by_cause = collections.defaultdict(list)
    for s in scored:
        by_cause[s.example.cause].append(s)
    for cause, mine in sorted(by_cause.items()):
        taken = collections.Counter(s.named for s in mine if not s.right)
        kinds[cause] = {
            "examples": len(mine),
            "clean": share([s for s in mine if not s.example.degraded]),
            "degraded": share([s for s in mine if s.example.degraded]),
            "taken_for": dict(taken.most_common()),
        }
    faulty = [s for s in scored if s.example.cause != "follows"]
    healthy = [s for s in scored if s.example.cause == "follows"]
    return {
        "examples": len(scored),
        "clean": share([s for s in faulty if not s.example.degraded]),
        "degraded": share([s for s in faulty if s.example.degraded]),
        "modes": {
            mode: share([s for s in faulty if s.example.mode == mode]) for mode in ("expect", "settings", "nothing")
        },
        "healthy": len(healthy),
        "accused": sum(s.accused for s in healthy) / len(healthy) if healthy else None,
        "healthy_unknown": sum(s.named == "unknown" for s in healthy) / len(healthy) if healthy else None,
        "kinds": kinds,
    }
