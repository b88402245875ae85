"""What a scheduler hands out and leaves behind: each check sees a planted fault, and the workarounds work."""

from __future__ import annotations

import collections
import copy
import json
from typing import Any

import pytest
import torch
import torch.optim.lr_scheduler as lrs

from reference import ExponentialLR, LinearLR, MultiStepLR, SequentialLR, StepLR
from suite.cases.experiments.objects import (
    AskedRates,
    CountedSteps,
    EditedReport,
    KeptReports,
    LeftBehind,
)
from suite.cases.experiments.objects.copied import CopyBeside, StateTaken
from suite.cases.schedules.momenta import ONE_CYCLE
from suite.engine.action import Action
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.subject import Subject, installed
from suite.engine.verdict import Verdict, verdict_of
from suite.tests.broken import ahead, hooked, subject

WARMUP = LinearLR(0.13, 1.0, 6)


def _judged(action: Action, on: Subject | None = None, **axes: Any) -> Verdict:
    return verdict_of(Case("", WARMUP, Setup(actions=(action,), **axes)), on or installed())


def _overridden(**methods: Any) -> Subject:
    """The installed schedulers, with a LinearLR that has these methods instead of its own."""
    return subject("LinearLR", type("LinearLR", (lrs.LinearLR,), methods))


class OneList(lrs.LinearLR):
    """Keeps one list for all reports."""

    def step(self, *arguments: Any) -> None:
        """Write into the first list."""
        first = getattr(self, "_last_lr", [])
        super().step(*arguments)
        first[:] = self._last_lr
        self._last_lr = first


class Leaving(lrs.LinearLR):
    """Leaves a key in the groups."""

    def __init__(self, optimizer: Any, *arguments: Any, **keywords: Any) -> None:
        super().__init__(optimizer, *arguments, **keywords)
        for group in optimizer.param_groups:
            group["warmup"] = True


def _drifting(self: Any) -> list[float]:
    """Changes the base LRs whenever it is asked."""
    self.base_lrs = [lr / 2 for lr in self.base_lrs]
    for group in self.optimizer.param_groups:
        group["lr"] = group["lr"] * 1.01
    return [0.5]


def _outside(self: Any) -> list[Any]:
    """Something else between steps."""
    within = self._get_lr_called_within_step or self._is_initial
    return lrs.ExponentialLR.get_lr(self) if within else [7.0]


def _taking(self: Any, state: dict[str, Any]) -> None:
    """Takes an entry out of the state that it is given."""
    state.pop("_step_count")
    self.__dict__.update(state)


def _forgetting(self: Any, state: dict[str, Any]) -> None:
    """Loads nothing but a wrong length."""
    self.total_iters = 3


def _shared(self: Any, memo: dict[int, Any]) -> Any:
    """A copy that keeps the optimizer of the original."""
    new = copy.copy(self)
    memo[id(self)] = new
    return new


#: A planted fault → the action that sees it, and the channels in which it does.
FAULTS: dict[str, tuple[Subject, Action, set[str]]] = {
    "one list": (subject("LinearLR", OneList), KeptReports(), {"objects"}),
    "a key left": (subject("LinearLR", Leaving), LeftBehind(), {"settings"}),
    "get_lr() changes the LR": (_overridden(get_lr=_drifting), EditedReport("get_lr", False), {"lr", "bounds"}),
    "an entry is taken out": (_overridden(load_state_dict=_taking), StateTaken("reloaded"), {"state"}),
    "a state is not loaded": (_overridden(load_state_dict=_forgetting), StateTaken("pickled"), {"lr"}),
    "a copy shares": (_overridden(__deepcopy__=_shared), CopyBeside("deepcopy"), {"lr", "reported", "objects"}),
    "no text": (_overridden(__repr__=lambda self: ""), LeftBehind(), {"docs"}),
    "a step counts twice": (subject("LinearLR", hooked(lrs.LinearLR, ahead)), CountedSteps(), {"lr", "bookkeeping"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_seen_in_its_channels(name: str) -> None:
    """And without the fault nothing is said."""
    fault, action, channels = FAULTS[name]
    found = {deviation.channel for deviation in _judged(action, fault).deviations}
    assert found >= channels, found
    known = {deviation.channel for deviation in _judged(action).deviations}
    assert not known & channels, known


def test_an_lr_that_is_neither_the_present_one_nor_the_next_is_seen() -> None:
    """The get_lr() of ExponentialLR gives the next one; 7 is neither."""
    fault = subject("ExponentialLR", type("ExponentialLR", (lrs.ExponentialLR,), {"get_lr": _outside}))
    case = Case("", ExponentialLR(0.89), Setup(actions=(AskedRates(),)))
    assert verdict_of(case, installed()).follows
    assert [deviation.channel for deviation in verdict_of(case, fault).deviations] == ["objects"]


def test_a_momentum_set_before_its_phase_is_seen() -> None:
    """Only where the cycle is not in force from the first step."""
    later = verdict_of(Case("", SequentialLR((WARMUP, ONE_CYCLE), (6,))), installed())
    first = verdict_of(Case("", SequentialLR((ONE_CYCLE, StepLR(3, 0.7)), (6,))), installed())
    assert "momentum" in {deviation.channel for deviation in later.deviations}
    assert "momentum" not in {deviation.channel for deviation in first.deviations}


def _optimizer(lr: Any = 0.3) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1)], lr=lr, momentum=0.9)


def _trace(optimizer: torch.optim.Optimizer, scheduler: Any, steps: int = 12) -> list[float]:
    lrs_used = []
    for _ in range(steps):
        lrs_used.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return lrs_used


def test_milestones_are_restored_from_json_by_the_workaround() -> None:
    """The keys become numbers again."""
    optimizer = _optimizer()
    scheduler = lrs.MultiStepLR(optimizer, [2, 5], 0.7)
    scheduler.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
    scheduler.milestones = collections.Counter({int(k): v for k, v in scheduler.milestones.items()})
    assert _trace(optimizer, scheduler) == pytest.approx(MultiStepLR((2, 5), 0.7).trace(12, 0.3).tolist())


def test_a_copied_state_may_be_edited_as_the_workaround_says() -> None:
    """The run keeps its own base LR."""
    optimizer = _optimizer()
    scheduler = lrs.CosineAnnealingLR(optimizer, 11)
    copy.deepcopy(scheduler.state_dict())["base_lrs"][0] = 0.0
    assert scheduler.base_lrs == [0.3]


def test_a_cloned_tensor_keeps_the_defaults_as_the_workaround_says() -> None:
    """The optimizer's default stays the LR that was given."""
    optimizer = _optimizer(torch.tensor(0.3))
    optimizer.param_groups[0]["lr"] = optimizer.defaults["lr"].clone()
    _trace(optimizer, lrs.StepLR(optimizer, 3, 0.5))
    assert optimizer.defaults["lr"] == torch.tensor(0.3)


def test_the_optimizers_own_maximum_keeps_the_momentum_as_the_workaround_says() -> None:
    """The warmup runs with the momentum that SGD was given."""
    optimizer = _optimizer()
    warmup = lrs.LinearLR(optimizer, 0.1, 1.0, 5)
    cycle = lrs.OneCycleLR(optimizer, 0.3, 40, max_momentum=0.9)
    lrs.SequentialLR(optimizer, [warmup, cycle], [5])
    assert optimizer.param_groups[0]["momentum"] == 0.9
