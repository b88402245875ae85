"""The verdict on each case of a library's release, and whether it is already known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from suite.engine.verdict import Verdict

from .core.case import LibraryCase, cases_of
from .core.library import Library
from .core.program import script_of
from .judge import judge_library
from .known.deviations import (
    LibraryDeviation,
    deviations,
    explaining,
    library_records,
    records_for,
)
from .sandbox.child import LibraryRun, Load
from .sandbox.sandbox import run_all

#: Libraries that are run at the same time, each in a process of its own.
PROCESSES = 2


@dataclasses.dataclass(frozen=True)
class LibraryFinding:
    """One case on one release: its run, its verdict, and its standing: follows, absent, known, fixed or news."""

    case: LibraryCase
    release: str
    run: LibraryRun
    verdict: Verdict
    standing: str
    causes: tuple[tuple[LibraryDeviation, ...], ...] = ()

    @property
    def entries(self) -> tuple[LibraryDeviation, ...]:
        """Every entry that the case shows, the most important first; one for each deviation."""
        return tuple(dict.fromkeys(entries[0] for entries in self.causes if entries))


def standing_of(case: LibraryCase, verdict: Verdict, release: str) -> str:
    """Compare a verdict with what is known.

    In the library's newest compared release each case must do exactly what its lines of cases.csv say; in any other
    release a deviation is known if an entry explains it.
    """
    if verdict.kind == "absent":
        return "absent"
    recorded = library_records().get(case.id, ()) if release == case.library.releases[-1] else ()
    if verdict.follows:
        return "fixed" if recorded else "follows"
    if not all(explaining(case, deviation, release) for deviation in verdict.deviations):
        return "news"
    if release != case.library.releases[-1]:
        return "known"
    return "known" if recorded == records_for(case, verdict, release) else "news"


def load_of(library: Library, files: Mapping[str, bytes] | None) -> Load:
    """What a sandbox needs to run the library from these files, or as it is installed where they are None."""
    return Load(files, library.real, dict(library.stand_ins))


def findings_of(library: Library, release: str, files: Mapping[str, bytes] | None) -> list[LibraryFinding]:
    """Run every case of a library with these files, or with the installed library where they are None."""
    cases = cases_of(library)
    scripts = map(script_of, cases)
    runs = run_all(load_of(library, files), ((script.imports, script.body) for script in scripts))
    return [finding_of(case, release, run) for case, run in zip(cases, runs, strict=True)]


def finding_of(case: LibraryCase, release: str, run: LibraryRun) -> LibraryFinding:
    """The finding of one run."""
    verdict = judge_library(case, run)
    causes = tuple(explaining(case, deviation, release) for deviation in verdict.deviations)
    return LibraryFinding(case, release, run, verdict, standing_of(case, verdict, release), causes)


def findings_of_all(
    jobs: Iterable[tuple[Library, str, Mapping[str, bytes] | None]],
    done: Callable[[str], object] = lambda name: None,
) -> Iterator[list[LibraryFinding]]:
    """The findings of each library and release, in order; two are run at a time."""

    def work(job: tuple[Library, str, Mapping[str, bytes] | None]) -> list[LibraryFinding]:
        found = findings_of(*job)
        done(job[0].name)
        return found

    with ThreadPoolExecutor(PROCESSES) as pool:
        yield from pool.map(work, list(jobs))


def stale(findings: Iterable[LibraryFinding]) -> list[str]:
    """The ids of the entries of these libraries that cover the release and that no case shows."""
    found = list(findings)
    shown = {entry.id for finding in found for entries in finding.causes for entry in entries}
    releases = {finding.case.library.name: finding.release for finding in found}
    return [
        entry.id
        for entry in deviations().values()
        if entry.library in releases and entry.covers(releases[entry.library]) and entry.id not in shown
    ]
