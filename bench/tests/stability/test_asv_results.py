"""Two result files compared: exactly on one CPU and release, by each number's threshold elsewhere."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.asv_benchmarks.stability import Stability
from bench.commands.stability import CONFIGURATION
from bench.stability import asv_results
from bench.stability.faults import FAULTS, WATCHED, Power, full_name
from bench.tests.stability.asv_files import write
from suite.tests.house.tree import ROOT

OLD = {"inverse_edge": 25.0, "early_loss": 2.0, "steps_off": 1.0}
PATTERNS = {r"stability\.Stability\.track_inverse_edge": 0.1, r"stability\.": 0.01}
#: Fewer repeats say too little about the spread.
FEWEST_REPEATS = 20
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


def published() -> Power:
    """The committed run of `python -m bench stability --faults`."""
    with (ROOT / "results" / "stability" / "faults.csv").open(newline="", encoding="utf-8") as file:
        rows = {row.pop("run"): {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)}
    repeats = [row for name, row in rows.items() if "repeat" in name]
    return Power(rows["unchanged"], {fault: rows[fault] for fault in FAULTS}, repeats)


def test_committed_thresholds_follow_from_the_published_spread() -> None:
    """Each threshold is at least four standard deviations of the difference of two runs, and at most twice that.

    Of what hardly moves, at least: the early loss has room for other CPUs, and the count of steps is exact.
    """
    power, patterns = published(), asv_results.thresholds(CONFIGURATION)
    assert len(power.repeats) >= FEWEST_REPEATS
    for name in WATCHED:
        threshold = asv_results.threshold_of(full_name(name), patterns)
        assert power.needed(name) <= threshold, name
        if name in ("inverse_edge", "lr_sensitivity"):
            assert threshold <= 2 * power.needed(name), name


def test_published_faults_are_reported_under_the_committed_thresholds() -> None:
    """No fault is missed and no unchanged schedule reported; which number reports what is as `faults.py` says."""
    power, patterns = published(), asv_results.thresholds(CONFIGURATION)
    assert (power.missed(patterns), power.false_reports(patterns)) == ([], 0)
    reported = {fault: power.reports(row, patterns) for fault, row in power.faults.items()}
    assert reported == {
        "warmup halved": list(WATCHED),
        "warmup dropped": list(WATCHED),
        "one step late": ["steps_off", "early_loss"],
        "decay of twice the run": ["steps_off", "lr_sensitivity"],
        "decay that never starts": ["steps_off", "inverse_edge", "lr_sensitivity"],
    }
