"""Every update of a parameter is the published one, at the LR that the schedule gives to its group.

The axis "applied" compares an optimizer with another of its class, so it cannot see what is wrong with both alike: a
sign, a factor, an update that never comes.  Here each number is computed from the documentation.
"""

from __future__ import annotations

import io
import math
import sys
from typing import Any

import pytest
import torch

from reference import CosineAnnealingLR, LinearLR, SequentialLR
from suite.engine import tolerances
from suite.engine.build import build
from suite.engine.subject import installed

from .published_updates import RULES, Memory, published

#: Past the sixth update, where RAdam starts to rectify, and past the milestone.
STEPS, CUT = 14, 4
SCHEDULE = SequentialLR((LinearLR(0.13, 1.0, 6), CosineAnnealingLR(11, 1e-3)), (6,))
LRS = (0.3, 0.07)
STARTS = (1.7, -0.6)
#: Gradients of both signs and of several sizes, so that no mean or maximum is that of a constant.
GRADIENTS = [1.3 * math.sin(1.9 * t) + 0.4 for t in range(STEPS)]

DECAY: list[dict[str, Any]] = [{}, {"weight_decay": 0.2}, {"maximize": True}]
ADAMS: list[dict[str, Any]] = [*DECAY, {"betas": (0.8, 0.95), "eps": 1e-3}]
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        *DECAY,
        {"momentum": 0.9, "dampening": 0.3},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.2},
    ],
    "Adam": [*ADAMS, {"amsgrad": True}, {"weight_decay": 0.2, "decoupled_weight_decay": True}],
    "AdamW": [*ADAMS, {"amsgrad": True}],
    "NAdam": [*ADAMS, {"momentum_decay": 0.1}, {"weight_decay": 0.2, "decoupled_weight_decay": True}],
    "RAdam": [*ADAMS, {"weight_decay": 0.2, "decoupled_weight_decay": True}],
    "Adamax": ADAMS,
    "Adagrad": [*DECAY, {"lr_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3}],
    "Adadelta": [*DECAY, {"rho": 0.7, "eps": 1e-3}],
    "RMSprop": [*DECAY, {"momentum": 0.8, "alpha": 0.9, "eps": 1e-3}, {"centered": True}],
    "ASGD": [*DECAY, {"lambd": 0.1, "alpha": 0.6, "t0": 3.0}],
}
#: How the same update is carried out.
WAYS: dict[str, dict[str, Any]] = {
    "single": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "differentiable": {"differentiable": True},
    "capturable": {"foreach": False, "capturable": True},
    "capturable-foreach": {"foreach": True, "capturable": True},
}
FUSED = ("SGD", "Adam", "AdamW", "Adagrad")
NEVER_CAPTURABLE = ("SGD", "Adagrad")


def _names(options: dict[str, Any]) -> str:
    return "+".join(options) or "defaults"


CASES = [
    pytest.param(name, options, way, lr_type, id=f"{name}-{_names(options)}-{way}-{lr_type}")
    for name, rows in OPTIONS.items()
    for options in rows
    for way in WAYS
    for lr_type in ("float", "tensor")
    if (way != "fused" or name in FUSED) and (lr_type, way) != ("tensor", "foreach")
    if "capturable" not in way or name not in NEVER_CAPTURABLE
    # RAdam takes a difference of two numbers near 2000 there, for 0.999 and in float32.
    if "capturable" not in way or name != "RAdam" or "betas" in options
]


def _optimizer(name: str, lrs: tuple[float, float], options: dict[str, Any], lr_type: str = "float") -> Any:
    """Two groups, each with a parameter that is a number; tensors have float64, so that they show every digit."""
    lr: Any = lambda rate: torch.tensor(rate, dtype=torch.float64) if lr_type == "tensor" else rate  # noqa: E731
    groups = [
        {"params": [torch.tensor(x, dtype=torch.float64)], "lr": lr(rate)} for x, rate in zip(STARTS, lrs, strict=True)
    ]
    return getattr(torch.optim, name)(groups, **options)


@pytest.fixture
def capturable_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the code for graphs of a GPU run on this CPU: only a check of the device forbids it."""
    for module in [module for name, module in sys.modules.items() if name.startswith("torch.optim.")]:
        if hasattr(module, "_get_capturable_supported_devices"):
            monkeypatch.setattr(module, "_get_capturable_supported_devices", lambda *_, **__: ["cpu"])


def _through_file(state: Any) -> Any:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer)


def _trained(name: str, options: dict[str, Any], lr_type: str = "float", cut: int | None = None) -> Any:
    """The parameters after each update; at `cut` a new optimizer with other LRs takes over both states."""
    optimizer = _optimizer(name, LRS, options, lr_type)
    scheduler = build(SCHEDULE, optimizer, installed())
    rows = []
    for t, gradient in enumerate(GRADIENTS):
        if t == cut:
            states = [_through_file(part.state_dict()) for part in (optimizer, scheduler)]
            now = [group["params"][0].clone() for group in optimizer.param_groups]
            optimizer = _optimizer(name, (0.9, 0.8), options, lr_type)
            for group, value in zip(optimizer.param_groups, now, strict=True):
                group["params"][0].copy_(value)
            scheduler = build(SCHEDULE, optimizer, installed())
            optimizer.load_state_dict(states[0])
            scheduler.load_state_dict(states[1])
        for sign, group in zip((1, -2), optimizer.param_groups, strict=True):
            group["params"][0].grad = torch.tensor(sign * gradient, dtype=torch.float64)
        optimizer.step()
        scheduler.step()
        rows.append([float(group["params"][0]) for group in optimizer.param_groups])
    return rows


def _published(name: str, options: dict[str, Any]) -> list[list[float]]:
    """The same from the documentation and the closed form of the schedule."""
    rule, columns = published(name, **options), []
    for sign, start, lr in zip((1, -2), STARTS, LRS, strict=True):
        x, kept, column = start, Memory(), []
        for t, (gradient, rate) in enumerate(zip(GRADIENTS, SCHEDULE.trace(STEPS, lr), strict=True)):
            x = rule(x, sign * gradient, float(rate), t + 1, kept)
            column.append(x)
        columns.append(column)
    return [list(row) for row in zip(*columns, strict=True)]


def _near(name: str, rows: list[list[float]], way: str = "") -> Any:
    """Near in float64, or in float32 for ASGD and NAdam, which keep a step size and a product there.

    A differentiable or capturable step counts in a float32 tensor, and 1 - 0.999**t amplifies its rounding by up to
    1/(1 - 0.999).
    """
    error = tolerances.relative(STEPS)
    if way.startswith(("differentiable", "capturable")):
        error = tolerances.UNIT["float32"] / (1 - 0.999)
    elif name in ("ASGD", "NAdam"):
        error = tolerances.of_peak(STEPS, "float32")
    return [pytest.approx(row, rel=error, abs=error) for row in rows]


@pytest.mark.usefixtures("capturable_here")
@pytest.mark.parametrize(("name", "options", "way", "lr_type"), CASES)
def test_each_update_is_the_published_one(name: str, options: dict[str, Any], way: str, lr_type: str) -> None:
    """Two groups with LRs of their own under a warmup and a decay, however the update is carried out."""
    assert _trained(name, options | WAYS[way], lr_type) == _near(name, _published(name, options), way)


@pytest.mark.parametrize("lr_type", ["float", "tensor"])
@pytest.mark.parametrize("name", RULES)
def test_a_restored_optimizer_continues_with_the_published_updates(name: str, lr_type: str) -> None:
    """Neither an LR nor a mean is lost when both states pass through a file into new objects with other LRs."""
    for options in OPTIONS[name]:
        assert _trained(name, options, lr_type, CUT) == _near(name, _published(name, options))


@pytest.mark.parametrize("name", RULES)
def test_an_lr_of_one_element_is_a_number(name: str) -> None:
    """A tensor LR of shape (1, 1) neither changes the shape of a parameter nor of what is kept for it."""
    for options in OPTIONS[name]:
        optimizer = _optimizer(name, LRS, {"foreach": False} | options)
        for sign, group in zip((1, -2), optimizer.param_groups, strict=True):
            group["lr"] = torch.tensor([[group["lr"]]], dtype=torch.float64)
            group["params"][0].grad = torch.tensor(sign * GRADIENTS[0], dtype=torch.float64)
        optimizer.step()
        rule = published(name, **options)
        wanted = [rule(x, sign * GRADIENTS[0], lr, 1, {}) for x, sign, lr in zip(STARTS, (1, -2), LRS, strict=True)]
        parameters = [group["params"][0] for group in optimizer.param_groups]
        assert [float(parameter) for parameter in parameters] == _near(name, [wanted])[0]
        shapes = {value.shape for kept in optimizer.state.values() for value in kept.values() if value is not None}
        assert {parameter.shape for parameter in parameters} | shapes == {()}


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_a_tensor_lr_is_refused_where_it_could_not_follow(name: str) -> None:
    """foreach reads the LR as a number, so a tensor is refused at construction, and in a group set later."""
    with pytest.raises(ValueError, match="lr as a Tensor is not supported"):
        _optimizer(name, LRS, {"foreach": True, "lr": torch.tensor(0.1)})
    optimizer = _optimizer(name, LRS, {"foreach": True})
    optimizer.param_groups[1]["lr"] = torch.tensor(0.1)
    optimizer.param_groups[1]["params"][0].grad = torch.ones((), dtype=torch.float64)
    with pytest.raises(RuntimeError, match="lr as a Tensor is not supported"):
        optimizer.step()


def test_sgd_differentiates_through_its_lr() -> None:
    """An LR that requires a gradient gets one: minus the gradient of the parameter."""
    lr = torch.tensor(0.25, dtype=torch.float64, requires_grad=True)
    leaf = torch.tensor([1.7], dtype=torch.float64, requires_grad=True)
    parameter = leaf.clone()
    optimizer = torch.optim.SGD([parameter], lr=lr, differentiable=True)
    parameter.grad = torch.tensor([3.0], dtype=torch.float64)
    optimizer.step()
    assert float(parameter.detach()) == 1.7 - 0.25 * 3.0
    parameter.sum().backward()  # type: ignore[no-untyped-call]
    assert lr.grad is not None
    assert float(lr.grad) == -3.0
