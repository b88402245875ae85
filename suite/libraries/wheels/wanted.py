"""What is kept of a release of a library: the files that match its patterns, in a folder that is named after them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from suite.libraries.core.library import Library
from suite.libraries.core.version import final_version
from suite.releases import cache
from suite.releases.cache import SUMS, ReleaseError
from suite.shared.files import write_whole
from suite.shared.user_pip import NoWheel

#: The SHA-256 of the manifest of every release that the libraries declare: a file that was altered is refused.
KNOWN = Path(__file__).with_name("known_files.sha256")
_KNOWN_LINE = re.compile(rf"([0-9a-f]{{64}})  (\S+)/{SUMS}")


@dataclasses.dataclass(frozen=True)
class WantedFiles:
    """The files of one release of a project that match the patterns; `sdist`: its source archive is preferred."""

    project: str
    release: str
    patterns: tuple[str, ...]
    sdist: bool

    def __str__(self) -> str:
        return f"{self.project}-{self.release}"

    @property
    def name(self) -> str:
        """The name of its folder: other patterns have another one, so that none gets the files of others."""
        asked = "\n".join((*(("sdist",) if self.sdist else ()), *sorted(self.patterns)))
        return f"{self}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"

    @property
    def folder(self) -> Path:
        """Where its files are, or will be."""
        return cache.root() / "libraries" / self.name

    def matches(self, path: str) -> bool:
        """Whether the file at this path of the archive is wanted; a glob does not take an ``__init__.py``."""
        if path in self.patterns:
            return True
        init = path.rpartition("/")[2] == "__init__.py"
        return not init and any(fnmatchcase(path, pattern) for pattern in self.patterns)

    def _stored(self) -> tuple[dict[str, bytes] | None, str]:
        files, problem = cache.read_folder(self.folder)
        if files is None:
            return None, problem
        if not all(map(self.matches, files)):
            return None, "damaged"
        return (files, "") if self.genuine(files) else (None, "not those that were published")

    def read(self) -> dict[str, bytes] | None:
        """Its cached files, verified; None where they are absent, incomplete, damaged or not the published ones."""
        return self._stored()[0]

    def fault(self) -> str:
        """What is wrong with its cached files; empty where they are fine or absent."""
        return self._stored()[1]

    def genuine(self, files: Mapping[str, bytes]) -> bool:
        """Whether these are the published files; always True where the repository does not list the release."""
        return known().get(self.name) in (None, hashlib.sha256(cache.manifest(files)).hexdigest())

    def store(self, files: Mapping[str, bytes]) -> None:
        """Keep its files; raises ReleaseError where there are none, or other ones than were published."""
        if not files:
            raise NoWheel(f"release={self} was refused: it has no file {' or '.join(self.patterns)}")
        if not self.genuine(files):
            raise ReleaseError(f"release={self} was refused: the index's files differ from those that were published")
        cache.put(self.folder, files, str(self))


def wanted(library: Library, release: str) -> WantedFiles:
    """What is read of a release of a library; raises ReleaseError for anything but a final release."""
    name = release.strip()
    if final_version(name) is None:
        newest = f" such as {library.releases[-1]}" if library.releases else ""
        raise ReleaseError(f"release={release!r} must be a final release of {library.project}{newest}")
    return WantedFiles(library.project, name, tuple(library.files), library.sdist)


@functools.cache
def known() -> Mapping[str, str]:
    """Each folder that the repository lists, and the SHA-256 of its manifest."""
    matches = map(_KNOWN_LINE.fullmatch, KNOWN.read_text(encoding="ascii").splitlines())
    return {match[2]: match[1] for match in matches if match is not None}


def declared(libraries: Iterable[Library]) -> list[WantedFiles]:
    """What is read of the releases that the libraries compare, library by library, oldest release first."""
    with_files = (library for library in libraries if library.project)
    return [wanted(library, release) for library in with_files for release in library.releases]


def add_to_known(libraries: Iterable[Library]) -> list[WantedFiles]:
    """List what is declared and cached, and drop the rest; return what was added."""
    lines, added = {}, []
    for item in declared(libraries):
        if item.name in known():
            lines[item.name] = known()[item.name]
        elif files := item.read():
            lines[item.name] = hashlib.sha256(cache.manifest(files)).hexdigest()
            added.append(item)
    write_whole(KNOWN, "".join(f"{digest}  {name}/{SUMS}\n" for name, digest in lines.items()).encode())
    known.cache_clear()
    return added
