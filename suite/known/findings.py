"""Findings: the verdict on each case, and whether it is already known."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Iterable, Iterator

from rich.progress import TimeRemainingColumn

from suite.cases.catalogue import all_cases
from suite.engine.case import Case
from suite.engine.subject import installed
from suite.engine.verdict import Verdict, verdict_of
from suite.shared.console import progress_bar

from .deviations import Known, explained, standing


@dataclasses.dataclass(frozen=True)
class Finding:
    """One case, its verdict, and where that leaves it: follows, absent, known, fixed or news.

    `causes` has, for each of the verdict's deviations, the entries that explain it.
    """

    case: Case
    verdict: Verdict
    standing: str
    causes: tuple[tuple[Known, ...], ...] = ()

    @property
    def entries(self) -> tuple[Known, ...]:
        """Every entry that the case shows, the most important first."""
        return tuple(dict.fromkeys(entry for entries in self.causes for entry in entries))

    @property
    def entry(self) -> Known | None:
        """The most important entry; None where there is none."""
        return next(iter(self.entries), None)


def judged(
    cases: Iterable[Case],
    verdicts: Iterable[Verdict],
    release: str,
    quiet: bool,
    run: Callable[[Case], Verdict] | None = None,
) -> Iterator[Finding]:
    """Compare each verdict with what is known for the release; show progress unless `quiet`.

    `run` judges a case on a release whose causes are not recorded.
    """
    cases = tuple(cases)
    with progress_bar(quiet=quiet, clock=TimeRemainingColumn()) as progress:
        task = progress.add_task("checking", total=len(cases))
        for case, verdict in zip(cases, verdicts, strict=True):
            yield Finding(case, verdict, standing(case, verdict, release), explained(case, verdict, release, run))
            progress.advance(task)


@functools.cache
def all_findings() -> tuple[Finding, ...]:
    """Every case on the installed torch; computed once per process."""
    subject, cases = installed(), all_cases()
    return tuple(judged(cases, (verdict_of(case, subject) for case in cases), subject.release, quiet=True))


def by_entry(findings: Iterable[Finding], standings: Collection[str] = ("known",)) -> dict[str, list[Finding]]:
    """The findings with one of these standings, grouped by the entries that explain them."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        for entry in finding.entries if finding.standing in standings else ():
            groups.setdefault(entry.id, []).append(finding)
    return groups
