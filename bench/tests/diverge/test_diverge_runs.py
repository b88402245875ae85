"""Runs with their records: cached, read back, and equal to those of the batched trainer."""

from __future__ import annotations

import dataclasses
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
    """They are in the order of the plans, whichever runs were trained together."""
    shuffled = [PLANS[k] for k in (5, 0, 7, 2, 1, 6, 3, 4)]
    together = train(shuffled)
    for k, plan in enumerate(shuffled):
        batched = Batched(
            named("odd", norm_first=plan.norm == "pre"),
            grid([parse(plan.schedule)], [plan.base_lr], plan.steps),
            [plan.seed],
            instruments=True,
        )
        assert together.initial[k] == batched.evaluate().item()
        batched.run()
        assert together.final[k] == batched.evaluate().item()
        for name in PER_STEP:
            np.testing.assert_array_equal(getattr(together, name)[k], getattr(batched, name)[0].numpy())


def test_losses_are_above_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training losses of the language are recorded without its entropy, as validation losses are."""
    monkeypatch.setitem(CONFIGS, "odd", dataclasses.replace(ODD, task="language"))
    plan = PLANS[0]
    batched = Batched(named("odd"), grid([parse(plan.schedule)], [plan.base_lr], plan.steps), [plan.seed])
    batched.run()
    assert batched.floor > 1
    np.testing.assert_array_equal(train([plan]).losses, batched.losses.numpy() - batched.floor)


def test_finished_runs_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cached runs are not trained a second time; new ones are trained."""
    trained: list[Plan] = []
    original = runs._trained

    def logged(plans: Sequence[Plan]) -> Records:
        trained.extend(plans)
        return original(plans)

    monkeypatch.setattr(runs, "_trained", logged)
    first = train(PLANS[:5], tmp_path / "new")
    assert trained == PLANS[:5]
    again = train(PLANS, tmp_path / "new")
    assert trained == PLANS
    for name, values in vars(first).items():
        np.testing.assert_array_equal(getattr(again[:5], name), values)


def test_damaged_files_are_ignored(tmp_path: Path) -> None:
    """Runs in a file whose content does not match its name are trained again."""
    before = train(PLANS[:1], tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    reports: list[tuple[int, int]] = []
    after = train(PLANS[:1], tmp_path, lambda done, total: reports.append((done, total)))
    assert reports == [(0, 1), (1, 1)]
    np.testing.assert_array_equal(after.losses, before.losses)


def test_other_code_is_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of other code or versions are neither used nor deleted."""
    train(PLANS[:1], tmp_path)
    monkeypatch.setattr(runs, "code_key", lambda: "other")
    reports: list[tuple[int, int]] = []
    train(PLANS[:1], tmp_path, lambda done, total: reports.append((done, total)))
    assert reports[0] == (0, 1)
    assert len(list(tmp_path.iterdir())) == 2


def test_plans_of_different_lengths_are_refused() -> None:
    """Records are tables: there is at least one run, and all have the same length."""
    for plans in ([], [PLANS[0], PLANS[0]._replace(steps=5)]):
        with pytest.raises(ValueError, match=r"steps=\[.*\] must be one length"):
            train(plans)


def test_records_can_be_cut_and_joined() -> None:
    """Cut after two steps there is no later record and no validation loss; joined parts equal the whole."""
    whole = train(PLANS[:2])
    early = whole.until(2)
    assert early.losses.shape == (2, 2)
    assert np.isnan(early.final).all()
    both = joined([whole[:1], whole[1:]])
    assert all(np.array_equal(values, getattr(both, name)) for name, values in vars(whole).items())
    assert torch.get_num_threads() == 1
