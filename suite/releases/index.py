"""Which torch releases there are, and their own files, both through pip and the user's own configuration of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import cache
from .cache import FILES, OLDEST, ReleaseError, numbers

#: The releases known when this was written: used when the index cannot be asked.
FALLBACK = (
    *("1.11.0", "1.12.0", "1.12.1", "1.13.0", "1.13.1", "2.0.0", "2.0.1", "2.1.0", "2.1.1", "2.1.2"),
    *("2.2.0", "2.2.1", "2.2.2", "2.3.0", "2.3.1", "2.4.0", "2.4.1", "2.5.0", "2.5.1", "2.6.0", "2.7.0", "2.7.1"),
    *("2.8.0", "2.9.0", "2.9.1", "2.10.0", "2.11.0", "2.12.0", "2.12.1", "2.13.0", "2.14.0", "2.14.1", "2.15.0"),
)
#: Each release has wheels for about five versions of Python; these two, and the one that runs, meet all releases.
PYTHONS = tuple(dict.fromkeys(("3.10", "3.14", f"{sys.version_info[0]}.{sys.version_info[1]}")))
#: macOS wheels for arm64 are the smallest (43 to 140 MB). A system of this number may install all older ones' too.
PLATFORM = "macosx_40_0_arm64"
THREADS = 4
#: Seconds to wait before the second and third try.
WAITS = (1.0, 4.0)

_FINAL = re.compile(r"(\d+\.\d+\.\d+)(?:\+\w+)?", re.ASCII)
_NO_NETWORK = re.compile(
    r"Retrying \(|Could not fetch URL|ConnectionError|Connection (?:refused|reset|aborted|broken)|NameResolution"
    r"|Temporary failure in name|Network is unreachable|timed out|ProxyError|SSLError|HTTP error 5\d\d"
)


class NoWheel(ReleaseError):
    """pip reached the index, which has no such wheel: trying again is no use."""


class Unreachable(ReleaseError):
    """pip could not reach the index."""


#: Puts the wheel of a release in a folder and returns its path.
Download = Callable[[str, Path], Path]


def _pip(arguments: Iterable[str], scratch: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if scratch is not None:  # pip's temporary files: after a kill they are swept away with the folder
        environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    common = ("--disable-pip-version-check", "--no-input", "--no-color", "--retries", "1", "--no-cache-dir")
    return subprocess.run(
        [sys.executable, "-m", "pip", *common, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _wheel_for(python: str) -> tuple[str, ...]:
    target = ("--python-version", python, "--implementation", "cp", "--platform", PLATFORM)
    return ("--only-binary=:all:", *target)


def _failure(release: str, output: str) -> ReleaseError:
    """What pip's complaint means."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1] if lines else "no message")
    if "No module named pip" in output:
        return NoWheel(f"release={release} must be fetched by pip, which this Python lacks: python -m ensurepip")
    if _NO_NETWORK.search(output):
        return Unreachable(f"release={release} must be fetched, but pip cannot reach its index")
    kind = NoWheel if "No matching distribution" in output else ReleaseError
    return kind(f"release={release} must be fetched, but pip says: {last}")


def download(release: str, work: Path) -> Path:
    """The release's wheel, in the folder `work`; raises ReleaseError."""
    for python in PYTHONS:
        wanted = ("--dest", str(work), f"torch=={release}")
        done = _pip(("download", "--quiet", "--no-deps", *_wheel_for(python), *wanted), scratch=work)
        if done.returncode == 0:
            return next(work.glob("*.whl"))
        problem = _failure(release, done.stdout + done.stderr)
        if not isinstance(problem, NoWheel):
            break
    raise problem


def parse_versions(text: str) -> list[str]:
    """The final releases from 1.11 on in what `pip index versions` prints, oldest first.

    >>> parse_versions("torch (2.10.0)\\nAvailable versions: 2.10.0, 2.9.1+cpu, 2.9.1, 2.9.0rc1, 1.9.0\\n")
    ['2.9.1', '2.10.0']
    """
    found = set()
    for line in text.splitlines():
        head, colon, tail = line.partition(":")
        if colon and head.strip().lower() == "available versions":
            found |= {match[1] for word in tail.split(",") if (match := _FINAL.fullmatch(word.strip()))}
    return sorted((release for release in found if numbers(release)[:2] >= OLDEST), key=numbers)


def _listed(python: str) -> list[str]:
    return parse_versions(_pip(("index", "versions", "torch", *_wheel_for(python))).stdout)


def available(*, offline: bool = False) -> tuple[tuple[str, ...], bool]:
    """Every release, oldest first, and whether the index named them; what is cached always belongs to them."""
    named: set[str] = set()
    if not offline:
        with ThreadPoolExecutor(len(PYTHONS)) as pool:
            named = {release for listed in pool.map(_listed, PYTHONS) for release in listed}
    return tuple(sorted({*(named or FALLBACK), *cache.cached()}, key=numbers)), bool(named)


def extract(wheel: Path) -> dict[str, bytes]:
    """The kept files out of a wheel; raises zipfile.BadZipFile or KeyError where it is damaged."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(f"torch/optim/{name}") for name in FILES}


class _Fetching:
    """One round of downloads: the first that finds no network spares the others the wait."""

    def __init__(self, getter: Download, waits: tuple[float, ...]) -> None:
        self.getter, self.waits = getter, waits
        self.stop = threading.Event()

    def _once(self, release: str) -> None:
        with cache.workspace(release) as work:
            cache.store(release, extract(self.getter(release, work)))

    def one(self, release: str) -> str | None:
        """Fetch a release with a few tries; return the reason if that fails."""
        problem: Exception = Unreachable(f"release={release} was not tried, for pip cannot reach its index")
        for wait in (0.0, *self.waits):
            if self.stop.wait(wait):
                break
            try:
                self._once(release)
            except NoWheel as error:
                return str(error)
            except (ReleaseError, OSError, KeyError, zipfile.BadZipFile) as error:
                problem = error
            else:
                return None
        if isinstance(problem, Unreachable):
            self.stop.set()
        if isinstance(problem, ReleaseError):
            return str(problem)
        return f"release={release} must be fetched and kept: {type(problem).__name__}: {problem}"


def fetch(
    releases: Iterable[str],
    *,
    offline: bool = False,
    getter: Download = download,
    done: Callable[[str], object] = lambda release: None,
    threads: int = THREADS,
    waits: tuple[float, ...] = WAITS,
) -> dict[str, str]:
    """Bring releases into the cache; return the reason for each that could not be had.

    A release whose cached files are absent, incomplete or altered is downloaded again.
    `getter` obtains a wheel; `done` is called with each release as it is dealt with.
    """
    cache.sweep()
    wanted = list(dict.fromkeys(releases))
    lacking = [release for release in wanted if cache.read(release) is None]
    for release in wanted:
        if release not in lacking:
            done(release)
    if offline:
        holds = f"{cache.root()} holds {', '.join(cache.cached()) or 'nothing'}"
        return {release: f"release={release} must be in the cache when offline: {holds}" for release in lacking}
    round_ = _Fetching(getter, waits)
    failed: dict[str, str] = {}

    def work(release: str) -> None:
        reason = round_.one(release)
        if reason is not None:
            failed[release] = reason
        done(release)

    with ThreadPoolExecutor(threads) as pool:
        try:
            for _ in pool.map(work, lacking):
                continue
        except BaseException:  # Ctrl-C: no further downloads, no further tries
            round_.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {release: failed[release] for release in lacking if release in failed}
