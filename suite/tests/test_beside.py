"""Experiments with several schedulers or optimizers: each check sees a planted fault, and each expectation is right."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.optim.lr_scheduler as lrs

from reference import (
    SWALR,
    ChainedScheduler,
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    OneCycleLR,
    Schedule,
    SequentialLR,
    StepLR,
)
from reference import LRScheduler as BaseTwin
from suite.cases.experiments.beside import Beside, HandedOver
from suite.cases.experiments.built_again import BuiltAgain, Discarded, FromFoundLR
from suite.cases.experiments.other_scheduler import PLATEAU, Multiplying, effect, together
from suite.cases.experiments.same_object import FOREIGN, ForeignPart, SameObject, UntouchedOptimizer
from suite.cases.schedules.compositions import PARTS, twin
from suite.engine.action import Action
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.subject import installed
from suite.engine.verdict import Verdict, verdict_of

from .broken import hooked, subject

DECAY, DROPS = ExponentialLR(0.89), StepLR(3, 0.7)
TWICE = ChainedScheduler((DROPS, DROPS))


class LeavesAKey(lrs.StepLR):
    """Construction writes a setting of its own into the groups."""

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer, step_size, gamma)
        for group in optimizer.param_groups:
            group["last_drop"] = 0


class ForgetsTheBase(lrs.StepLR):
    """Its base LRs are wrong, its LRs are right."""

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer, step_size, gamma)
        self.base_lrs = [2 * lr for lr in self.base_lrs]


class StartsFromTheFirstBase(lrs.ExponentialLR):
    """On a used optimizer it goes back to the LR that the optimizer was created with."""

    def __init__(self, optimizer: Any, gamma: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = group.get("initial_lr", group["lr"])
        super().__init__(optimizer, gamma)


class TakesAnyOptimizer(lrs.SequentialLR):
    """Adopts the parts of another optimizer."""

    def __init__(self, optimizer: Any, schedulers: Any, milestones: Any) -> None:
        for part in schedulers:
            part.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        super().__init__(optimizer, schedulers, milestones)


class RefusesTwins(lrs.ChainedScheduler):
    """Takes no object twice: that is as good as a right run."""

    def __init__(self, schedulers: Any) -> None:
        if len(set(map(id, schedulers))) < len(schedulers):
            raise ValueError("schedulers must be different objects")
        super().__init__(schedulers)


def touches_all(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """The third step writes into every optimizer of the process."""
    step()
    if call == 3:
        for other in gc.get_objects():
            if isinstance(other, torch.optim.SGD):
                other.param_groups[0]["momentum"] = 0.5


def overwrites(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """Each LR is computed from the base LR."""
    step()
    for group, base in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, strict=True):
        group["lr"] = base * scheduler.gamma**call
    scheduler._last_lr = [group["lr"] for group in scheduler.optimizer.param_groups]


def judged(schedule: Schedule, action: Action, broken: tuple[str, type] | None = None) -> Verdict:
    """The verdict on a case, of the installed torch or with one class replaced."""
    return verdict_of(Case("", schedule, Setup(actions=(action,))), subject(*broken) if broken else installed())


FAULTS: list[tuple[str, Schedule, Action, tuple[str, type], str]] = [
    ("key", DECAY, Discarded(DROPS), ("StepLR", LeavesAKey), "settings"),
    ("key_later", DECAY, Discarded(DROPS, 3), ("StepLR", LeavesAKey), "settings"),
    ("base_lrs", DROPS, FromFoundLR(ConstantLR(0.37, 3)), ("StepLR", ForgetsTheBase), "bookkeeping"),
    ("restart", DECAY, BuiltAgain(DROPS), ("ExponentialLR", StartsFromTheFirstBase), "lr"),
    ("beside", DECAY, Beside(DROPS), ("ExponentialLR", hooked(lrs.ExponentialLR, overwrites)), "lr"),
    ("beside_plateau", DECAY, Beside(PLATEAU), ("ExponentialLR", hooked(lrs.ExponentialLR, overwrites)), "lr"),
    (
        "handed_over",
        SWALR(0.023, 4),
        HandedOver(DECAY),
        ("ExponentialLR", hooked(lrs.ExponentialLR, touches_all)),
        "momentum",
    ),
    ("untouched", DROPS, UntouchedOptimizer("state"), ("StepLR", hooked(lrs.StepLR, touches_all)), "settings"),
]


@pytest.mark.parametrize(
    ("schedule", "action", "broken", "channel"), [row[1:] for row in FAULTS], ids=[r[0] for r in FAULTS]
)
def test_a_planted_fault_is_seen_in_its_channel(
    schedule: Schedule, action: Action, broken: tuple[str, type], channel: str
) -> None:
    """The installed torch follows, and the same case with one broken class deviates where the fault is."""
    assert judged(schedule, action).follows
    channels = {deviation.channel for deviation in judged(schedule, action, broken).deviations}
    assert channel in channels


@pytest.mark.parametrize("form", ["first", "later", "all"])
def test_a_foreign_part_that_is_accepted_is_seen(form: str) -> None:
    """torch refuses it; a SequentialLR that takes it deviates."""
    action = ForeignPart(DROPS, FOREIGN[form], form)
    assert judged(DROPS, action).detail.startswith("refused")
    assert judged(DROPS, action, ("SequentialLR", TakesAnyOptimizer)).shape == "accepted"


def test_one_object_twice_may_be_refused_or_must_work_as_two() -> None:
    """torch steps it twice as fast; a refusal is fine; two objects follow."""
    action = SameObject(DROPS, "ChainedScheduler([part, part])")
    assert judged(TWICE, action).channel == "lr"
    assert judged(TWICE, action, ("ChainedScheduler", RefusesTwins)).follows
    assert verdict_of(Case("", TWICE), installed()).follows


def test_two_effects_multiply() -> None:
    """Factors multiply, reductions stay, and an overwriting class scales the LR that it finds."""
    assert together(DECAY, DROPS).trace(9) == pytest.approx(DECAY.trace(9) * DROPS.trace(9))
    lam = LambdaLR(LinearLR(0.3, 1.0, 4))
    assert together(DECAY, lam).trace(9) == pytest.approx(DECAY.trace(9) * lam.trace(9))
    assert together(lam, PLATEAU).trace(9) == pytest.approx(lam.trace(9) * PLATEAU.trace(9))
    assert effect(PLATEAU).trace(17) == pytest.approx(PLATEAU.trace(17))
    assert PLATEAU.trace(17)[-1] < 0.7**2


def test_two_ranges_of_lrs_have_no_product() -> None:
    """The later one wins."""
    first, second = OneCycleLR(0.2, 30), OneCycleLR(0.1, 40)
    assert together(first, second).trace(9, 0.3) == pytest.approx(second.trace(9, 0.3))
    assert Multiplying(first).trace(9, 0.3) == pytest.approx(first.trace(9, 0.3))


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_a_twin_differs_in_every_argument_that_is_given(part: Schedule) -> None:
    """It is as valid as the original, and no argument off its default is the same, but the metrics and flags."""
    other = twin(part)
    assert type(other) is type(part)
    for field in dataclasses.fields(part):  # type: ignore[arg-type]  # every Schedule is a dataclass
        value = getattr(part, field.name)
        if value != field.default and field.name != "metrics" and not isinstance(value, bool):
            assert getattr(other, field.name) != value
    if not isinstance(part, BaseTwin):
        dataclasses.replace(other)  # type: ignore[type-var]  # validates


def test_a_sequence_beside_another_scheduler_is_named() -> None:
    """SequentialLR resets the LR at its milestone, which the expectation does not."""
    sequence = SequentialLR((ConstantLR(0.37, 2), DECAY), (2,))
    verdict = judged(sequence, Beside(DECAY))
    assert (verdict.channel, verdict.step) == ("lr", 2)
