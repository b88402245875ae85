"""The plugin in pytest runs of its own, from the package as it is installed: a scratch repository, a report, GitHub."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from suite.tests.house.tree import ROOT
from suite.tests.installed.elsewhere import one_name, run_elsewhere

pytestmark = pytest.mark.slow

PLUGIN = ("-m", "pytest", "-p", "no:cacheprovider", "-p", "warmup_bench.bench.pytest_plugin.plugin")
UNRELATED = """
import sys

def test_one():
    assert not {"torch", "numpy", "warmup_bench.bench.watch", "warmup_bench.suite"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, and beside it a copy of the scratch repository, where the programs run."""
    folder = tmp_path_factory.mktemp("plugin")
    one_name().write_package(ROOT, folder / "site" / "warmup_bench")
    shutil.copytree(ROOT / ".ci" / "scratch_repository", folder / "elsewhere")
    return folder / "site"


@pytest.mark.parametrize("option", [(), ("--co",)])
def test_a_project_that_does_not_use_it(option: tuple[str, ...], site: Path) -> None:
    """Nothing but pytest and the plugin's own file is imported."""
    path = site.parent / "elsewhere" / "test_unrelated.py"
    path.write_text(UNRELATED, encoding="utf-8")
    done = run_elsewhere(site, *PLUGIN, *option, path.name)
    assert (done.returncode, done.stderr) == (0, "")
    path.unlink()


def test_the_scratch_repository_in_actions(site: Path) -> None:
    """One test passes and four fail with their cause; the page, the summary and the annotations say the same."""
    folder = site.parent / "elsewhere"
    options = ("--warmup-bench-report", "page.html", "-q")
    done = run_elsewhere(site, *PLUGIN, *options, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(folder / "summary.md"))
    assert done.returncode == 1
    assert "4 failed, 1 passed" in done.stdout
    page = (folder / "page.html").read_text(encoding="utf-8")
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    annotations = [line for line in done.stdout.splitlines() if line.startswith("::error ")]
    assert "4 of 8 checks passed" in page
    assert summary.startswith("### Learning rates: 4 of 8 checks passed\n")
    assert len(annotations) == 4
    assert all("file=tests/test_learning_rate.py,line=" in line for line in annotations)
    for cause in ("Every LR comes 1 step late", "its scheduler starts at step 0", "is stepped 4 times per update"):
        assert all(cause in text for text in (done.stdout, page, summary, "\n".join(annotations)))
    assert page.count("data:image/svg+xml;base64,") >= 8


def test_a_report_that_cannot_be_written(site: Path) -> None:
    """Bad input, in one line, before a test runs."""
    done = run_elsewhere(site, *PLUGIN, "--warmup-bench-report", "no/such/folder/page.html")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "warmup-bench-report=no/such/folder/page.html must be a file in an existing folder" in done.stderr
