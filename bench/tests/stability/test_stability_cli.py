"""`python -m bench stability`: what it prints, its exit codes, one line for bad input."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.commands import stability
from bench.stability.faults import FAULTS, Power
from bench.tests.stability.asv_files import write
from bench.toy.batched.stability import QUICK, Numbers, Profile, Runs, train
from bench.toy.config import Config

OLD = {"inverse_edge": 25.0, "early_loss": 2.0, "steps_off": 1.0}
A, B = "a" * 40, "b" * 40
#: One seed would have no standard error.
TINY = Profile(2, (0.01, 0.02), "1 tiny")


def numbers(factor: float = 1.0, steps_off: float = 1.0) -> Numbers:
    """Made-up numbers, with the edge changed by a factor."""
    row = {"lr_sensitivity": 0.8, "lr_sensitivity_error": 1.03, "inverse_edge": 25.0 * factor}
    return {**row, "inverse_edge_error": 1.04, "early_loss": 2.5, "steps_off": steps_off}


def made_up(monkeypatch: pytest.MonkeyPatch, seen: float, repeat: float) -> None:
    """Let every fault put this number of steps off, and every repeat change the edge by this factor."""

    def measured(profile: Profile, repeats: int, report: object) -> Power:
        faults = {fault: numbers(steps_off=seen) for fault in FAULTS}
        return Power(numbers(), faults, [numbers(repeat) for _ in range(repeats)])

    monkeypatch.setattr(stability, "measured", measured)


@pytest.mark.parametrize(
    ("edge", "platform", "code"), [(25.0, 7.0, 0), (25.1, 7.0, 1), (25.1, 8.0, 0), (40.0, 8.0, 1), (25.1, None, 0)]
)
def test_compare_is_exact_on_one_cpu_only(
    edge: float, platform: float | None, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0.4 % of the edge is a change of the training on one CPU, and rounding between two; 60 % is a change on any."""
    files = write(tmp_path, A, OLD), write(tmp_path, B, {**OLD, "inverse_edge": edge}, platform=platform)
    assert main(["stability", "--compare", *map(str, files)]) == code
    out = capsys.readouterr().out
    assert f"{code} of 3 numbers changed from aaaaaaaa to bbbbbbbb" in out
    assert ("differ, so that" in out) == (platform != 7)
    assert main(["stability", "--json", "--compare", *map(str, files)]) == code
    assert len(json.loads(capsys.readouterr().out)["changed"]) == code


@pytest.mark.parametrize(("seen", "repeat", "code"), [(201.0, 1.01, 0), (1.0, 1.01, 1), (201.0, 1.5, 1)])
def test_faults_must_be_reported_and_repeats_must_not(
    seen: float,
    repeat: float,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A missed fault is exit code 1, and so is a report of an unchanged schedule; the numbers are in the CSV."""
    made_up(monkeypatch, seen, repeat)
    path = tmp_path / "faults.csv"
    assert main(["stability", "--faults", "--repeats", "3", "--csv", str(path)]) == code
    out, err = capsys.readouterr()
    assert ("reports: none." in out) == (seen > 1)
    assert f"reported as changed: {3 if repeat > 1.12 else 0} of 3." in out
    assert "runs of 200 steps" in err
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1 + len(FAULTS) + 3
    assert float(rows[0]["inverse_edge"]) == 25


def test_busy_machine_is_marked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With a quarter of the cores free it says so, and that it takes four times as long; the numbers are the same."""
    made_up(monkeypatch, 201.0, 1.0)
    for free, marked in ((0.25, True), (0.95, False)):
        monkeypatch.setattr(stability, "free_share", lambda share=free: share)
        assert main(["stability", "--faults", "--repeats", "0", "--quick"]) == 0
        assert ("BUSY: other programs leave 25% of the cores" in capsys.readouterr().err) == marked


def test_numbers_have_their_standard_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One row for each warmup, with the edge and the sensitivity; quick is the quick profile."""
    profiles = []

    def short(config: Config, factors: dict[str, object], profile: Profile, threads: int) -> dict[str, Runs]:
        profiles.append(profile)
        return train(config, {name: row[:3] for name, row in factors.items()}, TINY, threads)  # type: ignore[index]

    monkeypatch.setattr(stability, "train", short)
    monkeypatch.setattr(stability, "numbers_of", lambda runs, *_: numbers())
    assert main(["stability", "--quick"]) == 0
    out = capsys.readouterr().out
    assert out.count("0.0400 ± 0.0016") == out.count("0.800 ± 0.024") == 7
    assert profiles == [QUICK]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--compare", "zz", "aaaa"], "results=zz must be a file"),
        (["--faults", "--repeats", "-1"], "repeats=-1 must be"),
        (["--csv", "nowhere/x.csv"], "csv=nowhere/x.csv must be in a folder that exists"),
    ],
)
def test_bad_input_costs_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and one line on standard error, before anything is trained."""
    assert main(["stability", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(message)
