"""What the cases of ReduceLROnPlateau must cover, and that their ids stay short."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from reference import ReduceLROnPlateau, parse
from suite.cases.catalogue import find
from suite.cases.experiments import metrics as passed_metrics
from suite.cases.schedules import plateau
from suite.engine.case import Case, Refused, validated
from suite.engine.subject import installed
from suite.engine.verdict import verdict_of
from suite.known.entries import PREDICATES

GRID = list(plateau.grid())


def _arguments(case: Case) -> dict[str, Any]:
    """The arguments of the grid that a case has, min_lr by how it is given."""
    twin = case.schedule
    assert isinstance(twin, ReduceLROnPlateau)
    names = ("mode", "threshold_mode", "factor", "patience", "cooldown", "eps")
    given = "list" if case.setup.lists else "number" if twin.min_lr else "left out"
    return {name: getattr(twin, name) for name in names} | {"min_lr": given}


def test_every_two_arguments_meet_in_every_combination() -> None:
    """Two values of different arguments, and each shape of metrics in each mode and threshold mode."""
    rows = [_arguments(case) for case in GRID]
    for first, second in itertools.combinations(rows[0], 2):
        wanted = set(itertools.product({row[first] for row in rows}, {row[second] for row in rows}))
        assert {(row[first], row[second]) for row in rows} == wanted, (first, second)
    assert len({(c.schedule.metrics, r["mode"], r["threshold_mode"]) for c, r in zip(GRID, rows, strict=True)}) == (  # type: ignore[attr-defined]
        4 * len(plateau.SHAPES)
    )


def test_ids_are_short_and_parse_back() -> None:
    """A slug gives back the schedule, NaN included, and a terminal has room for the id."""
    for case in plateau.cases():
        assert len(case.id) < 140
        if case.family == "plateau":
            assert parse(case.schedule.slug) == case.schedule


def test_wrong_arguments_are_refused_by_the_reference() -> None:
    """Each of them, so that a verdict asks the same of torch."""
    for schedule in plateau.wrong():
        with pytest.raises(Refused):
            validated(schedule)


@pytest.mark.parametrize("entry", ["plateau-first-epoch", "plateau-threshold-of-one", "plateau-eps-reached"])
def test_a_deviation_is_expected_of_few_cases(entry: str) -> None:
    """A predicate that holds for every case would excuse any deviation."""
    hit = [case for case in plateau.cases() if PREDICATES[entry](case)]
    assert 0 < len(hit) < len(GRID) / 4


def test_a_missing_get_last_lr_hides_no_learning_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to release 2.2 it fails before the first step; the LRs are judged all the same, each in its own channel."""
    monkeypatch.delattr(torch.optim.lr_scheduler.LRScheduler, "get_last_lr")
    verdict = verdict_of(find("reducelronplateaunanx1p0r3x0p5r4_f0p7_p0_t0p1"), installed())
    assert [(v.channel, v.shape, v.step) for v in verdict.deviations] == [("lr", "scaled", 1), ("reported", "error", 0)]


def test_a_metric_that_is_kept_as_a_tensor_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that stores what it was given, instead of its value, deviates in the channel of types alone."""
    step = torch.optim.lr_scheduler.ReduceLROnPlateau.step

    def keeps(self: Any, metrics: Any) -> None:
        step(self, metrics)
        self.best = metrics if self.best == metrics else self.best

    monkeypatch.setattr(torch.optim.lr_scheduler.ReduceLROnPlateau, "step", keeps)
    found = {}
    for case in passed_metrics.cases():
        found[case.setup.marks[0]] = [v.channel for v in verdict_of(case, installed()).deviations]
    assert found["metricfloat32"] == found["metricnumpy64"] == found["metricfraction"] == ["type"]
    assert found["metricbyname"] == found["metricnone"] == []
