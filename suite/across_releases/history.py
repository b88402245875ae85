"""The history of one case: in which releases it does what."""

from __future__ import annotations

import dataclasses

from suite.engine.case import Case
from suite.engine.verdict import Verdict, verdict_of
from suite.known.deviations import entry_for
from suite.releases.cache import numbers
from suite.releases.load import load_release


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Consecutive releases in which a case does the same."""

    first: str
    last: str
    verdict: Verdict
    entry: str


def stretches(case: Case, groups: list[tuple[str, ...]]) -> list[Stretch]:
    """The history of a case over all releases, oldest first; `groups` lists the releases of equal code."""
    by_release = {}
    for group in groups:
        verdict = verdict_of(case, load_release(group[0]))
        by_release.update(dict.fromkeys(group, verdict))
    history: list[Stretch] = []
    for release in sorted(by_release, key=numbers):
        verdict = by_release[release]
        entry = entry_for(case, verdict, release) if verdict.kind == "deviates" else None
        if history and _behaviour(history[-1].verdict) == _behaviour(verdict):
            history[-1] = dataclasses.replace(history[-1], last=release)
        else:
            history.append(Stretch(release, release, verdict, entry.id if entry else ""))
    return history


def _behaviour(verdict: Verdict) -> tuple[object, ...]:
    """What must be equal for two releases to behave the same: the verdict and, where it deviates, the rates."""
    error_class = verdict.detail.split()[0] if verdict.shape == "error" else ""
    rates = tuple(f"{value:.9g}" for value in verdict.actual)
    return verdict.kind, verdict.shape, verdict.step, error_class, rates
