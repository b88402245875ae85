"""A round of fetches: retries, several at once, one clear line for each failure; no network is needed."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from suite.releases import cache
from suite.releases.cache import ReleaseError
from suite.releases.fetch import fetch
from suite.releases.index import extract
from suite.shared import user_pip
from suite.shared.user_pip import NoStorage, NoWheel, Unreachable
from suite.tests import fake_index

RELEASES = tuple(f"9.{minor}.0" for minor in range(8))


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for this test alone."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_nothing_is_fetched_twice() -> None:
    """A cached release needs no download."""
    fetch(RELEASES[:2], getter=fake_index.files)
    tries: list[str] = []
    fetch(RELEASES[:3], getter=lambda r, work: tries.append(r) or fake_index.files(r, work))  # type: ignore[func-returns-value]
    assert tries == [RELEASES[2]]


@pytest.mark.parametrize("size", [-100, 100, 0], ids=["end missing", "start only", "empty"])
def test_a_damaged_wheel_is_fetched_again(size: int) -> None:
    """A truncated wheel costs a further try, not the run."""
    tries: list[str] = []

    def broken_once(release: str, work: Path) -> dict[str, bytes]:
        path = fake_index.wheel(release, work)
        tries.append(release)
        if len(tries) == 1:
            path.write_bytes(path.read_bytes()[:size])
        return extract(path)

    assert fetch(RELEASES[:1], getter=broken_once, waits=(0.0,)) == {}
    assert len(tries) == 2


def test_a_wheel_without_the_files_is_one_line() -> None:
    """A wheel that lacks the schedulers is reported, after the retries, with what is missing."""

    def incomplete(release: str, work: Path) -> dict[str, bytes]:
        raise KeyError("There is no item named 'torch/optim/lr_scheduler.py' in the archive")

    (line,) = fetch(RELEASES[:1], getter=incomplete, waits=(0.0,)).values()
    assert line.startswith(f"release={RELEASES[0]} could not be fetched: KeyError: ")


def test_offline_uses_what_is_cached() -> None:
    """Offline, the cached releases are used, and each other's line names the release and the cache."""
    fetch(RELEASES[:2], getter=fake_index.files)
    failed = fetch(RELEASES[:3], offline=True)
    assert list(failed) == [RELEASES[2]]
    assert failed[RELEASES[2]].startswith(f"release={RELEASES[2]} must be in the cache when offline: ")
    assert f"holds {RELEASES[0]}, {RELEASES[1]}" in failed[RELEASES[2]]


def test_no_network_is_found_out_once() -> None:
    """The first release that finds no index stops the others; each gets a reason; what is cached stays."""
    fetch(RELEASES[:1], getter=fake_index.files)
    tries: list[str] = []

    def unreachable(release: str, work: Path) -> dict[str, bytes]:
        tries.append(release)
        raise Unreachable(f"release={release} could not be fetched: pip cannot reach its index")

    failed = fetch(RELEASES, getter=unreachable, waits=(0.0,), threads=1)
    assert failed == {r: f"release={r} could not be fetched: pip cannot reach its index" for r in RELEASES[1:]}
    assert tries == [RELEASES[1]] * 2
    assert cache.cached() == [RELEASES[0]]


def full_disk(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Let every file of the cache fail with this error."""

    def fails(path: Path, data: bytes) -> int:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "write_bytes", fails)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_full_disk_is_one_line(code: int, cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the cache and how to move it; there are no retries, and the other releases are not tried."""
    tries: list[str] = []

    def getter(release: str, work: Path) -> dict[str, bytes]:
        tries.append(release)
        return fake_index.contents(release)

    full_disk(monkeypatch, code)
    failed = fetch(RELEASES[:3], getter=getter, waits=(0.0,), threads=1)
    advice = "free some space, or set" if code in (errno.ENOSPC, errno.EDQUOT) else "set"
    line = f"could not be stored in {cache_folder}: {os.strerror(code)}; {advice} WARMUP_BENCH_CACHE to another folder"
    assert failed == {r: f"release={r} {line}" for r in RELEASES[:3]}
    assert tries == [RELEASES[0]]
    assert [path.name for path in cache_folder.iterdir()] == []


def test_a_cache_that_is_a_file_is_one_line(cache_folder: Path) -> None:
    """A cache folder that cannot be made is reported like a full disk."""
    cache_folder.write_text("not a folder")
    (line,) = fetch(RELEASES[:1], getter=fake_index.files, waits=(0.0,)).values()
    assert line.startswith(f"release={RELEASES[0]} could not be stored in {cache_folder}: ")


def test_a_missing_wheel_is_not_asked_for_again() -> None:
    """A release without a wheel fails at once and does not delay the others."""
    tries: list[str] = []

    def lacks_one(release: str, work: Path) -> dict[str, bytes]:
        tries.append(release)
        if release == RELEASES[1]:
            raise NoWheel(f"release={release} could not be fetched; pip said: no such wheel")
        return fake_index.files(release, work)

    assert list(fetch(RELEASES[:3], getter=lacks_one)) == [RELEASES[1]]
    assert sorted(tries) == list(RELEASES[:3])


def test_downloads_run_side_by_side() -> None:
    """As many downloads run at once as were asked for: each waits for the others to start."""
    meeting = threading.Barrier(3, timeout=300.0)

    def together(release: str, work: Path) -> dict[str, bytes]:
        meeting.wait()
        return fake_index.files(release, work)

    assert fetch(RELEASES[:3], getter=together, threads=3) == {}


def test_every_release_is_reported_as_done() -> None:
    """A progress bar reaches its end, whether a release was cached, fetched or failed."""
    fetch(RELEASES[:1], getter=fake_index.files)

    def fails(release: str, work: Path) -> dict[str, bytes]:
        raise NoWheel(f"release={release} has none")

    reported: list[str] = []
    fetch(RELEASES[:3], getter=fails, done=reported.append)
    assert sorted(reported) == list(RELEASES[:3])


#: pip's output, and the error and the words that it must become.
PIP_OUTPUT: dict[str, tuple[type[ReleaseError], str]] = {
    "ERROR: No matching distribution found for torch==9.0.0": (NoWheel, "; pip said: No matching distribution"),
    "WARNING: Retrying (Retry(total=0)) after connection broken\nERROR: No matching distribution found": (
        Unreachable,
        ": pip cannot reach its index",
    ),
    "python: No module named pip": (NoWheel, "ensurepip"),
    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n": (
        NoStorage,
        "set WARMUP_BENCH_CACHE to another folder",
    ),
    "ERROR: Cannot install\nERROR: ResolutionImpossible: for help visit": (ReleaseError, "; pip said: Resolution"),
    "ERROR: no such option: --dest\n\nhint: look": (ReleaseError, "; pip said: no such option: --dest"),
    "Configuration file could not be loaded.\nFile contains no section headers.\nfile: 'pip.conf', line: 1\n'x\\n'": (
        ReleaseError,
        "; pip said: Configuration file could not be loaded. File contains no section headers. file: 'pip.conf'",
    ),
    "ERROR: 403 for https://me:secret@host/simple": (ReleaseError, "pip said: 403 for https://****@host/simple"),
    "": (ReleaseError, "; pip said: nothing"),
}


@pytest.mark.parametrize("output", PIP_OUTPUT)
def test_each_complaint_of_pip_has_its_line(output: str) -> None:
    """A missing wheel, a missing network, a missing pip and a full disk each get their own error and words."""
    kind, words = PIP_OUTPUT[output]
    problem = user_pip.failure("9.0.0", output)
    assert type(problem) is kind
    assert str(problem).startswith("release=9.0.0 could not be ")
    assert words in str(problem)
    assert "\n" not in str(problem)
    assert "secret" not in str(problem)


def test_an_interrupt_stops_the_other_downloads() -> None:
    """Ctrl-C in one place ends the round: nothing further is tried, and the interrupt is passed on."""
    tries: list[str] = []

    def interrupted(release: str, work: Path) -> dict[str, bytes]:
        tries.append(release)
        raise KeyboardInterrupt

    stop: Callable[[], dict[str, str]] = lambda: fetch(RELEASES, getter=interrupted, threads=1)  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        stop()
    assert len(tries) < len(RELEASES)
