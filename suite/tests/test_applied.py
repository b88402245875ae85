"""The LR that an update used is measured for every optimizer, and a wrong one is noticed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from reference import LinearLR
from suite.cases.experiments.applied import Measured, cases
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.optimizers import OPTIMIZERS
from suite.engine.subject import installed
from suite.engine.verdict import Verdict, verdict_of

WARMUP = LinearLR(0.13, 1.0, 6)


class LateSGD(torch.optim.SGD):
    """Uses each LR one step late."""

    used: list[list[float]] | None = None

    def step(self, closure: Any = None) -> Any:
        """An update with the LRs of the update before."""
        asked = [group["lr"] for group in self.param_groups]
        for group, lr in zip(self.param_groups, (self.used or [asked])[-1], strict=True):
            group["lr"] = lr
        super().step(closure)
        for group, lr in zip(self.param_groups, asked, strict=True):
            group["lr"] = lr
        self.used = [asked]


class HalvedSGD(torch.optim.SGD):
    """Uses half of every LR below 0.2, as an optimizer with a wrong schedule of its own would."""

    def step(self, closure: Any = None) -> Any:
        """An update with half of a small LR."""
        asked = [group["lr"] for group in self.param_groups]
        for group, lr in zip(self.param_groups, asked, strict=True):
            group["lr"] = lr / 2 if lr < 0.2 else lr
        super().step(closure)
        for group, lr in zip(self.param_groups, asked, strict=True):
            group["lr"] = lr


class IgnoringSGD(torch.optim.SGD):
    """Uses the LR that it was created with."""

    def step(self, closure: Any = None) -> Any:
        """An update with the LR of the constructor."""
        asked = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] = 0.3
        super().step(closure)
        for group, lr in zip(self.param_groups, asked, strict=True):
            group["lr"] = lr


class ClimbingSGD(torch.optim.SGD):
    """Moves along the gradient, as the one beside it that is measured with it does."""

    def step(self, closure: Any = None) -> Any:
        """An update with the opposite of each gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad.neg_()
        super().step(closure)


def _measured(optimizer: str = "sgd", **axes_: Any) -> Verdict:
    return verdict_of(Case("", WARMUP, Setup(optimizer=optimizer, actions=(Measured(),), **axes_)), installed())


def test_a_right_optimizer_follows() -> None:
    """In one group and in three."""
    assert _measured().follows
    assert _measured(groups=3).follows


@pytest.mark.parametrize("fault", [LateSGD, HalvedSGD, IgnoringSGD, ClimbingSGD])
def test_an_optimizer_that_uses_another_lr_is_noticed(fault: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Late, scaled, not at all, or with the wrong sign; the LR in the group is right, so no other channel shows it."""
    monkeypatch.setitem(OPTIMIZERS, "sgd", (fault, {"momentum": 0.9}))
    verdict = _measured()
    assert [deviation.channel for deviation in verdict.deviations] == ["applied"]
    assert _measured(groups=2).channel == "applied"


def test_every_optimizer_of_torch_is_measured() -> None:
    """One that a release adds is measured without a change here."""
    public = {cls for cls in vars(torch.optim).values() if isinstance(cls, type)}
    wanted = {cls for cls in public if issubclass(cls, torch.optim.Optimizer)} - {torch.optim.Optimizer}
    measured = {OPTIMIZERS[case.setup.optimizer][0] for case in cases() if case.setup.actions}
    assert measured == wanted


@pytest.mark.filterwarnings("ignore:Detected call of .lr_scheduler")
def test_asgd_in_the_other_order_uses_every_lr_but_the_first_at_its_step() -> None:
    """The workaround of the entry about ASGD."""
    parameter = torch.zeros(1, dtype=torch.float64)
    optimizer = torch.optim.ASGD([parameter], lr=0.3, lambd=0.0)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 0.13, 1.0, 6)
    used = []
    for _ in range(8):
        parameter.fill_(0.0)
        parameter.grad = -torch.ones_like(parameter)
        scheduler.step()
        optimizer.step()
        used.append(float(parameter))
    # ASGD keeps its step size in float32.
    assert used[1:] == pytest.approx(WARMUP.trace(8, 0.3)[1:].tolist(), rel=torch.finfo(torch.float32).eps)
