"""The committed atlas is what the committed suite measures: the check that CI runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from suite.across_releases.atlas import committed_releases
from suite.engine.subject import installed
from suite.known.deviations import recorded_release
from suite.releases import index
from suite.releases.cache import cached
from suite.tests.house.tree import ROOT


@pytest.mark.slow
def test_the_committed_atlas_is_what_the_suite_measures() -> None:
    """Every case on every release again: the same files, no deviation without an entry, every range as known."""
    if installed().release != recorded_release():
        pytest.skip(f"the committed atlas was made beside torch {recorded_release()}, not {installed().release}")
    missing = sorted(set(committed_releases()) - set(cached()))
    if missing:
        pytest.skip(f"{len(missing)} releases are not cached ({missing[0]} …): python -m suite fetch (about 43 MB)")
    done = subprocess.run(
        [sys.executable, "-m", "suite", "atlas", "--check", "--offline", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    summary = json.loads(done.stdout)
    assert (summary["unexplained"], summary["ranges_off"], summary["different_files"]) == ([], [], [])
    assert done.returncode == 0


def test_the_committed_atlas_covers_every_release_known() -> None:
    """Each release of the committed list is in it, in one group."""
    releases = committed_releases()
    assert set(index.FALLBACK) <= set(releases)
    assert len(releases) == len(set(releases))
