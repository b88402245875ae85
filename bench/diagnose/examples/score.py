"""How often the diagnosis of a generated trace is right: per kind, per sort of log, and what it is taken for."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

from bench.diagnose.core.causes import group_of
from bench.diagnose.core.diagnosis import Diagnosis
from bench.diagnose.examine import diagnose

from .example import Example, example


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One example with the cause that came first (``unknown`` where none fits) and all that tie with it."""

    example: Example
    named: str
    tied: tuple[str, ...]

    @property
    def right(self) -> bool:
        """The true cause, or one that no trace can tell from it, is named first."""
        return group_of(self.named) == group_of(self.example.cause) if self.named != "unknown" else False

    @property
    def accused(self) -> bool:
        """A healthy trace is called faulty."""
        return self.example.cause == "follows" and self.named not in ("follows", "unknown")


def diagnosed(e: Example) -> Diagnosis:
    """The diagnosis of an example, told what the example says."""
    return diagnose(e.trace, e.expect, base_lr=e.base_lr, warmup_steps=e.warmup_steps, total_steps=e.total_steps)


def outcome(e: Example) -> Outcome:
    """Diagnose an example and compare."""
    found = diagnosed(e)
    named = found.explanations[0].cause if found.tied else "unknown"
    return Outcome(e, named, tuple(x.cause for x in found.explanations[: found.tied]))


def example_outcome(seed: int) -> Outcome:
    """The outcome of the example of a seed."""
    return outcome(example(seed))


def share(found: list[Outcome]) -> float | None:
    """The share that is right; None of none."""
    return sum(o.right for o in found) / len(found) if found else None


def summary(found: list[Outcome]) -> dict[str, Any]:
    """Everything that is reported, as plain data."""
    kinds: dict[str, Any] = {}
    by_cause = collections.defaultdict(list)
    for o in found:
        by_cause[o.example.cause].append(o)
    for cause, mine in sorted(by_cause.items()):
        taken = collections.Counter(o.named for o in mine if not o.right)
        kinds[cause] = {
            "examples": len(mine),
            "clean": share([o for o in mine if not o.example.degraded]),
            "degraded": share([o for o in mine if o.example.degraded]),
            "taken_for": dict(taken.most_common()),
        }
    faulty = [o for o in found if o.example.cause != "follows"]
    healthy = [o for o in found if o.example.cause == "follows"]
    return {
        "examples": len(found),
        "clean": share([o for o in faulty if not o.example.degraded]),
        "degraded": share([o for o in faulty if o.example.degraded]),
        "modes": {m: share([o for o in faulty if o.example.mode == m]) for m in ("expect", "settings", "nothing")},
        "healthy": len(healthy),
        "accused": sum(o.accused for o in healthy) / len(healthy) if healthy else None,
        "healthy_unknown": sum(o.named == "unknown" for o in healthy) / len(healthy) if healthy else None,
        "kinds": kinds,
    }
