"""The package index: which torch releases it has, and three files of each, read as pip is configured to."""

from __future__ import annotations

import functools
import http.client
import io
import re
import sys
import threading
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from suite.shared import user_pip
from suite.shared.remote_file import Traffic, in_parts, opener
from suite.shared.user_pip import NoWheel, parse_links, parse_versions

from . import cache
from .cache import FILES, ReleaseError, numbers

#: The releases listed in the repository: used when the index cannot be asked.
FALLBACK = tuple(cache.known())
#: Each release has wheels for about five versions of Python; these two and the running one cover all releases.
PYTHONS = tuple(dict.fromkeys(("3.10", "3.14", f"{sys.version_info[0]}.{sys.version_info[1]}")))
#: macOS wheels for arm64 are the smallest (43 to 140 MB). This version of the system accepts all older ones' too.
PLATFORM = "macosx_40_0_arm64"
#: What is fetched for one release, mostly its wheel's directory of 10,000 names; shown before a fetch.
BYTES_PER_RELEASE = 1_300_000

_ANSWER = re.compile(r'HTTP/\d(?:\.\d)?" 200 (\d+)$', re.MULTILINE)
#: What reading a damaged wheel, or a part of one, may raise.
UNREADABLE = (OSError, EOFError, KeyError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def _wheel_for(python: str) -> tuple[str, ...]:
    target = ("--python-version", python, "--implementation", "cp", "--platform", PLATFORM)
    return ("--only-binary=:all:", *target)


def _listed(python: str) -> str:
    """What pip prints of torch's wheels for one version of Python; `-vv` adds their links."""
    return user_pip.run(("-vv", "index", "versions", "torch", *_wheel_for(python))).stdout


def count_answers(text: str, traffic: Traffic) -> None:
    """Count the pages that pip says it has read."""
    for match in _ANSWER.finditer(text):
        traffic.add(int(match[1]))


def extract(wheel: Path | io.BufferedIOBase) -> dict[str, bytes]:
    """The kept files of a wheel, their checksums verified; raises one of UNREADABLE where it is damaged."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(f"torch/optim/{name}") for name in FILES}


class PipIndex:
    """The index that pip is configured to use; `traffic` counts what is fetched from it.

    `warn` is called once, with one line, before the first whole wheel is downloaded.
    """

    def __init__(self, warn: Callable[[str], object] = lambda line: None) -> None:
        self.traffic = Traffic()
        self.warn = warn
        self._lock = threading.Lock()

    @functools.cached_property
    def _listing(self) -> list[str]:
        with ThreadPoolExecutor(len(PYTHONS)) as pool:
            texts = list(pool.map(_listed, PYTHONS))
        for text in texts:
            count_answers(text, self.traffic)
        return texts

    def releases(self) -> set[str]:
        """The releases that the index lists; empty where pip cannot ask it."""
        with self._lock:
            return {release for text in self._listing for release in parse_versions(text)}

    @functools.cached_property
    def _links(self) -> dict[str, str]:
        return {release: url for text in reversed(self._listing) for release, url in parse_links(text).items()}

    @functools.cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        return opener(user_pip.network_settings())

    def files(self, release: str, work: Path) -> dict[str, bytes]:
        """The kept files of a release: three parts of its wheel, or the whole wheel where that fails.

        `work` is an empty folder for temporary files. Raises ReleaseError, or one of UNREADABLE.
        """
        reason = "pip shows no link to it"
        with self._lock:
            url = self._links.get(release)
        if url is not None:
            try:
                files = self._parts(url)
                if cache.genuine(release, files):
                    return files
                reason = "its files differ from the published ones"
            except (*UNREADABLE, http.client.HTTPException) as error:
                reason = str(error) or type(error).__name__
            self._announce(release, reason)
        wheel = self.download(release, work)
        self._announce(release, reason)
        return extract(wheel)

    def _announce(self, release: str, reason: str) -> None:
        with self._lock:
            warn, self.warn = self.warn, lambda line: None
        line = (
            f"torch {release}'s wheel cannot be read in parts ({reason}): downloading whole wheels, 43 to 140 MB each"
        )
        warn(user_pip.without_credentials(line))

    def _parts(self, url: str) -> dict[str, bytes]:
        """The kept files by range requests, with one retry; or from a wheel on this machine."""
        with self._lock:
            connect = self._opener
        return in_parts(url, extract, connect, self.traffic)

    def download(self, release: str, work: Path) -> Path:
        """The release's whole wheel, in the folder `work`; raises ReleaseError."""
        path = download(f"torch=={release}", work, map(_wheel_for, PYTHONS), release)
        self.traffic.add(path.stat().st_size)
        return path


def download(requirement: str, work: Path, targets: Iterable[tuple[str, ...]], label: str) -> Path:
    """The wheel that pip downloads to the folder `work` for the first of its settings that has one.

    Raises ReleaseError, whose line has the label.
    """
    problem: ReleaseError = NoWheel(f"release={label} could not be fetched")
    for target in targets:
        arguments = ("download", "--no-deps", *target, "--dest", str(work), requirement)
        done = user_pip.run(arguments, scratch=work)
        if done.returncode == 0:
            return next(work.glob("*.whl"))
        problem = user_pip.failure(label, done.stdout + done.stderr)
        if not isinstance(problem, NoWheel):
            break
    raise problem


def available(*, offline: bool = False, index: PipIndex | None = None) -> tuple[tuple[str, ...], bool]:
    """Every release, oldest first, and whether the index listed them; cached releases are always included."""
    listed = set() if offline else (index or PipIndex()).releases()
    return tuple(sorted({*(listed or FALLBACK), *cache.cached()}, key=numbers)), bool(listed)
