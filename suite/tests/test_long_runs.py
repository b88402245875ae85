"""The checks of ends, long runs and wrapped updates see a planted fault, and a checkpoint is what a real run saves."""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import pytest
import torch
import torch.optim.lr_scheduler as lrs

from reference import CosineAnnealingLR, CosineAnnealingWarmRestarts, ExponentialLR, OneCycleLR, Schedule
from suite.cases.experiments import ends, far, order
from suite.engine.axes import Setup
from suite.engine.build import build
from suite.engine.case import Case, is_composite
from suite.engine.subject import installed
from suite.engine.verdict import verdict_of
from suite.tests import broken

AT = 500


@pytest.mark.parametrize(
    "schedule", [s for s in far.long_singles(AT) if not isinstance(s, OneCycleLR)], ids=lambda s: s.slug
)
def test_a_checkpoint_is_what_a_run_would_have_saved(schedule: Schedule) -> None:
    """The entries that the lines write are those of a scheduler that took the steps; so is the LR."""
    setup = Setup()
    optimizers = [setup.make_optimizer() for _ in range(2)]
    stepped, loaded = (build(schedule, optimizer, installed()) for optimizer in optimizers)
    optimizers[0].step()
    for _ in range(AT):
        stepped.step()
    exec(far.checkpoint(schedule, AT, setup).lines, {"scheduler": loaded, "optimizer": optimizers[1], "torch": torch})
    for name in ("last_epoch", "_step_count", "T_cur", "T_i"):
        assert getattr(loaded, name, None) == getattr(stepped, name, None), name
    assert loaded.get_last_lr() == pytest.approx(stepped.get_last_lr(), rel=1e-9, abs=1e-15)
    assert optimizers[1].param_groups[0]["momentum"] == pytest.approx(optimizers[0].param_groups[0]["momentum"])


def test_a_late_step_far_out_is_found() -> None:
    """The first step after the checkpoint is lost: the trace runs one step late."""
    decay = ExponentialLR(1 - 1e-5)
    actions = (far.checkpoint(decay, far.FAR[1], Setup()),)
    case = Case("planted", decay, Setup(actions=actions), 8)
    late = broken.subject("ExponentialLR", broken.hooked(lrs.ExponentialLR, broken.late))
    assert verdict_of(case, installed()).follows
    assert (verdict_of(case, late).label, verdict_of(case, late).step) == ("shifted", 1)


def test_an_error_of_a_millionth_far_out_is_found() -> None:
    """The tolerance for the rounding of an angle at two million steps hides nothing that a reader could see."""
    cosine = CosineAnnealingLR(13, 1e-3)
    case = Case("planted", cosine, Setup(jumps=(far.FAR[1],)), 8)

    class Off(lrs.CosineAnnealingLR):
        def _get_closed_form_lr(self) -> list[Any]:
            return [lr * (1 + 1e-6) for lr in super()._get_closed_form_lr()]

    assert verdict_of(case, installed()).follows
    assert verdict_of(case, broken.subject("CosineAnnealingLR", Off)).step == 3


@pytest.mark.parametrize("lr_type", ["float", "tensor"])
def test_a_drift_is_found(lr_type: str) -> None:
    """Each step is off by 1e-13 in float, or by 1e-7 in float32, which no single step shows."""
    steps = 50_000 if lr_type == "float" else 10_000
    case = far._stepping(ExponentialLR(1 - 1e-4), Setup(lr_type=lr_type), steps)
    error = 1e-13 if lr_type == "float" else 1e-7

    class Drifting(lrs.ExponentialLR):
        def get_lr(self) -> list[Any]:
            return [lr * (1 + error) for lr in super().get_lr()]

    verdict = verdict_of(case, broken.subject("ExponentialLR", Drifting))
    assert [deviation.shape for deviation in verdict.deviations] == ["drifts"]


def test_a_one_cycle_that_stays_at_its_minimum_follows() -> None:
    """The case of the last step() deviates because of what torch does, not because of what it asks for."""

    class Stays(lrs.OneCycleLR):
        def get_lr(self) -> list[Any]:
            past = self.last_epoch == self.total_steps
            self.last_epoch -= past
            values = super().get_lr()
            self.last_epoch += past
            return values

    cases = [case for case in ends.cases() if any(isinstance(a, ends.Completed) for a in case.setup.actions)]
    alone = [case for case in cases if not is_composite(case.schedule)]
    assert len(alone) == 16
    for case in alone:
        assert not verdict_of(case, installed()).follows
        assert verdict_of(case, broken.subject("OneCycleLR", Stays)).follows


def test_an_endless_one_cycle_is_found() -> None:
    """One that accepts a step too many is reported."""

    class Endless(lrs.OneCycleLR):
        def get_lr(self) -> list[Any]:
            self.total_steps += 1
            return super().get_lr()

    case = next(case for case in ends.cases() if any(isinstance(a, ends.Completed) for a in case.setup.actions))
    verdict = verdict_of(case, broken.subject("OneCycleLR", Endless))
    assert "accepted" in [deviation.shape for deviation in verdict.deviations]


def test_a_negative_lr_past_the_end_is_found() -> None:
    """However small it is: the tolerance for an LR of 0 does not hide its sign."""

    class Below(lrs.StepLR):
        def get_lr(self) -> list[Any]:
            return [-1e-18 if self.last_epoch > 5 else lr for lr in super().get_lr()]

    case = next(c for c in ends.cases() if c.id == "steplr3_g0p7-pastend")
    shapes = [deviation.shape for deviation in verdict_of(case, broken.subject("StepLR", Below)).deviations]
    assert "negative" in shapes


def _silent(scheduler: Any, call: int, step: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step()


def _repeats(scheduler: Any, call: int, step: Any) -> None:
    step()
    warnings.warn(order.ORDER_WARNING, UserWarning, stacklevel=2)


@pytest.mark.parametrize(("fault", "shape"), [(_silent, "silent"), (_repeats, "warns")])
def test_a_missing_and_a_repeated_warning_are_found(fault: Any, shape: str) -> None:
    """The warning about the order is due once."""
    case = Case("planted", ExponentialLR(0.89), Setup(actions=(order.SteppedFirst(),)))
    subject = broken.subject("ExponentialLR", broken.hooked(lrs.ExponentialLR, fault))
    assert verdict_of(case, installed()).follows
    assert verdict_of(case, subject).shape == shape


def test_a_copy_that_drives_the_original_is_found() -> None:
    """The copied scheduler keeps the optimizer that it was built on."""

    class Keeps(lrs.ExponentialLR):
        def __deepcopy__(self, memo: dict[int, Any]) -> Any:
            twin = copy.copy(self)
            twin.__dict__.update(self.__dict__)
            return twin

    case = Case("planted", ExponentialLR(0.89), Setup(actions=(order.CopiedTogether(3),)))
    channels = [deviation.channel for deviation in verdict_of(case, broken.subject("ExponentialLR", Keeps)).deviations]
    assert verdict_of(case, installed()).follows
    assert channels[0] == "lr"
    assert "objects" in channels


def test_the_restarts_are_where_the_series_says() -> None:
    """The LR is the base LR at each of them, and not one step before."""
    for wave, first in far.restarts():
        assert isinstance(wave, CosineAnnealingWarmRestarts)
        assert wave(first, 0.3) == 0.3
        assert first == wave.T_0 or wave(first - 1, 0.3) < 0.3
    assert math.log2(max(first for _, first in far.restarts())) > 20
