"""The experiments on groups find planted faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch.optim.lr_scheduler as lrs

from reference import ExponentialLR, LambdaLR, OneCycleLR, StepLR
from suite.cases.experiments.groups.added import Added, AddedAndRestored, AddedFirst
from suite.cases.experiments.groups.altered import DroppedByHand, GroupsChanged, RaisedFromZero
from suite.cases.experiments.groups.listed import GivenAs, OwnRates, WrongList
from suite.engine.action import Action
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.subject import Subject, installed
from suite.engine.verdict import verdict_of
from suite.tests import broken

EXPO, ONE_CYCLE = ExponentialLR(0.89), OneCycleLR(0.23, 40)


def leaves_out_new_groups(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """Only the groups of the construction are stepped."""
    groups = scheduler.optimizer.param_groups
    new = [(group, group["lr"]) for group in groups[len(scheduler.base_lrs) :]]
    step()
    for group, lr in new:
        group["lr"] = lr


def steps_a_frozen_group_twice(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """The last group gets its factor twice at one step."""
    step()
    if call == 6:
        scheduler.optimizer.param_groups[-1]["lr"] *= 0.89


def loses_a_group(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """At the fourth step the last group disappears."""
    step()
    if call == 4:
        scheduler.optimizer.param_groups.pop()


def levels_the_groups(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """Every group gets the LR of the first."""
    step()
    for group in scheduler.optimizer.param_groups:
        group["lr"] = scheduler.optimizer.param_groups[0]["lr"]


def overwrites(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """The LR follows from the base LR alone."""
    step()
    for group in scheduler.optimizer.param_groups:
        group["lr"] = group["initial_lr"] * 0.89**scheduler.last_epoch


def reports_twice(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """get_last_lr() has an entry too many."""
    step()
    scheduler._last_lr = [*scheduler._last_lr, 0.0]


class TakesAnyList(lrs.OneCycleLR):
    """The first value of a list of any length, for all groups."""

    def __init__(self, optimizer: Any, max_lr: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(optimizer, max_lr[0] if isinstance(max_lr, list | tuple) else max_lr, *args, **kwargs)


TakesAnyList.__name__ = "OneCycleLR"
LISTED = WrongList("OneCycleLR", "total_steps=20, ", "max_lr", "0.23", "short")
#: The fault, the schedule, the number of groups, what is done, and the channel and shape in which it shows.
PLANTED: list[tuple[Any, Any, int, Action, str, str]] = [
    (leaves_out_new_groups, EXPO, 1, Added(5, "level"), "lr", "stuck"),
    (leaves_out_new_groups, EXPO, 1, AddedAndRestored(3, 6), "lr", "stuck"),
    (steps_a_frozen_group_twice, EXPO, 1, AddedFirst(thawed=5), "lr", "shifted"),
    (loses_a_group, EXPO, 2, OwnRates(), "lr", "differs"),
    (loses_a_group, EXPO, 3, GroupsChanged(7, "removed"), "lr", "differs"),
    (levels_the_groups, EXPO, 3, OwnRates(), "bounds", "above"),
    (levels_the_groups, EXPO, 3, OwnRates(), "settings", "differs"),
    (overwrites, EXPO, 1, DroppedByHand(4), "lr", "scaled"),
    (overwrites, EXPO, 1, RaisedFromZero(5), "lr", "stuck"),
    (reports_twice, EXPO, 1, DroppedByHand(4), "reported", "differs"),
    (reports_twice, EXPO, 1, Added(5), "reported", "differs"),
    (TakesAnyList, EXPO, 2, LISTED, "refusal", "accepted"),
    (TakesAnyList, ONE_CYCLE, 2, GivenAs(ONE_CYCLE, "tuples"), "lr", "scaled"),
]


def shown(case: Case, subject: Subject) -> set[tuple[str, str]]:
    """The channels and shapes of the deviations."""
    return {(deviation.channel, deviation.shape) for deviation in verdict_of(case, subject).deviations}


@pytest.mark.parametrize(("fault", "schedule", "groups", "action", "channel", "shape"), PLANTED)
def test_a_planted_fault_of_groups_is_found(
    fault: Any, schedule: Any, groups: int, action: Action, channel: str, shape: str
) -> None:
    """It shows in its channel on the broken class, and not on the installed one."""
    case = Case("planted", schedule, Setup(groups=groups, lists=isinstance(action, GivenAs), actions=(action,)))
    name = "OneCycleLR" if fault is TakesAnyList else type(schedule).__name__
    cls = fault if isinstance(fault, type) else broken.hooked(getattr(lrs, name), fault)
    assert (channel, shape) in shown(case, broken.subject(name, cls))
    assert channel not in {channel for channel, _ in shown(case, installed())}


def test_a_missing_base_lr_is_found() -> None:
    """The check compares numbers of groups: a scheduler that extends its list passes."""

    def extends(scheduler: Any, call: int, step: Callable[[], None]) -> None:
        scheduler.base_lrs = [group["lr"] for group in scheduler.optimizer.param_groups]
        step()

    case = Case("planted", StepLR(3, 0.7), Setup(actions=(Added(5, "level"),)))
    assert shown(case, broken.subject("StepLR", broken.hooked(lrs.StepLR, extends))) == set()
    assert shown(case, installed()) == {("bookkeeping", "differs")}


def test_a_refusal_at_once_is_as_good_as_a_schedule() -> None:
    """An optimizer that refuses the group when it is added: nothing to report."""

    class RefusesGroups(lrs.LambdaLR):
        """From construction on, the optimizer takes no group."""

        def __init__(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(optimizer, *args, **kwargs)

            def refuse(group: Any) -> None:
                raise ValueError("param_groups must not change after a scheduler was built")

            optimizer.add_param_group = refuse

    RefusesGroups.__name__ = "LambdaLR"
    case = Case("planted", LambdaLR(EXPO), Setup(actions=(Added(5),)))
    assert verdict_of(case, broken.subject("LambdaLR", RefusesGroups)).follows
    assert ("error", "error") in shown(case, installed())
