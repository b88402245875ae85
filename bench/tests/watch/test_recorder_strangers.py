"""Optimizers that torch did not write: the recorder reads the LR they use, and never stops them."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from bench.tests.loops import loop, loss_of, parameters
from bench.tests.watch.test_recorder import halving, rates, rows
from bench.watch import Recorder


class WithoutConstructor(Optimizer):
    """Wraps an optimizer, has its own copy of the groups, and never calls ``super().__init__()``."""

    def __init__(self, inner: Optimizer) -> None:
        self.inner, self.defaults, self.state = inner, inner.defaults, inner.state
        self.param_groups = [dict(group) for group in inner.param_groups]

    def step(self, closure: Any = None) -> Any:
        """Step the wrapped optimizer."""
        return self.inner.step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear its gradients."""
        self.inner.zero_grad(set_to_none)


class Descent(Optimizer):
    """Plain gradient descent, that does not call ``super().__init__()`` either."""

    def __init__(self, params: list[nn.Parameter], lr: float) -> None:
        self.defaults, self.state = {"lr": lr}, {}  # type: ignore[assignment]
        self.param_groups = [{"params": params, "lr": lr}]

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """p ← p − lr · grad."""
        for p in self.param_groups[0]["params"]:
            p -= self.param_groups[0]["lr"] * p.grad

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear its gradients."""
        for p in self.param_groups[0]["params"]:
            p.grad = None


def test_a_wrapper_built_without_hooks_runs_and_its_inner_optimizer_is_recorded() -> None:
    """The scheduler writes into the wrapper's copies; the LR in use is that of the optimizer inside."""
    inner = AdamW(parameters(1), lr=0.5)
    wrapper = WithoutConstructor(inner)
    scheduler = LambdaLR(wrapper, lambda step: 0.5**step)
    with Recorder() as recorder:
        loop(wrapper, scheduler, 3)
    assert {series.name: series.lrs.tolist() for series in recorder.series()} == {"AdamW": [0.5] * 3}


def test_an_optimizer_built_without_hooks_is_recorded() -> None:
    """Its step is watched once a scheduler shows it, and left as it was afterwards."""
    original = Descent.step
    optimizer = Descent(parameters(1), lr=1.0)
    with Recorder() as recorder:
        scheduler = halving(optimizer)
        loop(optimizer, scheduler, 3)
    assert rates(recorder) == [[1.0, 0.5, 0.25]]
    assert [row.backwards for row in rows(recorder)] == [1, 1, 1]
    assert Descent.step is original


def test_hooks_in_a_plain_dict_are_used() -> None:
    """``register_step_pre_hook`` needs an OrderedDict; some optimizers bring a dict."""
    optimizer: Any = SGD(parameters(1), lr=1.0)
    optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks = {}, {}
    with Recorder() as recorder:
        loop(optimizer, halving(optimizer), 3)
    assert rates(recorder) == [[1.0, 0.5, 0.25]]
    assert optimizer._optimizer_step_pre_hooks == {}


def kinds_that_set_their_lr() -> dict[str, type[Optimizer]]:
    """Optimizers whose step halves the LR before it is used; the step after the update uses half of that."""

    class CallsItsBase(SGD):
        def step(self, closure: Any = None) -> Any:
            self.param_groups[0]["lr"] *= 0.5
            return super().step(closure)

    class CallsTwoBases(CallsItsBase):
        def step(self, closure: Any = None) -> Any:
            return super().step(closure)

    class UpdatesItself(Optimizer):
        def __init__(self, params: list[nn.Parameter], lr: float) -> None:
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure: Any = None) -> Any:
            for group in self.param_groups:
                group["lr"] *= 0.5
                for p in group["params"]:
                    p -= group["lr"] * p.grad

    class ChangesItAfterwards(SGD):
        def step(self, closure: Any = None) -> Any:
            result = super().step(closure)
            self.param_groups[0]["lr"] *= 0.5
            return result

    return {kind.__name__: kind for kind in (CallsItsBase, CallsTwoBases, UpdatesItself, ChangesItAfterwards)}


@pytest.mark.parametrize("kind", kinds_that_set_their_lr())
@pytest.mark.parametrize("base_is_hooked", [False, True])
def test_the_lr_is_that_of_the_update(kind: str, base_is_hooked: bool) -> None:
    """The weights move by the recorded LR, whether a step sets it before or after its update."""
    cls: Any = kinds_that_set_their_lr()[kind]
    if base_is_hooked:
        SGD(parameters(1), lr=0.1)
    weight = nn.Parameter(torch.zeros(1))
    optimizer = cls([weight], lr=1.0)
    moved = []
    with Recorder() as recorder:
        for _ in range(3):
            before = weight.item()
            weight.grad = torch.ones(1)
            optimizer.step()
            moved.append(before - weight.item())
    assert rates(recorder) == [moved]


@pytest.mark.parametrize("recorded", [False, True], ids=["without", "recorded"])
def test_a_warning_points_at_the_line_of_the_user(recorded: bool) -> None:
    """torch's warnings about a scheduler and about backward() show this file, recorded or not."""
    optimizer = Adam(parameters(1), lr=0.5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recorder = Recorder()
        if recorded:
            recorder.__enter__()
        scheduler = halving(optimizer)
        scheduler.step()
        torch.autograd.backward(loss_of(optimizer), grad_variables=torch.ones(()))
        recorder.__exit__(None, None, None)
    assert [warning.filename for warning in caught] == [__file__, __file__]


def test_passes_are_counted_for_the_optimizer_that_they_reach() -> None:
    """A critic that takes two steps for each of the generator, whose pass runs through the critic too."""
    first, second = SGD(parameters(1), lr=0.1), SGD(parameters(1), lr=0.1)
    with Recorder() as recorder:
        for optimizer in (first, second):
            halving(optimizer)
        loss_of(first).backward()  # type: ignore[no-untyped-call]  # a trial pass
        for _ in range(3):
            for _ in range(2):
                second.zero_grad()
                loss_of(second).backward()  # type: ignore[no-untyped-call]
                second.step()
            first.zero_grad()
            (loss_of(first) + loss_of(second)).backward()  # type: ignore[no-untyped-call]
            first.step()
    assert [row.backwards for row in rows(recorder)] == [1] * 9
