"""Follow a log that still grows: answer again only when the answer has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .examine import LogDiagnosis

#: Identity of a version of a file: size and time of the last change; None while there is no file.
Version = tuple[int, int] | None


def version(path: Path) -> Version:
    """What changes whenever a file is written to."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def gist(result: LogDiagnosis) -> tuple[tuple[str, str, str], ...]:
    """Name, verdict and cause of every trace: the answer without numbers that change with each row."""
    return tuple(
        (
            diagnosis.trace.name,
            diagnosis.verdict,
            diagnosis.best.cause
            if diagnosis.best is not None and diagnosis.tied
            else "".join(fact.id for fact in diagnosis.facts[:1]),
        )
        for diagnosis in result.diagnoses
    )


def follow(
    path: Path,
    examine: Callable[[], LogDiagnosis],
    show: Callable[[LogDiagnosis], None],
    wait: Callable[[], bool],
    waiting: Callable[[str], None],
) -> LogDiagnosis | None:
    """Diagnose a log whenever it has changed, until `wait` says to stop; returns the last diagnosis.

    `examine` reads and diagnoses the log, and raises ValueError while there is nothing to read; `show` gets the first
    answer and each one with another gist; `waiting` gets, once each, the reasons why there is none.
    """
    seen: Version = None
    last: LogDiagnosis | None = None
    reasons: set[str] = set()
    first = True
    while True:
        now = version(path)
        if first or now != seen:
            first, seen = False, now
            try:
                result = examine()
            except ValueError as error:
                if last is None and str(error) not in reasons:
                    reasons.add(str(error))
                    waiting(str(error))
            else:
                if last is None or gist(result) != gist(last):
                    show(result)
                last = result
        if wait():
            return last
