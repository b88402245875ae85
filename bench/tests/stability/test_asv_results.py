"""Two result files compared: exactly on one CPU and release, by each number's threshold elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.asv_benchmarks.stability import Stability
from bench.commands.stability import CONFIGURATION
from bench.stability import asv_results
from bench.tests.stability.asv_files import write

OLD = {"inverse_edge": 25.0, "early_loss": 2.0, "steps_off": 1.0}
PATTERNS = {r"stability\.Stability\.track_inverse_edge": 0.1, r"stability\.": 0.01}
A, B = "a" * 40, "b" * 40


def changed(folder: Path, numbers: Mapping[str, float | None]) -> dict[str, bool]:
    """The changes from the old numbers: by name, whether beyond the threshold."""
    old, new = (asv_results.read(path) for path in (write(folder, A, OLD), write(folder, B, numbers)))
    found = asv_results.changes(old, new, PATTERNS)
    return {change.name.partition("track_")[2].partition("(")[0]: change.beyond for change in found}


def test_nothing_changed(tmp_path: Path) -> None:
    """Equal numbers are no change."""
    assert changed(tmp_path, dict(OLD)) == {}


def test_each_number_has_its_threshold_in_both_directions(tmp_path: Path) -> None:
    """5 % of the edge is within its 10 %, 5 % of a loss is beyond its 1 %, up or down."""
    for factor in (1.05, 1 / 1.05):
        numbers = {**OLD, "inverse_edge": 25 * factor, "early_loss": 2 * factor}
        assert changed(tmp_path, numbers) == {"inverse_edge": False, "early_loss": True}


def test_missing_number_is_reported(tmp_path: Path) -> None:
    """A benchmark that failed, or is gone, is beyond every threshold."""
    assert changed(tmp_path, {"inverse_edge": None, "early_loss": 2.0}) == {"inverse_edge": True, "steps_off": True}


def test_same_bits_are_expected_on_one_platform_only(tmp_path: Path) -> None:
    """Another CPU or release has another checksum; a file without one is never taken to be the same."""
    old = asv_results.read(write(tmp_path, A, OLD))
    assert asv_results.same_bits(old, old)
    assert not asv_results.same_bits(old, asv_results.read(write(tmp_path, B, OLD, platform=8.0)))
    without = asv_results.read(write(tmp_path, B, OLD, platform=None))
    assert not asv_results.same_bits(without, without)


def test_other_versions_are_not_compared(tmp_path: Path) -> None:
    """A quick profile has another version than the full one: its numbers are no change."""
    old, new = (
        asv_results.read(write(tmp_path, commit, OLD, version)) for commit, version in ((A, "1"), (B, "1 quick"))
    )
    assert asv_results.changes(old, new, PATTERNS) == []
    assert len(asv_results.incomparable(old, new)) == len(OLD)


def test_file_is_found_by_the_start_of_its_commit(tmp_path: Path) -> None:
    """A path, or enough of a commit's hash."""
    path = write(tmp_path, A, OLD)
    assert asv_results.find(tmp_path, str(path)) == asv_results.find(tmp_path, "aaaa") == path


@pytest.mark.parametrize("text", ["bbbb", "aa", "HEAD", "../x"])
def test_unknown_commit_is_named(text: str, tmp_path: Path) -> None:
    """What names no file, or is too short to name one, is refused."""
    write(tmp_path, A, OLD)
    with pytest.raises(ValueError, match=f"results={text} must be"):
        asv_results.find(tmp_path, text)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"result_columns": 3}'])
def test_other_files_are_refused(text: str, tmp_path: Path) -> None:
    """Only asv's result files are read."""
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"results=x\.json must be a result file of asv"):
        asv_results.read(path)


def test_committed_thresholds_name_every_tracked_number() -> None:
    """asv.conf.json has a threshold for each number of training that asv tracks, and asv reads them alike."""
    from asv.config import Config

    patterns = asv_results.thresholds(CONFIGURATION)
    assert Config.load(str(CONFIGURATION)).regressions_thresholds == patterns
    for name in (name for name in dir(Stability) if name.startswith("track_")):
        assert sum(bool(re.match(pattern, f"stability.Stability.{name}")) for pattern in patterns) == 1, name
