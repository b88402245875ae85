"""Libraries over their releases: releases with the same files are run once, and two releases can be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from .core.library import Library
from .findings import LibraryFinding, finding_of, findings_of_all
from .judge import tolerance

#: Library and release.
ReleaseOf = tuple[str, str]


def findings_of_releases(
    jobs: Iterable[tuple[Library, str, Mapping[str, bytes]]], done: Callable[[str], object] = lambda name: None
) -> dict[ReleaseOf, list[LibraryFinding]]:
    """The findings of each release, in order; of those with equal files one is run, and each judged on its own."""
    jobs = list(jobs)
    first: dict[tuple[str, frozenset[tuple[str, bytes]]], int] = {}
    twin = [first.setdefault((own.name, frozenset(files.items())), i) for i, (own, _, files) in enumerate(jobs)]
    distinct = [job for i, job in enumerate(jobs) if twin[i] == i]
    run = dict(zip([i for i in range(len(jobs)) if twin[i] == i], findings_of_all(distinct, done), strict=True))
    return {
        (own.name, release): run[twin[i]]
        if twin[i] == i
        else [finding_of(found.case, release, found.run) for found in run[twin[i]]]
        for i, (own, release, _) in enumerate(jobs)
    }


@dataclasses.dataclass(frozen=True)
class LibraryChange:
    """A case whose LRs differ between two releases: where first, and how far, as a share of the peak."""

    before: LibraryFinding
    after: LibraryFinding
    words: str
    size: float

    @property
    def fixes(self) -> bool:
        """Whether the case deviates before and follows after."""
        return not self.before.verdict.follows and self.after.verdict.follows


def changes_of(before: list[LibraryFinding], after: list[LibraryFinding]) -> list[LibraryChange]:
    """The cases that change from one release to another, those that appear or go included."""
    changes = []
    for old, new in zip(before, after, strict=True):
        words, size = _difference(old, new)
        if words:
            changes.append(LibraryChange(old, new, words, size))
    return changes


def _difference(old: LibraryFinding, new: LibraryFinding) -> tuple[str, float]:
    absent = [found.verdict.kind == "absent" for found in (old, new)]
    if any(absent):
        return ("", 0.0) if all(absent) else ("is new" if absent[0] else "is gone", 0.0)
    rows = min(len(old.run.lrs), len(new.run.lrs))
    one, two = (np.array(found.run.lrs[:rows]) for found in (old, new))
    if rows and one.shape == two.shape:
        peaks = np.array(old.case.lrs) * old.case.schedule.peak
        with np.errstate(invalid="ignore"):  # two infinite LRs
            off = np.abs(one - two) / peaks
        wrong = ~((off <= 2 * tolerance(old.case)) | (np.isnan(one) & np.isnan(two)))
        if wrong.any():
            step, group = int(np.argmax(wrong.any(axis=1))), int(np.argmax(wrong.any(axis=0)))
            size = float(np.nan_to_num(off[wrong], nan=np.inf).max())
            return f"step {step}: LR {one[step, group]:.6g} becomes {two[step, group]:.6g}", size
    if old.run.error != new.run.error:
        return f"{_ending(old)} becomes {_ending(new)}", 0.0
    return "", 0.0


def _ending(found: LibraryFinding) -> str:
    return f"{found.run.error} ({found.run.message})" if found.run.error else "no error"
