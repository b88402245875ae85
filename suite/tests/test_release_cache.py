"""The cache of torch's files: whole or absent after any kill, verified when read, safe for several processes."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suite.releases import cache, load
from suite.releases.cache import ReleaseError
from suite.releases.fetch import fetch
from suite.tests import fake_index
from suite.tests.house.tree import ROOT

RELEASES = tuple(f"9.{minor}.0" for minor in range(8))
#: A release whose hash is listed in the repository.
LISTED = "2.8.0"


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for this test alone."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too, by its path from there."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def process(cache_folder: Path, *words: str) -> subprocess.Popen[str]:
    """A process that fetches releases from the fake index."""
    return subprocess.Popen(
        [sys.executable, "-m", "suite.tests.fake_index", *words],
        cwd=ROOT,
        env={**os.environ, cache.VARIABLE: str(cache_folder)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_fetched_release_is_read_back() -> None:
    """What the wheel holds is what the cache gives, and nothing else is left in it."""
    assert fetch(RELEASES, getter=fake_index.files) == {}
    assert cache.cached() == list(RELEASES)
    assert [cache.read(release) for release in RELEASES] == [fake_index.contents(r) for r in RELEASES]
    assert sorted(p.name for p in cache.root().iterdir()) == [f"torch-{release}" for release in RELEASES]


def killed_at_every_step(folder: Path, *, damaged: bool = False, direct: bool = False) -> list[int]:
    """Kill a fetch of one release before each of its file operations; the steps that left a half-written release.

    The release is absent before, or `damaged`; `direct` takes the rename out of `cache.store`.
    After each kill the same fetch in this process must leave what an undisturbed run leaves.
    """
    release, options = RELEASES[0], ["--direct"] if direct else []
    calm = folder / "calm"
    steps = int(process(calm, release, *options).communicate()[0])
    whole, before = tree(calm / f"torch-{release}"), {"lr_scheduler.py": b"damaged"}
    assert steps >= 2 * len(whole)  # each file is opened and written in two halves
    torn = []
    for step in range(steps):
        shutil.rmtree(cache.root(), ignore_errors=True)
        if damaged:
            cache.folder(release).mkdir(parents=True)
            (cache.folder(release) / "lr_scheduler.py").write_bytes(b"damaged")
        run = process(cache.root(), release, "--kill-at", str(step), *options)
        assert run.communicate()[0] == ""
        assert run.returncode != 0
        left = cache.folder(release)
        if left.exists() and tree(left) not in ([before, whole] if damaged else [whole]):
            torn.append(step)
        assert fetch([release], getter=fake_index.files) == {}
        assert tree(cache.root()) == tree(calm)
        assert [path.name for path in cache.root().iterdir()] == [f"torch-{release}"]
    return torn


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [False, True], ids=["absent", "damaged"])
def test_kills_at_any_moment_leave_a_cache_that_a_rerun_completes(damaged: bool, tmp_path: Path) -> None:
    """After a kill before any file operation the release is whole or as before; a rerun leaves no trace of it."""
    assert killed_at_every_step(tmp_path, damaged=damaged) == []


@pytest.mark.slow
def test_kills_find_a_store_without_the_rename(tmp_path: Path) -> None:
    """The test above can fail: files written straight to their place are found half-written."""
    assert len(killed_at_every_step(tmp_path, direct=True)) >= 2 * len(cache.FILES)


@pytest.mark.slow
def test_runs_at_once_leave_what_one_run_leaves(tmp_path: Path) -> None:
    """Three processes that fill one cache disturb neither each other nor the result."""
    calm, shared = tmp_path / "calm", tmp_path / "shared"
    assert process(calm, *RELEASES).communicate()[0].strip().isdigit()
    runs = [process(shared, *RELEASES) for _ in range(3)]
    assert [run.communicate()[0].strip().isdigit() for run in runs] == [True, True, True]
    assert tree(shared) == tree(calm)


@pytest.mark.parametrize("name", [*cache.FILES, cache.SUMS])
@pytest.mark.parametrize("damage", ["truncated", "altered", "removed"])
def test_a_damaged_file_is_noticed_and_fetched_again(name: str, damage: str) -> None:
    """No damaged file is ever read, and the next fetch repairs it."""
    release = RELEASES[0]
    fetch([release], getter=fake_index.files)
    path = cache.folder(release) / name
    before = path.read_bytes()
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(before[:-1] if damage == "truncated" else b"x" + before[1:])
    assert cache.read(release) is None
    assert cache.cached() == []
    assert release in fetch([release], offline=True)[release]
    assert fetch([release], getter=fake_index.files) == {}
    assert path.read_bytes() == before
    assert cache.read(release) == fake_index.contents(release)


def tampered(release: str) -> Path:
    """Other files in the folder of a release, with the manifest that fits them."""
    other = fake_index.contents(release)
    home = cache.folder(release)
    home.mkdir(parents=True)
    for name, content in {**other, cache.SUMS: cache.manifest(other)}.items():
        (home / name).write_bytes(content)
    return home


def test_a_rewritten_manifest_is_refused() -> None:
    """Other files with a manifest that fits them are not executed: the repository lists each release's hash."""
    tampered(LISTED)
    assert cache.read(LISTED) is None
    assert cache.cached() == []
    line = "must be fetched again, its cached files are not the ones that torch published"
    for refuse in (load.load_release, lambda r: load.distinct([r]), lambda r: load.subject(r, offline=True)):
        with pytest.raises(ReleaseError, match=rf"^release={LISTED} {line}: python -m suite fetch {LISTED}$"):
            refuse(LISTED)


def test_a_rewritten_manifest_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next fetch replaces tampered files by the published ones."""
    published = fake_index.contents(RELEASES[0])
    digest = hashlib.sha256(cache.manifest(published)).hexdigest()
    monkeypatch.setattr(cache, "known", lambda: {LISTED: digest})
    tampered(LISTED)
    assert fetch([LISTED], getter=lambda release, work: published) == {}
    assert cache.read(LISTED) == published


def test_an_index_with_other_files_is_refused() -> None:
    """Files that differ from the published ones never enter the cache."""
    (line,) = fetch([LISTED], getter=fake_index.files, waits=()).values()
    assert line == f"release={LISTED} was refused: the index's files differ from those that torch published"
    assert cache.cached() == []


def test_new_releases_are_added_to_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--write-hashes` adds what is cached, in order, changes no line, and the list then pins the new release."""
    copy = tmp_path / "known.sha256"
    shutil.copy(cache.KNOWN, copy)
    monkeypatch.setattr(cache, "KNOWN", copy)
    monkeypatch.setattr(cache, "known", functools.cache(cache.known.__wrapped__))
    fetch(["9.10.0", "9.9.0"], getter=fake_index.files)
    before = copy.read_text().splitlines()
    assert cache.add_to_known() == ["9.9.0", "9.10.0"]
    assert copy.read_text().splitlines()[:-2] == before
    assert list(cache.known())[-2:] == ["9.9.0", "9.10.0"]
    assert cache.read("9.10.0") == fake_index.contents("9.10.0")
    assert not cache.genuine("9.10.0", fake_index.contents("9.9.0"))


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
