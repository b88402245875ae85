"""Bring releases into the cache: several at once, with retries, and one line for each that fails."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import cache
from .cache import ReleaseError
from .index import UNREADABLE, PipIndex
from .user_pip import NoStorage, NoWheel, Unreachable, no_storage

THREADS = 4
#: Seconds to wait before the second and third try.
WAITS = (1.0, 4.0)
_FULL = {errno.ENOSPC, errno.EDQUOT}
#: Problems of the cache's disk, as opposed to those of a wheel or of the network.
_STORAGE = {*_FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST}

#: Returns the kept files of a release; may use a folder for temporary files.
Getter = Callable[[str, Path], Mapping[str, bytes]]


class _Round:
    """One round of downloads: a missing network or a full disk stops the other downloads too."""

    def __init__(self, getter: Getter, waits: tuple[float, ...]) -> None:
        self.getter, self.waits = getter, waits
        self.stop = threading.Event()
        self.reason = "was not fetched: interrupted"

    def _try(self, release: str) -> None:
        try:
            with cache.workspace(release) as work:
                cache.store(release, self.getter(release, work))
        except OSError as error:
            if error.errno in _STORAGE:
                raise no_storage(release, error.strerror or str(error), full=error.errno in _FULL) from error
            raise

    def fetch(self, release: str) -> str | None:
        """Fetch one release with a few tries; return the reason if that fails."""
        problem: Exception | None = None
        for wait in (0.0, *self.waits):
            if self.stop.wait(wait):
                break
            try:
                self._try(release)
            except (NoWheel, NoStorage) as error:
                problem = error
                break
            except (ReleaseError, *UNREADABLE) as error:
                problem = error
            else:
                return None
        if problem is None:
            return f"release={release} {self.reason}"
        if isinstance(problem, Unreachable | NoStorage):
            self.reason = str(problem).partition(" ")[2]
            self.stop.set()
        if isinstance(problem, ReleaseError):
            return str(problem)
        return f"release={release} could not be fetched: {type(problem).__name__}: {problem}"


def fetch(
    releases: Iterable[str],
    *,
    offline: bool = False,
    getter: Getter | None = None,
    done: Callable[[str], object] = lambda release: None,
    threads: int = THREADS,
    waits: tuple[float, ...] = WAITS,
) -> dict[str, str]:
    """Bring releases into the cache; return the reason for each that could not be fetched.

    A release whose cached files are absent, incomplete or altered is fetched again.
    `getter` obtains the files (by default from pip's index); `done` is called with each release once it is settled.
    """
    cache.sweep()
    requested = list(dict.fromkeys(releases))
    missing = [release for release in requested if cache.read(release) is None]
    for release in requested:
        if release not in missing:
            done(release)
    if offline:
        return {release: _offline(release) for release in missing}
    round_ = _Round(getter or PipIndex().files, waits)
    failed: dict[str, str] = {}

    def work(release: str) -> None:
        reason = round_.fetch(release)
        if reason is not None:
            failed[release] = reason
        done(release)

    with ThreadPoolExecutor(threads) as pool:
        try:
            for _ in pool.map(work, missing):
                continue
        except BaseException:  # Ctrl-C: no further downloads, no further tries
            round_.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {release: failed[release] for release in missing if release in failed}


def _offline(release: str) -> str:
    if fault := cache.fault(release):
        return altered(release, fault)
    contents = f"{cache.root()} holds {', '.join(cache.cached()) or 'nothing'}"
    return f"release={release} must be in the cache when offline: {contents}"


def altered(release: str, fault: str) -> str:
    """The line that refuses cached files with this fault."""
    return f"release={release} must be fetched again, its cached files are {fault}: python -m suite fetch {release}"
