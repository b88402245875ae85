"""Each documented warning is emitted when it should be, once, at the user's line, and never otherwise."""

from __future__ import annotations

import linecache
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from .support import COMPOSITES, EVERY, FULL, METRIC, SIMPLE, fresh, make, scheduler_class, step

#: CosineAnnealingWarmRestarts overrides step(): its epoch argument is not deprecated.
WARMRESTARTS = "CosineAnnealingWarmRestarts"
TRACKING = [name for name in SIMPLE if name != WARMRESTARTS]


def caught(action: Callable[[], Any]) -> list[warnings.WarningMessage]:
    """Every warning of the action, including those that Python would show only once."""
    with warnings.catch_warnings(record=True) as issued:
        warnings.simplefilter("always")
        action()
    return issued


def here(issued: list[warnings.WarningMessage], *says: str) -> None:
    """One UserWarning per text, in this order, each pointing at the line of the call in this file."""
    assert [text in str(w.message) for w, text in zip(issued, says, strict=True)] == [True] * len(says), issued
    assert [(w.category, w.filename) for w in issued] == [(UserWarning, __file__)] * len(says)
    assert all("here(caught(" in linecache.getline(w.filename, w.lineno) for w in issued)


BEFORE = "`lr_scheduler.step()` before `optimizer.step()`"
OVERRIDDEN = "`optimizer.step()` has been overridden"
EPOCH = "The epoch parameter in `scheduler.step()`"
GET_LR = "`get_last_lr()`"


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("full", [False, True], ids=["minimal", "full"])
def test_a_correct_loop_is_silent(name: str, full: bool) -> None:
    """Construction, steps, queries, saving and loading emit no warning."""

    def loop() -> None:
        scheduler = make(name, fresh(groups=2), full=full)
        step(scheduler, 8)
        scheduler.get_last_lr()
        again = make(name, fresh(groups=2), full=full)
        again.optimizer.load_state_dict(scheduler.optimizer.state_dict())
        again.load_state_dict(scheduler.state_dict())
        step(again, 8)

    assert [str(w.message) for w in caught(loop)] == []


@pytest.mark.parametrize("name", TRACKING)
def test_scheduler_before_optimizer(name: str) -> None:
    """A first step() before any optimizer step warns once, at the caller's line."""
    scheduler = make(name, fresh())
    here(caught(lambda: scheduler.step()), BEFORE)
    assert caught(lambda: scheduler.step()) == [], "only the first step can skip the first LR"


@pytest.mark.parametrize("name", COMPOSITES)
def test_scheduler_before_optimizer_in_a_composite(name: str) -> None:
    """A part that steps before the optimizer warns: the active one of SequentialLR, each one of ChainedScheduler."""
    issued = caught(make(name, fresh()).step)
    assert [(w.category, BEFORE in str(w.message)) for w in issued] == [(UserWarning, True)] * len(issued)
    assert len(issued) == (1 if name == "SequentialLR" else 2)


@pytest.mark.parametrize("name", TRACKING)
def test_optimizer_step_was_overridden(name: str) -> None:
    """An optimizer.step replaced after the scheduler was built cannot be tracked; the first step() warns."""
    scheduler = make(name, fresh())
    scheduler.optimizer.step = lambda: None
    here(caught(lambda: scheduler.step()), OVERRIDDEN)
    assert caught(lambda: scheduler.step()) == []


@pytest.mark.parametrize("name", TRACKING)
def test_step_with_an_epoch(name: str) -> None:
    """step(epoch) is deprecated: one UserWarning per call, at the caller's line; epoch 0 counts as given."""
    scheduler = make(name, fresh())
    scheduler.optimizer.step()
    for epoch in (0, 3, 2):
        here(caught(lambda: scheduler.step(epoch)), EPOCH)  # noqa: B023 - called at once
    assert caught(lambda: scheduler.step()) == []


@pytest.mark.parametrize("name", TRACKING)
def test_both_warnings_at_once(name: str) -> None:
    """A first step(epoch) before the optimizer's step emits both warnings."""
    scheduler = make(name, fresh())
    here(caught(lambda: scheduler.step(1)), BEFORE, EPOCH)


def test_warm_restarts_take_an_epoch_in_silence() -> None:
    """Its step(epoch) is documented, not deprecated."""
    scheduler = make(WARMRESTARTS, fresh())
    assert caught(lambda: [scheduler.step(e) for e in (0, 0.5, 2, 4)]) == []


def test_plateau_with_an_epoch() -> None:
    """ReduceLROnPlateau.step(metric, epoch) warns like the others; without an epoch it does not."""
    scheduler = make("ReduceLROnPlateau", fresh())
    for epoch in (0, 5):
        here(caught(lambda: scheduler.step(METRIC, epoch)), EPOCH)  # noqa: B023 - called at once
        assert scheduler.last_epoch == epoch
        assert caught(lambda: scheduler.step(METRIC)) == []
        assert scheduler.last_epoch == epoch + 1


@pytest.mark.parametrize("name", SIMPLE)
@pytest.mark.parametrize("full", [False, True], ids=["minimal", "full"])
def test_get_lr_is_not_for_users(name: str, full: bool) -> None:
    """get_lr() outside step() warns once per call and names get_last_lr(), before and after steps."""
    scheduler = make(name, fresh(), full=full)
    for _ in range(4):
        for _ in range(2):
            issued = caught(scheduler.get_lr)
            assert [(w.category, GET_LR in str(w.message)) for w in issued] == [(UserWarning, True)]
        assert caught(lambda: step(scheduler)) == []


def test_get_lr_of_swalr_points_at_the_caller() -> None:
    """SWALR warns in get_lr itself, so its warning points at the user's line; elsewhere it points into torch."""
    scheduler = make("SWALR", fresh())
    here(caught(lambda: scheduler.get_lr()), GET_LR)


@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
def test_a_failed_step_leaves_no_flag_behind(name: str) -> None:
    """After a step that raised, get_lr() still detects a call from outside."""

    def failing(epoch: int) -> float:
        if epoch == 2:
            raise ZeroDivisionError("epoch 2")
        return 0.9

    scheduler = make(name, fresh(), lr_lambda=failing)
    step(scheduler)
    with pytest.raises(ZeroDivisionError, match="epoch 2"):
        step(scheduler)
    scheduler.last_epoch = 3
    issued = caught(scheduler.get_lr)
    assert [GET_LR in str(w.message) for w in issued] == [True]


@pytest.mark.parametrize("second", SIMPLE)
def test_two_schedulers_on_one_optimizer(second: str) -> None:
    """The optimizer's step is tracked for both: a correct loop is silent, a wrong one warns."""
    optimizer = fresh()
    one, two = make("ExponentialLR", optimizer), make(second, optimizer)
    if second != WARMRESTARTS:
        here(caught(lambda: two.step()), BEFORE)
    optimizer.step()
    assert caught(lambda: one.step()) == []


def test_a_scheduler_after_the_first_optimizer_step() -> None:
    """A scheduler built after a tracked optimizer step does not warn."""
    optimizer = fresh()
    step(make("StepLR", optimizer), 3)
    later = scheduler_class("ExponentialLR")(optimizer, **FULL["ExponentialLR"])
    assert caught(lambda: later.step()) == []
