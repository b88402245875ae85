"""The cache of torch's files: whole or absent after any kill, checked when read, safe for several at once."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from suite.releases import cache, index
from suite.releases.cache import ReleaseError
from suite.releases.index import NoWheel, Unreachable
from suite.tests import fake_index
from suite.tests.house.tree import ROOT

RELEASES = tuple(f"9.{minor}.0" for minor in range(8))
KILLS = 20
#: Longer than an undisturbed run of the fake index takes (about 0.3 s), so that some kills come late.
LATEST_KILL = 0.45


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too, by its path from there."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def fetching(cache_folder: Path) -> subprocess.Popen[str]:
    """A process that fetches all releases from the fake index."""
    return subprocess.Popen(
        [sys.executable, "-m", "suite.tests.fake_index", *RELEASES],
        cwd=ROOT,
        env={**os.environ, cache.VARIABLE: str(cache_folder)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_fetched_release_is_read_back() -> None:
    """What the wheel holds is what the cache gives, and nothing else is left in it."""
    assert index.fetch(RELEASES, getter=fake_index.wheel) == {}
    assert cache.cached() == list(RELEASES)
    assert [cache.read(release) for release in RELEASES] == [fake_index.contents(r) for r in RELEASES]
    assert sorted(p.name for p in cache.root().iterdir()) == [f"torch-{release}" for release in RELEASES]


def test_nothing_is_fetched_twice() -> None:
    """A cached release needs no download."""
    index.fetch(RELEASES[:2], getter=fake_index.wheel)
    asked: list[str] = []
    index.fetch(RELEASES[:3], getter=lambda r, work: asked.append(r) or fake_index.wheel(r, work))  # type: ignore[func-returns-value]
    assert asked == [RELEASES[2]]


@pytest.mark.slow
def test_kills_at_any_moment_leave_a_cache_that_a_rerun_completes(tmp_path: Path) -> None:
    """After each of many kills every release is whole or absent; the rerun's folder equals an undisturbed one's."""
    calm, shaken = tmp_path / "calm", tmp_path / "shaken"
    assert "end" in fetching(calm).communicate()[0]
    moments, cut_short = random.Random(0), 0
    for _ in range(KILLS):
        if moments.random() < 0.5:  # begin again now and then, or the late kills would find nothing to do
            for folder in shaken.glob("torch-*"):
                shutil.rmtree(folder)
        process = fetching(shaken)
        assert process.stdout is not None
        assert process.stdout.readline() == "begin\n"
        time.sleep(moments.uniform(0.0, LATEST_KILL))
        process.kill()
        cut_short += "end" not in process.communicate()[0]
        for folder in shaken.glob("torch-*"):
            assert tree(folder) == tree(calm / folder.name)
    assert cut_short >= KILLS // 4
    assert "end" in fetching(shaken).communicate()[0]
    assert tree(shaken) == tree(calm)


@pytest.mark.slow
def test_runs_at_once_leave_what_one_run_leaves(tmp_path: Path) -> None:
    """Three processes that fill one cache disturb neither each other nor the result."""
    calm, shared = tmp_path / "calm", tmp_path / "shared"
    assert "end" in fetching(calm).communicate()[0]
    runs = [fetching(shared) for _ in range(3)]
    assert ["end" in run.communicate()[0] for run in runs] == [True, True, True]
    assert tree(shared) == tree(calm)


@pytest.mark.parametrize("name", [*cache.FILES, cache.SUMS])
@pytest.mark.parametrize("damage", ["truncated", "altered", "removed"])
def test_a_damaged_file_is_noticed_and_fetched_again(name: str, damage: str) -> None:
    """No damaged file is ever read, and the next fetch repairs it."""
    release = RELEASES[0]
    index.fetch([release], getter=fake_index.wheel)
    path = cache.folder(release) / name
    before = path.read_bytes()
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(before[:-1] if damage == "truncated" else b"x" + before[1:])
    assert cache.read(release) is None
    assert cache.cached() == []
    assert release in index.fetch([release], offline=True)[release]
    assert index.fetch([release], getter=fake_index.wheel) == {}
    assert path.read_bytes() == before
    assert cache.read(release) == fake_index.contents(release)


def test_a_damaged_wheel_is_fetched_again() -> None:
    """A wheel that breaks off costs a further try, not the run."""
    tries: list[str] = []

    def broken_once(release: str, work: Path) -> Path:
        path = fake_index.wheel(release, work)
        tries.append(release)
        if len(tries) == 1:
            path.write_bytes(path.read_bytes()[:-100])
        return path

    assert index.fetch(RELEASES[:1], getter=broken_once, waits=(0.0,)) == {}
    assert len(tries) == 2


def test_offline_uses_what_is_cached() -> None:
    """Without the index the cached releases serve, and the others' reason names the release and the cache."""
    index.fetch(RELEASES[:2], getter=fake_index.wheel)
    failed = index.fetch(RELEASES[:3], offline=True)
    assert list(failed) == [RELEASES[2]]
    assert failed[RELEASES[2]].startswith(f"release={RELEASES[2]} must be in the cache when offline: ")
    assert f"holds {RELEASES[0]}, {RELEASES[1]}" in failed[RELEASES[2]]


def test_no_network_is_found_out_once() -> None:
    """The first release that finds no index spares the others the wait; each gets a reason; what is cached stays."""
    index.fetch(RELEASES[:1], getter=fake_index.wheel)
    tries: list[str] = []

    def unreachable(release: str, work: Path) -> Path:
        tries.append(release)
        raise Unreachable(f"release={release} must be fetched, but pip cannot reach its index")

    failed = index.fetch(RELEASES, getter=unreachable, waits=(0.0,), threads=1)
    assert list(failed) == list(RELEASES[1:])
    assert tries == [RELEASES[1]] * 2
    assert all(reason.startswith(f"release={release} ") for release, reason in failed.items())
    assert cache.cached() == [RELEASES[0]]


def test_a_missing_wheel_is_not_asked_for_again() -> None:
    """One release without a wheel is told at once and does not keep the others back."""
    tries: list[str] = []

    def lacks_one(release: str, work: Path) -> Path:
        tries.append(release)
        if release == RELEASES[1]:
            raise NoWheel(f"release={release} must be fetched, but pip says: no such wheel")
        return fake_index.wheel(release, work)

    assert list(index.fetch(RELEASES[:3], getter=lacks_one)) == [RELEASES[1]]
    assert sorted(tries) == list(RELEASES[:3])


def test_downloads_run_side_by_side() -> None:
    """As many downloads are under way at once as were asked for: each waits for the others to begin."""
    meeting = threading.Barrier(3, timeout=30.0)

    def together(release: str, work: Path) -> Path:
        meeting.wait()
        return fake_index.wheel(release, work)

    assert index.fetch(RELEASES[:3], getter=together, threads=3) == {}


def test_every_release_is_reported_as_done() -> None:
    """A progress bar reaches its end, whether a release was cached, fetched or failed."""
    index.fetch(RELEASES[:1], getter=fake_index.wheel)

    def fails(release: str, work: Path) -> Path:
        raise NoWheel(f"release={release} has none")

    seen: list[str] = []
    index.fetch(RELEASES[:3], getter=fails, done=seen.append)
    assert sorted(seen) == list(RELEASES[:3])


def test_another_process_at_work_is_left_alone(cache_folder: Path) -> None:
    """Sweeping removes the folders of dead processes and no others."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead, same_number, alive = (cache_folder / f".work-{pid}-0-a" for pid in (ended.pid, os.getpid(), os.getppid()))
    for path in (dead, same_number, alive):
        path.mkdir(parents=True)
    with cache.workspace("9.0.0") as mine:
        cache.sweep()
        assert set(cache_folder.iterdir()) == ({mine} if os.name == "nt" else {mine, alive})


@pytest.mark.parametrize("text", ["", "2", "2.8.0rc1", "2.8.x", "nightly", "../2.8.0", "1.10.2", "٢.٨.٠"])
def test_only_final_releases_are_accepted(text: str) -> None:
    """A release name becomes a folder and a requirement, so nothing else passes."""
    with pytest.raises(ReleaseError, match=r"^release=.* must be "):
        cache.canonical(text)


PIP_SAYS = {
    "ERROR: No matching distribution found for torch==9.0.0": (NoWheel, "No matching distribution"),
    "WARNING: Retrying (Retry(total=0)) after connection broken\nERROR: No matching distribution found": (
        Unreachable,
        "cannot reach its index",
    ),
    "python: No module named pip": (NoWheel, "ensurepip"),
    "ERROR: Could not install: no space left": (ReleaseError, "no space left"),
    "": (ReleaseError, "no message"),
}


@pytest.mark.parametrize("output", PIP_SAYS)
def test_pip_complaints_are_told_apart(output: str) -> None:
    """A missing wheel, a missing network and a missing pip each get their own kind and words."""
    kind, words = PIP_SAYS[output]
    problem = index._failure("9.0.0", output)
    assert type(problem) is kind
    assert str(problem).startswith("release=9.0.0 must be fetched")
    assert words in str(problem)


def test_without_an_index_the_committed_list_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pip names nothing, the releases are those of the committed list and what is cached."""
    monkeypatch.setattr(index, "_listed", lambda python: [])
    index.fetch(["9.0.0"], getter=fake_index.wheel)
    assert index.available() == ((*index.FALLBACK, "9.0.0"), False)
    assert index.available(offline=True) == index.available()
    monkeypatch.setattr(index, "_listed", lambda python: ["2.15.0", "3.0.0"])
    assert index.available() == (("2.15.0", "3.0.0", "9.0.0"), True)
