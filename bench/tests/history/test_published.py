"""What is published: a page without network or script, tables, and results that asv's own commands read."""

from __future__ import annotations

import csv
import gzip
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from bench.history import asv_files, repository
from bench.history.charts import DESKTOP, PHONE, Chart, Line, svg
from bench.history.plan import DATES
from bench.history.publish import publish
from bench.history.table import ReleaseChange, words
from bench.tests.history.made_up import RELEASES, MadeUp, measured
from bench.toy.measures import Estimate
from suite.shared import user_cache
from suite.tests.house.tree import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a made-up measurement with a planted change; asv's configuration is in `config`."""
    folder = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(user_cache.VARIABLE, str(folder / "cache"))
        table, records = measured(MadeUp())
        publish(table, records, RELEASES, folder / "results", folder / "config")
    return folder


def test_the_page_needs_nothing_else(published: Path) -> None:
    """No script and no address: it opens from a disk without network, and says what was asked."""
    page = (published / "results" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|https?://|src=|@import|url\(", page)
    assert "torch 2.10.0 made SequentialLR.step 40 % slower" in page
    assert page.count("<h2>") == page.count('class="desktop"') + 1
    assert page.count('class="phone"') == page.count('class="desktop"') > 6


def test_the_tables_are_read_by_pandas(published: Path) -> None:
    """Every value and every change from release to release."""
    import pandas

    values = pandas.read_csv(published / "results" / "values.csv.gz")
    found = pandas.read_csv(published / "results" / "changes.csv")
    assert set(values.release) == {*RELEASES, f"{RELEASES[-1]} again"}
    assert set(found[found.clear == 1].after) == {"2.10.0"}


def test_a_busy_machine_marks_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements with half a core say so at the top."""
    monkeypatch.setenv(user_cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(asv_files, "write", lambda *args: Path())
    table, records = measured(MadeUp(core=0.5), 3)
    publish(table, records, RELEASES, tmp_path / "results")
    assert "Other programs ran: a measurement had 50% of a core" in (tmp_path / "results/index.html").read_text()


def asv(published: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run asv with the made configuration, where git is."""
    git = shutil.which("git")
    assert git is not None
    command = [sys.executable, "-m", "asv", *words, "--config", str(published / "config" / "asv.conf.json")]
    paths = {"HOME": str(published), "PATH": f"{Path(git).parent}:/usr/bin:/bin"}
    return subprocess.run(command, cwd=published, env=paths, capture_output=True, text=True)


def test_asv_compares_releases(published: Path) -> None:
    """`asv compare 2.9.1 2.10.0` marks the planted change as slower, and nothing else."""
    done = asv(published, "compare", "2.9.1", "2.10.0")
    slower = [line for line in done.stdout.splitlines() if line.startswith("| +")]
    assert len(slower) == 4
    assert all("time_step('sequential'" in line for line in slower)


def test_asv_publishes_the_regression(published: Path) -> None:
    """asv's own page of regressions lists the planted one, in the right release, and no other."""
    assert asv(published, "publish").returncode == 0
    found = json.loads((published / "config" / "html" / "regressions.json").read_text())["regressions"]
    assert {row[0].partition("(")[2].partition(",")[0] for row in found} == {"'sequential'"}
    assert len(found) == 4


def test_nothing_of_this_machine_is_in_the_results(published: Path) -> None:
    """No path of this machine is written where it would be committed."""
    texts = [path.read_text() for path in (published / "results").rglob("*.json")]
    texts += [gzip.decompress((published / "results" / "values.csv.gz").read_bytes()).decode()]
    assert texts
    assert not [text for text in texts if str(published) in text or sys.executable in text]


def test_the_releases_are_commits_of_their_days(tmp_path: Path) -> None:
    """The repository is the same each time, with one dated and tagged commit per release."""
    first, second = (repository.make(tmp_path / name, DATES) for name in ("a", "b"))
    log = ["git", "log", "--format=%ad %s", "--date=short", "--reverse"]
    lines = subprocess.run(log, cwd=tmp_path / "a", capture_output=True, text=True).stdout.splitlines()
    assert first == second
    assert lines == [f"{day} torch {release}" for release, day in DATES.items()]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_graph_shows_every_value_inside_its_frame(size: tuple[int, int]) -> None:
    """One circle for each value, none outside, none where nothing was measured."""
    line = Line("a < b", (1.0, None, 3.0), (0.9, None, 2.0), (1.1, None, 4.4))
    tree = ElementTree.fromstring(svg(Chart("what & why?", "ms", ("2.8.0", "2.9.1", "2.10.0"), (line,)), size))
    circles: list[Any] = tree.findall(".//circle")
    assert len(circles) == 2
    assert all(0 < float(c.get("cx")) < size[0] and 0 < float(c.get("cy")) < size[1] for c in circles)
    bars = [float(bar.get("y2") or -1) for bar in tree.findall(".//g/line")]
    assert all(0 <= y <= size[1] for y in bars)


@pytest.mark.parametrize("width", [390, 1280])
def test_chromium_shows_it_without_network(width: int, published: Path, tmp_path: Path) -> None:
    """Opened from the disk at the width of a phone and of a desktop, the page is drawn and not cut."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("chromium must be installed")
    from matplotlib.image import imread

    picture = tmp_path / "page.png"
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ]
    page = (published / "results" / "index.html").as_uri()
    command = [chromium, *options, f"--user-data-dir={tmp_path}", f"--window-size={width},1200"]
    subprocess.run([*command, f"--screenshot={picture}", page], capture_output=True, check=True, timeout=120)
    dark = imread(picture)[:, :, :3].min(axis=2) < 0.9
    assert 0.005 < dark.mean() < 0.5
    assert not dark[:, -4:].any()  # nothing reaches the right edge


def test_the_readme_says_what_was_measured() -> None:
    """Its sentence about SequentialLR is that of the committed table; the page is of the same measurement."""
    results = ROOT / "results" / "asv-history"
    rows = csv.DictReader((results / "changes.csv").read_text(encoding="utf-8").splitlines())
    (row,) = [row for row in rows if (row["what"], row["after"]) == ("SchedulerStep sequential, 1, float", "2.10.0")]
    ratio = Estimate(*(float(row[name]) for name in ("ratio", "low", "high")))
    said = words(ReleaseChange(("a.B.time_c", ()), row["before"], row["after"], ratio))
    assert f"takes {said}" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"takes {said}" in (results / "index.html").read_text(encoding="utf-8")
