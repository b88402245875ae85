"""Runs with their records: kept, read again, and the same as the batched trainer's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.diverge import runs
from bench.diverge.runs import PER_STEP, Plan, Records, joined, train
from bench.tests.toy_models import ODD, one_thread
from bench.toy.batched.batched import Batched
from bench.toy.config import CONFIGS, named
from bench.toy.rates import grid
from reference import parse

pytestmark = pytest.mark.usefixtures(one_thread.__name__)
PLANS = [
    Plan("odd", norm, 4, "linear2+hold", lr, seed) for norm in ("post", "pre") for lr in (0.01, 0.1) for seed in (0, 3)
]


@pytest.fixture(autouse=True)
def odd(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration that trains in milliseconds."""
    monkeypatch.setitem(CONFIGS, "odd", ODD)


def test_records_are_those_of_the_batched_trainer() -> None:
    """In the order of the plans, whatever was trained together."""
    shuffled = [PLANS[k] for k in (5, 0, 7, 2, 1, 6, 3, 4)]
    found = train(shuffled)
    for k, plan in enumerate(shuffled):
        batched = Batched(
            named("odd", norm_first=plan.norm == "pre"),
            grid([parse(plan.schedule)], [plan.base_lr], plan.steps),
            [plan.seed],
            instruments=True,
        )
        assert found.initial[k] == batched.evaluate().item()
        batched.run()
        assert found.final[k] == batched.evaluate().item()
        for name in PER_STEP:
            np.testing.assert_array_equal(getattr(found, name)[k], getattr(batched, name)[0].numpy())


def test_finished_runs_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is not trained a second time; what is new is."""
    trained: list[Plan] = []
    original = runs._trained

    def noted(plans: Sequence[Plan]) -> Records:
        trained.extend(plans)
        return original(plans)

    monkeypatch.setattr(runs, "_trained", noted)
    first = train(PLANS[:5], tmp_path / "new")
    assert trained == PLANS[:5]
    again = train(PLANS, tmp_path / "new")
    assert trained == PLANS
    for name, values in vars(first).items():
        np.testing.assert_array_equal(getattr(again[:5], name), values)


def test_damaged_files_are_not_believed(tmp_path: Path) -> None:
    """A file whose content is not what its name says is trained anew, as is one of other code."""
    before = train(PLANS[:1], tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    reports: list[tuple[int, int]] = []
    after = train(PLANS[:1], tmp_path, lambda done, total: reports.append((done, total)))
    assert reports == [(0, 1), (1, 1)]
    np.testing.assert_array_equal(after.losses, before.losses)


def test_other_code_is_trained_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of other code or versions are left alone."""
    train(PLANS[:1], tmp_path)
    monkeypatch.setattr(runs, "code_key", lambda: "other")
    reports: list[tuple[int, int]] = []
    train(PLANS[:1], tmp_path, lambda done, total: reports.append((done, total)))
    assert reports[0] == (0, 1)
    assert len(list(tmp_path.iterdir())) == 2


def test_plans_of_several_lengths_are_refused() -> None:
    """Records are tables: all runs have one length, and there is at least one."""
    for plans in ([], [PLANS[0], PLANS[0]._replace(steps=5)]):
        with pytest.raises(ValueError, match=r"steps=\[.*\] must be one length"):
            train(plans)


def test_a_part_of_the_records_knows_nothing_of_the_rest() -> None:
    """Cut after two steps there is no later record and no validation loss; joined parts are the whole."""
    found = train(PLANS[:2])
    early = found.until(2)
    assert early.losses.shape == (2, 2)
    assert np.isnan(early.final).all()
    both = joined([found[:1], found[1:]])
    assert all(np.array_equal(values, getattr(both, name)) for name, values in vars(found).items())
    assert torch.get_num_threads() == 1
