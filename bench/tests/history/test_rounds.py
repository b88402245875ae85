"""Rounds of measurements: in turn, resumed after a kill, refused on a busy machine, and what changed between them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.history import inside, rounds
from bench.history.plan import DATES, DEFAULT, MEASURED
from bench.history.table import CONFIDENCE, HistoryTable, answer, changes, control, disturbed, tabulate
from bench.tests.history.made_up import RELEASES, MadeUp, measured
from suite.shared import user_cache

STEP = ("scheduler_step.SchedulerStep.time_step", ("sequential", 1, "float"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache."""
    monkeypatch.setenv(user_cache.VARIABLE, str(tmp_path / "cache"))


def test_rounds_take_turns() -> None:
    """Every round has every release and the control, and no two rounds start with the same one."""
    all_arms = rounds.arms(RELEASES)
    orders = [rounds.order(all_arms, number) for number in range(4)]
    assert [sorted(arm.label for arm in order) for order in orders] == [sorted(arm.label for arm in all_arms)] * 4
    assert len({order[0] for order in orders}) > 2


def test_a_killed_measurement_resumes() -> None:
    """What was measured is read, the rest is measured; a damaged record is measured again."""
    first, second = MadeUp(), MadeUp()
    measured(first, 3)
    assert len(first.calls) == 3 * (len(RELEASES) + 1)
    files = sorted(rounds.home().glob("*.json"))
    files[0].unlink()
    files[1].write_text("{")
    table, _ = measured(second, 3)
    assert len(second.calls) == 2
    assert not np.isnan(table.values[STEP]).any()


def test_numbers_that_load_does_not_change_are_measured_once() -> None:
    """The stability benchmark runs in the first round only, and not for the control."""
    names = [
        [row[0] for row in rounds.requests(number, again)] for number, again in ((0, False), (0, True), (1, False))
    ]
    once = {m.name for m in MEASURED if m.once}
    assert [bool(once & set(part)) for part in names] == [True, False, False]


def test_a_planted_change_is_reported_and_nothing_else() -> None:
    """SequentialLR.step 40 % slower in one release: four combinations are clear, in that release alone."""
    table, _ = measured(MadeUp())
    clear = [one for one in changes(table, RELEASES) if one.is_clear]
    assert {(one.before, one.after, one.key[1][0]) for one in clear} == {("2.9.1", "2.10.0", "sequential")}
    assert len(clear) == 4
    assert not [one for one in control(table, RELEASES[-1]) if one.is_clear]


@pytest.mark.slow
def test_unchanged_releases_report_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty repeats without a change: no clear change in any of them."""
    found = []
    for seed in range(20):
        monkeypatch.setenv(user_cache.VARIABLE, str(tmp_path / str(seed)))
        table, _ = measured(MadeUp(slower=1.0, seed=seed))
        found += [one for one in changes(table, RELEASES) if one.is_clear]
    assert found == []


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([1.38, 1.42, 1.40, 1.41, 1.39], "is confirmed"),
        ([1.12, 1.13, 1.11, 1.12, 1.12], "is half right, it is slower but by less"),
        ([1.78, 1.80, 1.79, 1.81, 1.80], "is half right, it is slower but by more"),
        ([0.88, 0.89, 0.90, 0.88, 0.89], "is denied"),
        ([1.00, 1.01, 0.99, 1.00, 1.00], "is denied"),
        ([0.70, 1.60, 1.20, 2.00, 0.80], "is undecided"),
    ],
)
def test_the_sentence_says_or_denies(ratios: list[float], verdict: str) -> None:
    """A claimed slowdown against intervals of every kind."""
    table = HistoryTable(("2.9.1", "2.10.0"), {STEP: np.array([[1e-6] * 5, [1e-6 * ratio for ratio in ratios]])})
    text = answer(table, "2.9.1", "2.10.0")
    assert text.startswith(f'"torch 2.10.0 made SequentialLR.step 40 % slower" {verdict}: a step takes ')


def test_too_few_rounds_say_nothing() -> None:
    """Two rounds have no interval worth the name."""
    table = HistoryTable(("2.9.1", "2.10.0"), {STEP: np.ones((2, 2))})
    assert answer(table, "2.9.1", "2.10.0").endswith(": not measured.")
    assert CONFIDENCE > 0.95


def test_a_busy_machine_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit code 2, before anything is fetched."""
    monkeypatch.setattr(os, "getloadavg", lambda: (4.5, 4.0, 4.0))
    assert main(["history"]) == 2
    assert capsys.readouterr().err.startswith("load=4.5 must be below 0.5: other programs use the cores")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("2.4.0", "2.8.0"), "release=2.4.0 must be one of 2.1.2, "),
        (("2.8.0",), "releases=2.8.0 must be two or more: a history compares them"),
        (("--rounds", "2"), "rounds=2 must be >= 3"),
    ],
)
def test_bad_input_is_named(words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and one line."""
    assert main(["history", *words]) == 2
    assert capsys.readouterr().err.startswith(message)


def test_the_plan_names_real_benchmarks_and_dates_in_order() -> None:
    """Every benchmark of the plan exists with as many parameters, and the releases are dated in their order."""
    runner = MadeUp()
    for one in MEASURED:
        assert runner.values("2.8.0", one.name, one.axes)["params"]
    assert list(DATES.values()) == sorted(DATES.values())
    assert len(DEFAULT) >= 6


def test_a_median_is_of_repeated_calls() -> None:
    """The time of one call is at least what it waits, and little more than once."""
    import time

    assert 0.003 <= inside.timed(lambda: time.sleep(0.003), 0.02) < 0.3


@pytest.mark.slow
def test_a_benchmark_is_measured_as_asv_would() -> None:
    """A real benchmark gives one positive number for each combination."""
    result = inside.measure("scheduler_step.SchedulerStep.time_step", [["sequential"], [1], None], 0.01)
    assert [list(row) for row in result["params"]] == [["sequential", 1, "float"], ["sequential", 1, "tensor"]]
    assert all(value > 0 for value in result["values"])


def test_a_skipped_combination_has_no_value() -> None:
    """What its setup skips is None, as on a machine without a GPU."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("device=cuda must be absent")
    axes = [["sequential"], ["small16"], ["cuda"]]
    assert inside.measure("training.WayStep.time_step", axes, 0.01)["values"] == [None]


def test_a_disturbed_round_counts_for_nothing() -> None:
    """A round with half of a core is left out, but for numbers that no load changes; not where too few would remain."""
    _, records = measured(MadeUp(slower=1.0))
    names = [arm.label for arm in rounds.arms(RELEASES)]
    once = next(m.name for m in MEASURED if m.once)

    def with_bad(count: int) -> tuple[HistoryTable, int]:
        changed = [dict(record) for record in records]
        for record in changed:
            if record["arm"] == RELEASES[0] and record["round"] < count:
                record["core"] = 0.5
        return tabulate(changed, names), len(disturbed(changed))

    for count, left_out in ((2, 2), (3, 0)):
        table, found = with_bad(count)
        assert found == left_out
        assert int(np.isnan(table.values[STEP][0]).sum()) == left_out
        assert all(np.isfinite(values[0, 0]) for (name, _), values in table.values.items() if name == once)
