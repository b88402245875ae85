"""Reading a plan changes nothing, and knows resumed runs, groups, several optimizers and classes of somebody's own."""

from __future__ import annotations

import copy
import threading
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as schedulers

from bench.diagnose.plan import read_plan
from bench.diagnose.plan.construction import Constructions
from suite.cases.schedules.sample import sample
from suite.engine.build import build
from suite.engine.loop import REFUSALS
from suite.engine.subject import installed

#: What the state of a run is compared by: `repr` shows every digit of a float, and the type of a tensor.
STEPS = 12


def make_optimizer(tensor: bool = False) -> torch.optim.Optimizer:
    """Two groups, with a state from one update."""
    groups = [{"params": [torch.ones(2, requires_grad=True)], "lr": lr} for lr in (0.3, 0.07)]
    if tensor:
        groups = [{**group, "lr": torch.tensor(group["lr"])} for group in groups]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    for group in optimizer.param_groups:
        group["params"][0].grad = torch.ones(2)
    return optimizer


def snapshot(optimizer: torch.optim.Optimizer, scheduler: Any) -> str:
    """Everything that an optimizer and its scheduler hold, as text."""
    return repr((optimizer.param_groups, optimizer.state, optimizer.defaults, state_of(scheduler)))


def state_of(scheduler: Any) -> Any:
    """The attributes of a scheduler and of its parts."""
    parts = [state_of(part) for part in getattr(scheduler, "_schedulers", [])]
    return {k: v for k, v in vars(scheduler).items() if k not in ("optimizer", "_schedulers")}, parts


def lrs_of(optimizer: torch.optim.Optimizer, scheduler: Any, steps: int) -> list[list[float]]:
    """The LRs of the next updates, up to where torch raises."""
    rows = []
    for _ in range(steps):
        rows.append([float(group["lr"]) for group in optimizer.param_groups])
        optimizer.step()
        try:
            scheduler.step()
        except REFUSALS:  # a known deviation of torch ends some compositions here
            break
    return rows


@pytest.mark.parametrize("tensor", [False, True])
def test_nothing_is_changed(tensor: bool) -> None:
    """States, LRs, attributes and identities are as before, without a warning, and the run continues as it would."""
    read = 0
    for schedule in sample():
        if getattr(schedule, "metrics", None):
            continue
        optimizer, other = make_optimizer(tensor), make_optimizer(tensor)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                scheduler = build(schedule, optimizer, installed())
                twin = build(schedule, other, installed())
            except REFUSALS:
                continue
            lrs_of(optimizer, scheduler, 3)
            lrs_of(other, twin, 3)
        before = snapshot(optimizer, scheduler)
        objects = [id(group["lr"]) for group in optimizer.param_groups if tensor]
        step = optimizer.step
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            plan = read_plan(scheduler, STEPS)
        assert snapshot(optimizer, scheduler) == before, schedule
        assert [id(group["lr"]) for group in optimizer.param_groups if tensor] == objects
        assert optimizer.step == step
        columns = [group.lrs for group in plan.groups]
        count = min(lrs.size for lrs in columns if lrs is not None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = lrs_of(other, twin, count)
            assert lrs_of(optimizer, scheduler, count) == expected, schedule
        assert np.stack([lrs for lrs in columns if lrs is not None], axis=1).tolist() == expected, schedule
        read += 1
    assert read > 20


def warm_cosine(optimizer: torch.optim.Optimizer, total: int = 200) -> Any:
    """A warmup of 20 steps and a cosine to the end of the run."""
    warmup = schedulers.LinearLR(optimizer, 0.1, total_iters=20)
    return schedulers.SequentialLR(optimizer, [warmup, schedulers.CosineAnnealingLR(optimizer, total - 20)], [20])


def test_a_correct_resume_is_healthy() -> None:
    """Both states loaded in the right order: the run continues at its step, and nothing is to be changed."""
    optimizer = make_optimizer()
    scheduler = warm_cosine(optimizer)
    lrs_of(optimizer, scheduler, 90)
    again = make_optimizer()
    resumed = warm_cosine(again)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    resumed.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    plan = read_plan(resumed, 110)
    assert plan.healthy, plan.sentences
    assert (plan.position, plan.facts) == (90, ())
    assert "continues at step 90" in plan.sentences[0]


def test_a_lost_optimizer_state_is_seen() -> None:
    """With the scheduler's state alone the optimizer is still at the first LR."""
    optimizer = make_optimizer()
    scheduler = warm_cosine(optimizer)
    lrs_of(optimizer, scheduler, 90)
    again = make_optimizer()
    resumed = warm_cosine(again)
    resumed.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    plan = read_plan(resumed, 110)
    assert [fact.kind for fact in plan.facts if fact.wrong] == ["not-in-force"], plan.sentences
    assert "its LR is 0.03, but step 90" in plan.facts[0].sentence
    assert plan.deviation is None


def test_a_longer_run_after_a_resume_keeps_the_old_length() -> None:
    """The loaded state brings the old T_max back: the plan knows that the LR rises again."""
    optimizer = make_optimizer()
    scheduler = warm_cosine(optimizer, 100)
    lrs_of(optimizer, scheduler, 90)
    again = make_optimizer()
    resumed = warm_cosine(again, 200)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    resumed.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    plan = read_plan(resumed, 110)
    assert [fact.kind for fact in plan.facts if fact.wrong] == ["rises-again"], plan.sentences
    assert "over 80 steps" in plan.words


def test_a_group_that_stays_is_named() -> None:
    """One group whose function is constant, while the other decays."""
    scheduler = schedulers.LambdaLR(make_optimizer(), [lambda step: 0.9**step, lambda step: 1.0])
    plan = read_plan(scheduler, 20)
    assert [fact.kind for fact in plan.facts] == ["group-unmoved"]
    assert plan.facts[0].sentence == "No scheduler moves group 1: its LR stays at 0.07 while others change."


def test_groups_with_other_base_lrs_are_one_plan() -> None:
    """A layer-wise decay of the base LR is one schedule: its facts are said once, without a group."""
    plan = read_plan(schedulers.CosineAnnealingLR(make_optimizer(), 760), 200)
    assert [fact.kind for fact in plan.facts] == ["decay-too-long"]
    assert "roup" not in plan.facts[0].sentence
    assert plan.words.endswith("over 760 steps; in another group 0.2333 times as high")


class OwnClass(schedulers.LRScheduler):
    """A scheduler of somebody's own: a warmup of 300 steps; it may hold what cannot be copied."""

    lock: Any = None

    def get_lr(self) -> Any:
        """A linear rise."""
        return [base * min(1.0, (self.last_epoch + 1) / 300) for base in self.base_lrs]


def test_a_class_of_somebodys_own_is_observed() -> None:
    """Its LRs are read from a copy, and the facts from its LRs; there is no promise of torch to compare with."""
    scheduler = OwnClass(make_optimizer())
    plan = read_plan(scheduler, 100)
    assert (plan.deviation, plan.groups[0].schedule) == (None, None)
    assert plan.words.startswith("OwnClass, described by its LRs alone")
    assert [fact.kind for fact in plan.facts] == ["warmup-too-long"]
    assert scheduler.last_epoch == 0


class InPlace(schedulers.LRScheduler):
    """A scheduler that keeps the tensor of the first group and halves it there."""

    def get_lr(self) -> Any:
        """Half the LR, in the tensor that the group uses."""
        kept = vars(self).setdefault("kept", self.optimizer.param_groups[0]["lr"])
        kept.mul_(0.5)
        return [group["lr"] for group in self.optimizer.param_groups]


def test_a_tensor_that_scheduler_and_group_share_stays_shared_in_the_copy() -> None:
    """Otherwise the copy would halve a tensor that no group uses."""
    scheduler = InPlace(torch.optim.SGD([torch.zeros(1)], lr=torch.tensor(1.0)))
    lrs = read_plan(scheduler, 4).groups[0].lrs
    assert lrs is not None
    assert lrs.tolist() == [0.5, 0.25, 0.125, 0.0625]


def test_what_cannot_be_copied_is_not_stepped_unless_asked() -> None:
    """Without a copy the object stays untouched and the plan says so; a factory's object may be stepped itself."""
    scheduler = OwnClass(make_optimizer())
    scheduler.lock = threading.Lock()
    plan = read_plan(scheduler, 100)
    assert [fact.kind for fact in plan.facts] == ["not-observed"]
    assert scheduler.last_epoch == 0
    lrs = read_plan(scheduler, 100, step_it=True).groups[0].lrs
    assert lrs is not None
    assert lrs.size == 100
    assert scheduler.last_epoch == 100


def test_a_plateau_is_described_and_follows_given_metrics() -> None:
    """Without metrics in words alone; with them its LRs are read and compared."""
    plan = read_plan(schedulers.ReduceLROnPlateau(make_optimizer(), factor=0.5, patience=1), 5)
    assert plan.words.startswith("ReduceLROnPlateau from 0.3, times 0.5")
    assert plan.groups[0].lrs is None
    metrics = (1.0, 1.0, 1.0, 1.0)
    given = read_plan(schedulers.ReduceLROnPlateau(make_optimizer(), factor=0.5, patience=1), 5, metrics=metrics)
    assert given.deviation is None
    assert next(group.lrs.tolist() for group in given.groups if group.lrs is not None) == [0.3, 0.3, 0.3, 0.15, 0.15]


def test_a_function_that_raises_is_a_fact() -> None:
    """The error is in the plan, with its place, and not raised at the reader."""

    def broken(step: int) -> float:
        if step == 4:
            raise KeyError("phase")
        return 1 / (step + 1)

    plan = read_plan(schedulers.LambdaLR(make_optimizer(), broken), 10)
    fact = next(fact for fact in plan.facts if fact.kind == "raises")
    assert fact.sentence == "step() number 4 raises KeyError: 'phase'."
    assert not plan.healthy


def test_numbers_that_a_function_encloses_are_shown() -> None:
    """A closure's numbers are arguments in all but name."""
    warmup, total = 20, 200
    scheduler = schedulers.LambdaLR(make_optimizer(), lambda step: min(step / warmup, (total - step) / total))
    assert read_plan(scheduler, 200).words.startswith("LambdaLR of base LR 0.3 times lambda(total=200, warmup=20)")


def test_bad_input_is_one_line() -> None:
    """The number of updates comes first in the message."""
    with pytest.raises(ValueError, match="steps=0 must be >= 1"):
        read_plan(warm_cosine(make_optimizer()), 0)


def test_lost_base_lrs_come_from_the_construction() -> None:
    """OneCycleLR overwrites the base LR that a later part starts from; what the optimizer had before is kept."""
    optimizer = make_optimizer()
    with Constructions() as seen:
        cycle = schedulers.OneCycleLR(optimizer, 0.2, 400)
        scheduler = schedulers.SequentialLR(optimizer, [cycle, schedulers.StepLR(optimizer, 300)], [100])
    plan = read_plan(scheduler, 200, seen=seen)
    assert [group.base_lr for group in plan.groups] == [0.3, 0.07]
    assert plan.deviation is not None
    assert (plan.deviation.cause, plan.deviation.step) == ("torch-cycle-base", 100)
    assert "lost-arguments" not in {fact.kind for fact in plan.facts}
    assert "lost-arguments" in {fact.kind for fact in read_plan(scheduler, 200).facts}
