"""The command `atlas`: what --check reports, and that a partial atlas never overwrites the committed one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from suite.__main__ import main
from suite.across_releases import atlas
from suite.commands import atlas as atlas_run
from suite.releases import cache, index
from suite.tests import stock
from suite.tests.house.tree import ROOT
from suite.tests.stock import ATLAS_FILES, RIGHT, WRONG

pytestmark = pytest.mark.slow  # runs cases in worker processes


def command(*words: str) -> int:
    """Run `atlas` with these words on what is cached, which is less than the committed atlas covers."""
    return whole_command("--partial", *words)


def whole_command(*words: str) -> int:
    """Run `atlas` with these words on what is cached."""
    return main(["atlas", "--offline", *words])


@pytest.fixture
def written(two_releases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the atlas of one sound release; the few cases show few entries, so ranges are not checked."""
    monkeypatch.setattr(atlas_run, "ranges_off", lambda rows: [])
    for path in sorted(cache.folder(WRONG).iterdir()):
        path.unlink()
    assert command("--out", str(tmp_path / "out")) == 0
    return tmp_path / "out"


def test_check_names_an_altered_file(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0 and nothing touched right after writing; each altered or removed file makes it 1 and is named."""
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    times = {path.name: path.stat().st_mtime_ns for path in written.iterdir()}
    assert sorted(before) == sorted(ATLAS_FILES)
    assert command("--out", str(written), "--check") == 0
    assert {path.name: path.stat().st_mtime_ns for path in written.iterdir()} == times
    assert "differs" not in capsys.readouterr().out
    for name in ATLAS_FILES:
        (written / name).unlink()
        if name != "atlas.png":  # this one is only removed
            (written / name).write_bytes(before[name][:-9])
        assert command("--out", str(written), "--check") == 1
        differing = [line for line in capsys.readouterr().out.splitlines() if "differs" in line]
        assert differing == [f"  differs from the committed file: {name}"]
        (written / name).write_bytes(before[name])


def test_news_makes_the_exit_code_1(two_releases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release with a deviation that no entry explains: the atlas is written, and the exit code says so."""
    monkeypatch.setattr(atlas_run, "ranges_off", lambda rows: [])
    assert command("--out", str(tmp_path / "out"), "--json") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(ATLAS_FILES)


def test_a_release_that_cannot_be_loaded_is_one_line(
    two_releases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A future file that this torch cannot run makes the exit code 2 and is named."""
    stock.put("9.2.0", "from torch.optim import nobody_has_this\n")
    assert command("--out", str(tmp_path / "out")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("release=9.2.0 lr_scheduler.py cannot be imported: ImportError")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def committed(two_releases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of results/atlas that lists both cached releases and one more; there are no others."""
    folder = tmp_path / "committed"
    folder.mkdir()
    (folder / "releases.csv").write_text(f"release,label,same code as\n{RIGHT},9.0,\n{WRONG},9.1–9.2,9.2.0\n")
    for module in (atlas, atlas_run):
        monkeypatch.setattr(module, "RESULTS", folder)
    monkeypatch.setattr(index, "FALLBACK", (RIGHT, WRONG))
    monkeypatch.setattr(atlas_run, "ranges_off", lambda rows: [])
    return folder


@pytest.mark.parametrize("words", [(), ("--json",), ("--check",), ("--out", "elsewhere")])
def test_a_partial_atlas_is_refused(
    committed: Path,
    measured: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    """A release of the committed atlas is missing: exit code 2, one line that names it, nothing run or written."""
    monkeypatch.chdir(committed.parent)
    before = (committed / "releases.csv").read_bytes()
    assert whole_command(*words) == 2
    output = capsys.readouterr()
    (line,) = output.err.splitlines()
    assert line.startswith("releases=9.2.0 must be in the atlas, but could not be fetched")
    assert "--partial --out FOLDER" in line
    assert (output.out, measured) == ("", {})
    assert [path.name for path in committed.iterdir()] == ["releases.csv"]
    assert (committed / "releases.csv").read_bytes() == before
    assert not Path("elsewhere").exists()


def test_a_release_that_cannot_be_fetched_is_named(
    committed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A release that the index names, but that is not in the committed atlas yet: refused, with the reason."""
    stock.put("9.2.0", stock.WRONG_EXPONENTIAL)
    monkeypatch.setattr(index, "FALLBACK", (RIGHT, WRONG, *(f"9.{minor}.0" for minor in range(3, 10))))
    assert whole_command() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("releases=9.3.0,9.4.0,9.5.0,9.6.0,9.7.0 and 2 more must be in the atlas")
    assert "(release=9.3.0 must be in the cache when offline" in line


def test_a_partial_atlas_goes_elsewhere_on_demand(
    committed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--partial writes to the folder of --out; without one, or with results/atlas itself, it is refused."""
    for words in ((), ("--out", str(committed)), ("--out", str(committed / ".." / "committed"))):
        assert command(*words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("partial must come with --out FOLDER")
    assert [path.name for path in committed.iterdir()] == ["releases.csv"]
    assert command("--out", str(tmp_path / "out")) == 1  # the planted deviation
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(ATLAS_FILES)
    assert [path.name for path in committed.iterdir()] == ["releases.csv"]


def test_a_complete_atlas_is_written_to_its_place(committed: Path) -> None:
    """Every release is there: results/atlas is written without being asked twice."""
    stock.put("9.2.0", stock.WRONG_EXPONENTIAL)
    assert whole_command() == 1  # the planted deviation
    assert sorted(path.name for path in committed.iterdir()) == sorted(ATLAS_FILES)
    assert atlas.committed_releases() == [RIGHT, WRONG, "9.2.0"]


def test_a_folder_that_cannot_be_written_is_one_line(
    two_releases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file in the place of the folder: exit code 2, and the line names it."""
    (tmp_path / "out").write_text("")
    assert command("--out", str(tmp_path / "out")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "out") in line


def test_an_empty_cache_offline_is_one_line(tmp_path: Path) -> None:
    """The real command without any release: exit code 2, one line on stderr, and nothing written."""
    done = subprocess.run(
        [sys.executable, "-m", "suite", "atlas", "--offline", "--out", str(tmp_path / "out")],
        cwd=ROOT,
        env={**os.environ, cache.VARIABLE: str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("releases=[] must not be empty")
    assert not (tmp_path / "out").exists()
