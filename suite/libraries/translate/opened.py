"""A release of a library, opened: its files, what they define, and a process that runs scripts with them."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence

from suite.libraries.catalogue import libraries
from suite.libraries.core.library import Library
from suite.libraries.sandbox.child import LibraryRun, Load
from suite.libraries.sandbox.sandbox import Sandbox
from suite.libraries.wheels.files import files_of

from .matching import CallMatcher
from .signatures import Signatures

#: The IDs of what was run already, and its result: two schedules may lead to the same script.
Scripts = tuple[str, str]


class OpenedLibrary:
    """One release of one library; raises ReleaseError where its files cannot be read."""

    def __init__(self, library: Library, release: str = "", *, offline: bool = False) -> None:
        self.library = library
        self.release = release or library.releases[-1]
        self.files = files_of(library, self.release, offline=offline)
        self._sandbox: Sandbox | None = None
        self._done: dict[Scripts, LibraryRun] = {}
        self._lock = threading.Lock()

    @functools.cached_property
    def signatures(self) -> Signatures:
        """What its files define."""
        return Signatures(self.library, self.files)

    @functools.cached_property
    def matcher(self) -> CallMatcher:
        """Compares calls with its templates."""
        return CallMatcher(self.signatures)

    def run(self, imports: str, body: str) -> LibraryRun:
        """The result of a script, which is run once."""
        with self._lock:
            key = imports, body
            if key not in self._done:
                if self._sandbox is None:
                    library = self.library
                    self._sandbox = Sandbox(Load(self.files, library.real, dict(library.stand_ins)))
                self._done[key] = self._sandbox.run(imports, body)
            return self._done[key]

    def close(self) -> None:
        """End its process."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None


class Shelf:
    """The libraries, each opened when it is first asked for, and all closed at the end."""

    def __init__(self, *, offline: bool = False, releases: dict[str, str] | None = None) -> None:
        self._offline, self._releases = offline, releases or {}
        self._opened: dict[str, OpenedLibrary] = {}
        self._lock = threading.Lock()

    def open(self, name: str) -> OpenedLibrary:
        """The library of this name; raises ReleaseError."""
        with self._lock:
            if name not in self._opened:
                library, release = libraries()[name], self._releases.get(name, "")
                self._opened[name] = OpenedLibrary(library, release, offline=self._offline)
            return self._opened[name]

    def __enter__(self) -> Shelf:
        return self

    def __exit__(self, *exc: object) -> None:
        for opened in self._opened.values():
            opened.close()


def names_of(chosen: Sequence[str]) -> tuple[str, ...]:
    """The chosen libraries, or all."""
    return tuple(chosen) or tuple(libraries())
