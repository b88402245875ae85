"""The index that pip is configured to use, asked for any project: its releases, and the wanted files of one."""

from __future__ import annotations

import functools
import http.client
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

from suite.releases.cache import ReleaseError
from suite.releases.index import UNREADABLE, count_answers, download
from suite.shared import user_pip
from suite.shared.remote_file import TIMEOUT, Traffic, in_parts, opener
from suite.shared.user_pip import NoWheel, Unreachable

from .archives import DAMAGED, files_in_sdist, files_in_wheel
from .links import Archive, archives_in, chosen, releases_in
from .wanted import WantedFiles

_PROBLEMS = (*UNREADABLE, *DAMAGED, http.client.HTTPException)
#: What a server answers to those without a password.
_PRIVATE = {401, 403, 407}


class LibraryIndex:
    """Asks pip once for each project; `traffic` counts what is fetched, `releases` and `files` what was kept."""

    def __init__(self) -> None:
        self.traffic = Traffic()
        self.releases = self.files = 0
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._archives: dict[str, tuple[Archive, ...]] = {}

    def archives(self, project: str) -> tuple[Archive, ...]:
        """Every archive of a project; raises ReleaseError where pip finds none."""
        with self._lock:
            lock = self._locks[project]
        with lock:
            if project not in self._archives:
                done = user_pip.run(("-vv", "index", "versions", project))
                output = done.stdout + done.stderr
                count_answers(output, self.traffic)
                archives = archives_in(output, project)
                problem = user_pip.failure(project, output)
                if not archives or (done.returncode and isinstance(problem, Unreachable)):
                    raise problem
                self._archives[project] = archives
            return self._archives[project]

    @functools.cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        return opener(user_pip.network_settings())

    def _connect(self) -> urllib.request.OpenerDirector:
        with self._lock:
            return self._opener

    def fetch(self, wanted: WantedFiles, work: Path) -> dict[str, bytes]:
        """The wanted files of a release; `work` is an empty folder for temporary files.

        Raises ReleaseError, or one of UNREADABLE.
        """
        archives = self.archives(wanted.project)
        archive = chosen(archives, wanted.release, sdist=wanted.sdist)
        if archive is None:
            newest = releases_in(archives)[-1:]
            hint = f"; the newest is {newest[0]}" if newest else ""
            raise NoWheel(f"release={wanted} could not be fetched: the index has no such release{hint}")
        try:
            return self._read(archive, wanted, work)
        except DAMAGED as error:
            reason = f"{archive.name} is damaged ({type(error).__name__})"
            raise ReleaseError(f"release={wanted} could not be fetched: {reason}") from error
        except http.client.HTTPException as error:
            raise OSError(f"the connection broke ({type(error).__name__})") from error

    def _read(self, archive: Archive, wanted: WantedFiles, work: Path) -> dict[str, bytes]:
        if not archive.wheel:
            return files_in_sdist(self._whole(archive, wanted), wanted.matches)
        files = self._parts(archive, wanted)
        if files is not None:
            return files
        requirement = f"{wanted.project}=={archive.release}"
        wheel = download(requirement, work, [_settings_for(archive)], str(wanted))
        self.traffic.add(wheel.stat().st_size)
        return files_in_wheel(wheel, wanted.matches)

    def _parts(self, archive: Archive, wanted: WantedFiles) -> dict[str, bytes] | None:
        """The files by range requests; None where the server cannot do that, or only pip has the password."""
        if archive.hidden:
            return None
        read = functools.partial(files_in_wheel, matches=wanted.matches)
        try:
            return in_parts(archive.url, read, self._connect(), self.traffic)
        except _PROBLEMS:
            return None

    def _whole(self, archive: Archive, wanted: WantedFiles) -> bytes:
        """A whole file: a compressed tar has no directory that could be read first, and pip would build it."""
        if archive.url.startswith("file:"):
            return Path(urllib.request.url2pathname(urlsplit(archive.url).path)).read_bytes()
        refused = NoWheel(f"release={wanted} could not be fetched: only pip has the password for {archive.name}")
        if archive.hidden:
            raise refused
        try:
            with self._connect().open(archive.url, timeout=TIMEOUT) as response:
                content: bytes = response.read()
        except urllib.error.HTTPError as error:
            if error.code in _PRIVATE:
                raise refused from error
            raise
        self.traffic.add(len(content))
        return content

    def count(self, files: int) -> None:
        """Count one release that was fetched and kept."""
        with self._lock:
            self.releases += 1
            self.files += files

    def summary(self) -> str:
        """What was fetched, in words; empty where nothing was."""
        if not self.traffic.requests:
            return ""
        size = f"{self.traffic.bytes / 1e6:.1f} MB in {self.traffic.requests} requests"
        return f"fetched {self.files} files of {self.releases} releases, {size}"


def _settings_for(wheel: Archive) -> tuple[str, ...]:
    """pip's settings with which it downloads this wheel, whatever Python it runs on."""
    python, abi, platform = wheel.tags
    newest = python.rpartition(".")[2]
    target = ["--only-binary=:all:", "--ignore-requires-python", "--abi", abi.partition(".")[0]]
    for name in platform.split("."):
        target += ["--platform", name]
    if newest.startswith("cp"):
        target += ["--implementation", "cp", "--python-version", newest[2:]]
    return tuple(target)
