"""Several schedulers and optimizers of a script, wrappers, and schedulers that are given a metric."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import lr_scheduler as schedulers

from bench.diagnose.plan import read_plan, read_plans
from bench.tests.plan.test_read_plan import make_optimizer, warm_cosine


def test_an_optimizer_without_a_scheduler_is_named() -> None:
    """Two optimizers and one scheduler: the other one stays at its LR, which may be wanted."""
    moved, still = make_optimizer(), torch.optim.AdamW([torch.zeros(1)], lr=3e-4)
    plans, facts = read_plans([warm_cosine(moved)], [moved, still], 200)
    assert [plan.healthy for plan in plans] == [True]
    assert [(fact.kind, fact.wrong) for fact in facts] == [("optimizer-unmoved", False)]
    assert "AdamW (number 2): its LR stays at 0.0003" in facts[0].sentence


def test_an_optimizer_is_missing_the_scheduler_that_another_one_has_twice() -> None:
    """Two schedulers were built for the first optimizer and none for the second: a mistake in copying."""
    first, second = make_optimizer(), torch.optim.AdamW([torch.zeros(1)], lr=3e-4)
    facts = read_plans([warm_cosine(first), warm_cosine(first)], [first, second], 200)[1]
    assert [(fact.kind, fact.wrong) for fact in facts] == [("two-writers", True), ("optimizer-unmoved", True)]


def test_two_writers_of_one_lr_are_named() -> None:
    """Two schedulers on one optimizer; the parts of a composite are one writer."""
    optimizer = make_optimizer()
    first, second = warm_cosine(optimizer), schedulers.StepLR(optimizer, 30)
    plans, facts = read_plans([*first._schedulers, first, second], [optimizer], 200)
    assert len(plans) == 2
    assert [fact.kind for fact in facts] == ["two-writers"]
    assert "SequentialLR and StepLR" in facts[0].sentence
    assert read_plans([first, *first._schedulers], [optimizer], 200)[1] == []


def test_a_wrapper_of_accelerate_is_looked_into() -> None:
    """The scheduler inside is read; what another wrapper does with its own is not known."""

    class AcceleratedScheduler:
        def __init__(self, scheduler: Any) -> None:
            self.scheduler = scheduler

        def step(self) -> None:
            self.scheduler.step()

    inner = warm_cosine(make_optimizer())
    AcceleratedScheduler.__module__ = "accelerate.scheduler"
    assert read_plan(AcceleratedScheduler(inner), 200).words == read_plan(inner, 200).words
    AcceleratedScheduler.__module__ = "somebody.else"
    assert "described by its LRs alone" in read_plan(AcceleratedScheduler(inner), 200).words


def test_a_metric_shows_a_wrong_mode() -> None:
    """A loss that falls is no reason to lower the LR, as mode="max" does; a loss that rests is one for "min"."""
    losses = [0.8**i for i in range(20)]
    wrong = schedulers.ReduceLROnPlateau(make_optimizer(), mode="max", patience=2)
    plan = read_plan(wrong, 20, metrics=losses)
    assert [fact.kind for fact in plan.facts if fact.wrong] == ["wrong-mode"]
    assert "lowered the LR 6 times while its metric fell from 1 to 0.01441" in plan.facts[0].sentence
    right = schedulers.ReduceLROnPlateau(make_optimizer(), patience=2)
    assert read_plan(right, 20, metrics=losses).healthy
    assert read_plan(right, 20, metrics=[1.0] * 20).healthy
