"""The cache of libraries' files: altered files are noticed, and kills and other processes leave it whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suite.libraries.wheels.files import fetch_all, files_of
from suite.libraries.wheels.wanted import wanted
from suite.releases import cache
from suite.releases.cache import ReleaseError
from suite.tests.libraries.fake_library import KEPT, OnDisk, kept, library, tree

ROOT = Path(__file__).parents[3]
FIRST = [(library(), "1.0")]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for this test alone."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("name", [*KEPT, cache.SUMS])
@pytest.mark.parametrize("damage", ["truncated", "altered", "removed", "another name"])
def test_an_altered_file_is_noticed(name: str, damage: str) -> None:
    """No altered file is ever returned; offline the line says so, else it is fetched again."""
    fetch_all(FIRST, index=OnDisk(), progress=False)
    path = wanted(library(), "1.0").folder / name
    before = path.read_bytes()
    if damage == "removed":
        path.unlink()
    elif damage == "another name":
        path.rename(path.with_name("other.py"))
    else:
        path.write_bytes(before[:-1] if damage == "truncated" else b"x" + before[1:])
    with pytest.raises(ReleaseError, match=r"^release=warmth-1\.0 must be fetched again, its cached files are "):
        files_of(library(), "1.0", offline=True)
    assert fetch_all(FIRST, index=OnDisk(), progress=False) == {}
    assert files_of(library(), "1.0", offline=True) == kept("1.0")
    assert path.read_bytes() == before


def process(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A process that fetches releases of the made-up library."""
    return subprocess.Popen(
        [sys.executable, "-m", "suite.tests.libraries.fake_library", *words],
        cwd=ROOT,
        env={**os.environ, cache.VARIABLE: str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )


def torn_by_kills(folder: Path, *options: str) -> list[int]:
    """Kill a fetch before each of its file operations; the steps that left a half-written release.

    After each kill the same fetch in this process must leave what an undisturbed run leaves.
    """
    calm, item = folder / "calm", wanted(library(), "1.0")
    steps = int(process(calm, "1.0", *options).communicate()[0])
    whole = tree(calm)
    assert steps >= 2 * len(whole)  # each file is opened and written in two halves
    torn = []
    for step in range(steps):
        shutil.rmtree(cache.root(), ignore_errors=True)
        run = process(cache.root(), "1.0", "--kill-at", str(step), *options)
        assert run.communicate()[0] == ""
        assert run.returncode != 0
        if item.folder.exists() and item.read() is None:
            torn.append(step)
        assert fetch_all(FIRST, index=OnDisk(), progress=False) == {}
        assert tree(cache.root()) == whole
        assert [path.name for path in cache.root().iterdir()] == ["libraries"]
    return torn


@pytest.mark.slow
def test_kills_at_any_moment_leave_a_cache_that_a_rerun_completes(tmp_path: Path) -> None:
    """After a kill before any file operation the release is whole or absent; a rerun leaves no trace of it."""
    assert torn_by_kills(tmp_path) == []


@pytest.mark.slow
def test_kills_find_files_written_in_place(tmp_path: Path) -> None:
    """The test above can fail: files written straight to their place are found half-written."""
    assert len(torn_by_kills(tmp_path, "--direct")) >= 2 * len(KEPT)


def test_runs_at_once_leave_what_one_run_leaves(tmp_path: Path) -> None:
    """Three processes that fill one cache disturb neither each other nor the result."""
    calm, shared = tmp_path / "calm", tmp_path / "shared"
    assert process(calm, "1.0", "1.10.0").communicate()[0].strip().isdigit()
    runs = [process(shared, "1.0", "1.10.0") for _ in range(3)]
    assert [run.communicate()[0].strip().isdigit() for run in runs] == [True] * 3
    assert tree(shared) == tree(calm)
