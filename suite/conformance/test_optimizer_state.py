"""The groups and the state of an optimizer, which every resumed schedule builds upon: the promises of Optimizer.

`state_dict`, `load_state_dict` and `add_param_group` decide which LR belongs to which parameter after a resume.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim.optimizer import required


def _numbers(*values: float, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    return [torch.tensor([value], dtype=dtype) for value in values]


def _adam(**options: Any) -> torch.optim.Adam:
    """Two groups of one and two parameters, whose LRs and decays are their own."""
    first = {"params": _numbers(1.7), "lr": 0.3, "weight_decay": 0.5}
    second = {"params": _numbers(-0.6, 0.9), "lr": 0.07, "betas": (0.8, 0.95)}
    return torch.optim.Adam([first, second], **options)


def _update(optimizer: torch.optim.Optimizer, times: int = 1) -> list[list[float]]:
    """Updates with another gradient for each parameter and time; the parameters after each."""
    rows = []
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for time in range(times):
        for i, parameter in enumerate(parameters):
            parameter.grad = torch.full_like(parameter, (i + 1) * (-0.7) ** time)
        optimizer.step(lambda: 1.0)
        rows.append([float(parameter) for parameter in parameters])
    return rows


def _settings(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    return [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]


def test_state_numbers_the_parameters_of_all_groups_in_order() -> None:
    """The groups hold every setting and the numbers 0, 1, 2; the state of a parameter is under its number."""
    optimizer = _adam()
    _update(optimizer, 2)
    state = optimizer.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0], [1, 2]]
    assert [{k: v for k, v in group.items() if k != "params"} for group in state["param_groups"]] == _settings(
        optimizer
    )
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert list(state["state"]) == [0, 1, 2]
    for number, parameter in enumerate(parameters):
        assert state["state"][number] is optimizer.state[parameter]


def test_a_parameter_listed_twice_has_one_number() -> None:
    """Such a group is accepted with a warning; its state has one entry for the parameter."""
    (twice, once), other = _numbers(1.0, 2.0), _numbers(3.0)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optimizer = torch.optim.SGD([{"params": [twice, once, twice]}, {"params": other}], lr=0.3)
    first, second = (group["params"] for group in optimizer.state_dict()["param_groups"])
    assert first[0] == first[2]
    assert len({*first, *second}) == 3


@pytest.mark.parametrize("saved_after", [0, 3])
def test_a_restored_optimizer_continues_bit_for_bit(saved_after: int) -> None:
    """Settings come from the state, parameters stay the new optimizer's, and the given state stays as it was."""
    optimizer, other = _adam(), _adam()
    _update(optimizer, saved_after)
    for group, mine in zip(other.param_groups, optimizer.param_groups, strict=True):
        group |= {"lr": 9.0, "weight_decay": 9.0, "betas": (0.1, 0.2)}
        for parameter, value in zip(group["params"], mine["params"], strict=True):
            parameter.copy_(value)
    own = [list(group["params"]) for group in other.param_groups]
    state = copy.deepcopy(optimizer.state_dict())
    before = copy.deepcopy(state)
    other.load_state_dict(state)
    assert state == before
    assert _settings(other) == _settings(optimizer)
    for group, parameters in zip(other.param_groups, own, strict=True):
        assert all(a is b for a, b in zip(group["params"], parameters, strict=True))
    assert _update(other, 4) == _update(optimizer, 4)


def test_lists_in_a_state_are_restored() -> None:
    """LBFGS keeps lists of directions: restored, it continues bit for bit."""
    optimizer, other = (torch.optim.LBFGS(_numbers(1.7, -0.6), lr=0.3, max_iter=2) for _ in range(2))
    rows = _update(optimizer, 3)
    for parameter, value in zip(other.param_groups[0]["params"], rows[-1], strict=True):
        parameter.fill_(value)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert isinstance(other.state[other.param_groups[0]["params"][0]]["old_dirs"], list)
    assert _update(other, 3) == _update(optimizer, 3)


def test_means_take_the_type_of_the_parameter_and_counts_keep_theirs() -> None:
    """A mean in float64 becomes float32 with its parameter; the count of updates must not be rounded with it."""
    optimizer = torch.optim.Adam(_numbers(1.7), lr=0.3)
    _update(optimizer, 2)
    other = torch.optim.Adam(_numbers(1.7, dtype=torch.bfloat16), lr=0.3)
    other.load_state_dict(optimizer.state_dict())
    (state,) = other.state.values()
    assert {name: value.dtype for name, value in state.items()} == {
        "step": torch.float32,
        "exp_avg": torch.bfloat16,
        "exp_avg_sq": torch.bfloat16,
    }


@pytest.mark.parametrize("switch", ["fused", "capturable"])
@pytest.mark.parametrize("switched", [0, 1])
def test_counts_follow_the_switch_of_their_own_group(switch: str, switched: int) -> None:
    """The group of each parameter decides whether its count moves to the parameter as float32."""
    optimizer = _adam()
    _update(optimizer)
    state = optimizer.state_dict()
    for kept in state["state"].values():
        kept["step"] = kept["step"].double()
    state["param_groups"][switched][switch] = True
    other = _adam()
    other.load_state_dict(state)
    for i, group in enumerate(other.param_groups):
        wanted = torch.float32 if i == switched else torch.float64
        assert {other.state[parameter]["step"].dtype for parameter in group["params"]} == {wanted}


def test_a_count_stays_as_it_is_in_an_optimizer_without_switches() -> None:
    """Adagrad's groups have no capturable: its count keeps its type, too."""
    optimizer = torch.optim.Adagrad(_numbers(1.7), lr=0.3)
    state = optimizer.state_dict()
    assert "capturable" not in state["param_groups"][0]
    state["state"][0]["step"] = state["state"][0]["step"].double()
    optimizer.load_state_dict(state)
    assert optimizer.state_dict()["state"][0]["step"].dtype == torch.float64


def test_state_of_no_parameter_is_kept() -> None:
    """A subclass may keep something of its own beside the parameters."""
    optimizer = _adam()
    state = optimizer.state_dict()
    state["state"]["mine"] = {"seen": 7}
    optimizer.load_state_dict(state)
    assert optimizer.state_dict()["state"]["mine"] == {"seen": 7}


def test_a_state_of_other_groups_is_refused() -> None:
    """Neither another number of groups nor another number of parameters in one is accepted, and nothing changes."""
    optimizer = _adam()
    before = _settings(optimizer)
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optimizer.load_state_dict(torch.optim.Adam(_numbers(1.7), lr=0.9).state_dict())
    swapped = optimizer.state_dict()
    swapped["param_groups"] = swapped["param_groups"][::-1]
    with pytest.raises(ValueError, match="doesn't match the size"):
        optimizer.load_state_dict(swapped)
    assert _settings(optimizer) == before


class RateRequired(torch.optim.Optimizer):
    """An optimizer of a user's own, without a default LR."""

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        super().__init__(groups, {"lr": required, "momentum": 0.9})


def test_a_new_group_takes_the_defaults_and_keeps_its_own() -> None:
    """One parameter need not be in a list; the LR and every other setting are the optimizer's unless given."""
    optimizer = torch.optim.SGD(_numbers(1.0), lr=0.3, momentum=0.9)
    (one,) = _numbers(2.0)
    optimizer.add_param_group({"params": one, "lr": 0.07})
    optimizer.add_param_group({"params": iter(_numbers(3.0, 4.0)), "momentum": 0.5})
    assert [group["lr"] for group in optimizer.param_groups] == [0.3, 0.07, 0.3]
    assert [group["momentum"] for group in optimizer.param_groups] == [0.9, 0.9, 0.5]
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 1, 2]
    assert optimizer.param_groups[1]["params"][0] is one
    assert all(group.keys() == optimizer.param_groups[0].keys() for group in optimizer.param_groups)


def test_right_groups_come_without_a_warning() -> None:
    """Neither a plain group nor one of two parameters is a duplicate."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _adam()
        RateRequired([{"params": _numbers(1.0), "lr": 0.3}])


def _of(optimizer: torch.optim.Optimizer) -> torch.Tensor:
    parameter: torch.Tensor = optimizer.param_groups[0]["params"][0]
    return parameter


REFUSED: dict[str, tuple[type[Exception], str, Callable[[torch.optim.Optimizer], Any]]] = {
    "list": (TypeError, "must be a dict", lambda _: _numbers(1.0)),
    "set": (TypeError, "ordered collections", lambda _: {"params": set(_numbers(1.0))}),
    "number": (TypeError, "can only optimize Tensors", lambda _: {"params": [1.0]}),
    "result": (ValueError, "non-leaf", lambda _: {"params": [_numbers(1.0)[0].requires_grad_() * 2]}),
    "again": (ValueError, "more than one parameter group", lambda o: {"params": [*_numbers(1.0), _of(o)]}),
}


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_group_is_refused(name: str, loaded: bool) -> None:
    """With the exception for its kind, before anything is added; a load does not change that."""
    optimizer = RateRequired([{"params": _numbers(1.0), "lr": 0.3}])
    if loaded:
        optimizer.load_state_dict(optimizer.state_dict())
    error, text, make = REFUSED[name]
    group = make(optimizer)
    if isinstance(group, dict):
        group["lr"] = 0.1
    with pytest.raises(error, match=text) as caught:
        optimizer.add_param_group(group)
    assert caught.type is error
    assert len(optimizer.param_groups) == 1


def test_a_group_without_a_required_lr_is_refused() -> None:
    """Where the optimizer has no default LR, each group must bring one."""
    optimizer = RateRequired([{"params": _numbers(1.0), "lr": 0.3}])
    with pytest.raises(ValueError, match="required optimization parameter lr") as caught:
        optimizer.add_param_group({"params": _numbers(2.0)})
    assert caught.type is ValueError


def test_a_result_is_a_parameter_where_it_keeps_its_gradient_or_is_differentiated() -> None:
    """retain_grad() or differentiable=True make a computed tensor acceptable."""
    result = _numbers(1.0)[0].requires_grad_() * 2
    assert torch.optim.SGD([result], lr=0.3, differentiable=True).param_groups[0]["params"][0] is result
    result.retain_grad()
    assert torch.optim.SGD([result], lr=0.3).param_groups[0]["params"][0] is result
