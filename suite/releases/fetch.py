"""Bring releases into the cache: several at once, with retries, and one line for each that fails."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

from suite.shared.user_pip import NoStorage, NoWheel, Unreachable, no_storage

from . import cache
from .cache import ReleaseError
from .index import UNREADABLE, PipIndex

THREADS = 4
#: Seconds to wait before the second and third try.
WAITS = (1.0, 4.0)
_FULL = {errno.ENOSPC, errno.EDQUOT}
#: Problems of the cache's disk, as opposed to those of a wheel or of the network.
_STORAGE = {*_FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST}

#: Returns the kept files of a release; may use a folder for temporary files.
Getter = Callable[[str, Path], Mapping[str, bytes]]
Item = TypeVar("Item", bound=Hashable)


class Round(Generic[Item]):
    """One round of downloads: a missing network or a full disk stops the other downloads too.

    `work` fetches and stores one item, whose text is its name in messages.  After `patience` items in a row that find
    no index, the network counts as missing.
    """

    def __init__(self, work: Callable[[Item], object], waits: tuple[float, ...] = WAITS, patience: int = 1) -> None:
        self.work, self.waits = work, waits
        self.patience = self._left = patience
        self.stop = threading.Event()
        self.reason = "was not fetched: interrupted"

    def _try(self, item: Item) -> None:
        try:
            self.work(item)
        except OSError as error:
            if error.errno in _STORAGE:
                raise no_storage(str(item), error.strerror or str(error), full=error.errno in _FULL) from error
            raise

    def fetch(self, item: Item) -> str | None:
        """Fetch one item with a few tries; return the reason if that fails."""
        problem: Exception | None = None
        for wait in (0.0, *self.waits):
            if self.stop.wait(wait):
                break
            try:
                self._try(item)
            except (NoWheel, NoStorage) as error:
                problem = error
                break
            except (ReleaseError, *UNREADABLE) as error:
                problem = error
            else:
                self._left = self.patience
                return None
        if problem is None:
            return f"release={item} {self.reason}"
        self._left -= isinstance(problem, Unreachable)
        if isinstance(problem, NoStorage) or (isinstance(problem, Unreachable) and self._left <= 0):
            self.reason = str(problem).partition(" ")[2]
            self.stop.set()
        if isinstance(problem, ReleaseError):
            return str(problem)
        return f"release={item} could not be fetched: {type(problem).__name__}: {problem}"

    def run(self, items: Iterable[Item], done: Callable[[Item], object], threads: int = THREADS) -> dict[Item, str]:
        """Fetch the items, several at once; return the reason for each that could not be fetched."""
        failed: dict[Item, str] = {}

        def settle(item: Item) -> None:
            reason = self.fetch(item)
            if reason is not None:
                failed[item] = reason
            done(item)

        requested = list(items)
        with ThreadPoolExecutor(threads) as pool:
            try:
                for _ in pool.map(settle, requested):
                    continue
            except BaseException:  # Ctrl-C: no further downloads, no further tries
                self.stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return {item: failed[item] for item in requested if item in failed}


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
    obtain = getter or PipIndex().files

    def work(release: str) -> None:
        with cache.workspace(release) as folder:
            cache.store(release, obtain(release, folder))

    return Round(work, waits).run(missing, done, threads)


def _offline(release: str) -> str:
    if fault := cache.fault(release):
        return altered(release, fault)
    contents = f"{cache.root()} holds {', '.join(cache.cached()) or 'nothing'}"
    return f"release={release} must be in the cache when offline: {contents}"


def altered(release: str, fault: str) -> str:
    """The line that refuses cached files with this fault."""
    return f"release={release} must be fetched again, its cached files are {fault}: python -m suite fetch {release}"
