"""Conversions of numbers: written as they are given; and what the suite finds where a scheduler mistreats them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.optim.lr_scheduler as lrs

from reference import ExponentialLR, Schedule, StepLR
from suite.cases.catalogue import all_cases
from suite.cases.experiments.numbers import Inspected
from suite.engine import tolerances
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.numbers import CONVERSIONS, MODULES
from suite.engine.subject import installed
from suite.engine.verdict import verdict_of
from suite.tests import broken

EXPO, STEP = ExponentialLR(0.89), StepLR(3, 0.7)
LOOKED_AT = (Inspected(),)
#: A plain value of each kind.
PLAIN_VALUES = {"lr": 0.3, "real": 0.7, "integer": 3, "milestones": [2, 5], "parts": [1, 2], "result": 0.7}


def shown(value: Any) -> tuple[str, str]:
    """The type and the text of a value; of an iterator, of its items."""
    return type(value).__name__, str(list(value) if hasattr(value, "__next__") else value)


@pytest.mark.parametrize("name", [name for name, c in CONVERSIONS.items() if c.kind in PLAIN_VALUES])
def test_a_number_is_written_as_it_is_given(name: str) -> None:
    """The text in a script makes the object that the suite passes."""
    conversion = CONVERSIONS[name]
    value = PLAIN_VALUES[conversion.kind]
    assert shown(eval(conversion.written(repr(value)), dict(MODULES))) == shown(conversion.given(value))


def test_every_conversion_is_in_a_case() -> None:
    """A conversion that no case uses checks nothing."""
    assert {case.setup.numbers for case in all_cases()} == set(CONVERSIONS)


def writes_numpy(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """The LR becomes a NumPy number."""
    step()
    for group in scheduler.optimizer.param_groups:
        group["lr"] = np.float64(group["lr"])


def replaces_the_tensor(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """A new tensor takes the place of the one given."""
    step()
    for group in scheduler.optimizer.param_groups:
        group["lr"] = group["lr"].clone()


def widens_the_tensor(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """The tensor gets another shape in place."""
    step()
    for group in scheduler.optimizer.param_groups:
        group["lr"].resize_(1)


def keeps_a_function(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """The state contains a function that no file can hold."""
    step()
    scheduler.rule = lambda: None


def loses_precision(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """An error of 5 %, larger than what a half type rounds."""
    step()
    if call == 3:
        for group in scheduler.optimizer.param_groups:
            group["lr"].mul_(1.05)


class TakesText(lrs.StepLR):
    """Converts what it is given."""

    def __init__(self, optimizer: Any, step_size: Any, gamma: float = 0.1) -> None:
        super().__init__(optimizer, int(step_size), gamma)


class ReportsTensors(lrs.ExponentialLR):
    """Returns tensors for floats."""

    def get_last_lr(self) -> Any:
        return [torch.tensor(lr, dtype=torch.float64) for lr in super().get_last_lr()]


FAULTS = [
    ("ExponentialLR", writes_numpy, EXPO, Setup(actions=LOOKED_AT), "type"),
    ("ExponentialLR", widens_the_tensor, EXPO, Setup(lr_type="tensor", actions=LOOKED_AT), "type"),
    ("ExponentialLR", ReportsTensors, EXPO, Setup(actions=LOOKED_AT), "type"),
    ("ExponentialLR", replaces_the_tensor, EXPO, Setup(lr_type="tensor", actions=LOOKED_AT), "objects"),
    ("ExponentialLR", keeps_a_function, EXPO, Setup(actions=LOOKED_AT), "state"),
    ("ExponentialLR", loses_precision, EXPO, Setup(numbers="lr_float16", actions=LOOKED_AT), "scaled"),
]


@pytest.mark.parametrize(("name", "fault", "schedule", "setup", "label"), FAULTS)
def test_a_fault_with_types_is_found(name: str, fault: Any, schedule: Schedule, setup: Setup, label: str) -> None:
    """The installed torch follows; the fault shows under its label."""
    case = Case("planted", schedule, setup, 8)
    cls = fault if isinstance(fault, type) else broken.hooked(getattr(lrs, name), fault)
    assert verdict_of(case, installed()).follows
    assert label in [deviation.label for deviation in verdict_of(case, broken.subject(name, cls)).deviations]


def test_a_text_must_be_refused() -> None:
    """A class that takes a text as a number is found, however right its LRs are."""
    case = Case("planted", STEP, Setup(numbers="integer_text"))
    verdict = verdict_of(case, broken.subject("StepLR", TakesText))
    assert (verdict.channel, verdict.shape) == ("refusal", "accepted")


def test_a_refusal_is_as_good_where_the_type_is_not_documented() -> None:
    """A length as an array may be refused at construction, and an int may not."""

    class OnlyInts(lrs.StepLR):
        def __init__(self, optimizer: Any, step_size: Any, gamma: float = 0.1) -> None:
            raise TypeError(f"step_size={step_size!r} must be an int")

    refusing = broken.subject("StepLR", OnlyInts)
    assert verdict_of(Case("planted", STEP, Setup(numbers="integer_array")), refusing).follows
    assert verdict_of(Case("planted", STEP), refusing).label == "error"


@pytest.mark.parametrize("kind", tolerances.HALF)
def test_a_half_type_has_a_bound_of_its_own(kind: str) -> None:
    """Wider than float32's unit, and narrow enough to see a lost factor within eight steps."""
    assert tolerances.UNIT["float32"] < tolerances.relative(8, kind) < 0.15
