"""The wheel as it is built: its names, its version and its metadata."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from suite.shared.clone import version
from suite.tests.house.tree import ROOT

from .elsewhere import one_name, run_elsewhere

pytest.importorskip("hatchling", reason="builds wheels; a part of the test extra")
pytestmark = pytest.mark.slow

BUILD = "import sys; from hatchling import build; print(getattr(build, sys.argv[1])(sys.argv[2]))"


def built(what: str, out: Path, clone: Path = ROOT) -> Path:
    """The file that the build backend makes from a clone."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, what, str(out)], cwd=clone, capture_output=True, text=True, check=True
    )
    return out / done.stdout.splitlines()[-1]


def test_the_wheel_holds_one_package(tmp_path: Path) -> None:
    """The package with every product file, without tests, and metadata with the version; nothing else."""
    wheel = zipfile.ZipFile(built("build_wheel", tmp_path))
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {"warmup_bench", f"warmup_bench-{version()}.dist-info"}
    files = {f"warmup_bench/{path.as_posix()}" for path in one_name().product_files(ROOT)}
    assert files | {"warmup_bench/__init__.py", "warmup_bench/py.typed"} == {
        name for name in wheel.namelist() if name.startswith("warmup_bench/")
    }
    assert not [name for name in files if "/tests/" in name or "/conformance/" in name]


def test_a_source_archive_gives_the_same_wheel(tmp_path: Path) -> None:
    """A wheel built from the source archive has the same files as one built from the clone."""
    with tarfile.open(built("build_sdist", tmp_path)) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert not (source / "results").exists()
    (tmp_path / "wheel").mkdir()
    one, two = (zipfile.ZipFile(built("build_wheel", tmp_path / "wheel", clone)) for clone in (ROOT, source))
    assert sorted(one.namelist()) == sorted(two.namelist())


def test_the_wheel_runs_without_the_clone(tmp_path: Path) -> None:
    """Unpacked elsewhere it knows its version from its metadata."""
    site = tmp_path / "site"
    zipfile.ZipFile(built("build_wheel", tmp_path)).extractall(site)
    done = run_elsewhere(site, "-m", "warmup_bench.suite", "--version")
    assert (done.stdout, done.stderr) == (f"warmup-bench {version()}\n", "")
