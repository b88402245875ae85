"""Every documented argument check: what is rejected, with which exception, and what is still accepted."""

from __future__ import annotations

import math
import types
from typing import Any

import pytest
import torch

from .support import PER_GROUP, PER_GROUP_IDS, SIMPLE, fresh, make, rates, scheduler_class, snapshot, step

ABOVE_ONE = math.nextafter(1.0, 2.0)
BELOW_ONE = math.nextafter(1.0, 0.0)
TINY = 5e-324  # the smallest positive float

#: Class, invalid arguments, documented exception, text that the message must contain.
REFUSED: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("ConstantLR", {"factor": ABOVE_ONE}, ValueError, "factor"),
    ("ConstantLR", {"factor": -TINY}, ValueError, "factor"),
    ("LinearLR", {"start_factor": ABOVE_ONE}, ValueError, "[Ss]tarting"),
    ("LinearLR", {"start_factor": 0.0}, ValueError, "[Ss]tarting"),
    ("LinearLR", {"start_factor": -TINY}, ValueError, "[Ss]tarting"),
    ("LinearLR", {"end_factor": ABOVE_ONE}, ValueError, "[Ee]nding"),
    ("LinearLR", {"end_factor": -TINY}, ValueError, "[Ee]nding"),
    ("MultiplicativeLR", {"lr_lambda": 0.9}, TypeError, "float"),
    ("MultiplicativeLR", {"lr_lambda": ["x"]}, TypeError, "str"),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}, ValueError, "T_0.* 0"),
    ("CosineAnnealingWarmRestarts", {"T_0": -1}, ValueError, "T_0.* -1"),
    ("CosineAnnealingWarmRestarts", {"T_0": 2.5}, ValueError, r"T_0.* 2\.5"),
    ("CosineAnnealingWarmRestarts", {"T_mult": 0}, ValueError, "T_mult.* 0"),
    ("CosineAnnealingWarmRestarts", {"T_mult": 1.5}, ValueError, r"T_mult.* 1\.5"),
    ("CosineAnnealingWarmRestarts", {"eta_min": "0"}, ValueError, "eta_min.* 0"),
    ("CosineAnnealingWarmRestarts", {"eta_min": None}, ValueError, "eta_min.* None"),
    ("OneCycleLR", {"total_steps": 0}, ValueError, "total_steps.* 0"),
    ("OneCycleLR", {"total_steps": -3}, ValueError, "total_steps.* -3"),
    ("OneCycleLR", {"total_steps": 20.5}, ValueError, r"total_steps.* 20\.5"),
    ("OneCycleLR", {"total_steps": None}, ValueError, "total_steps"),
    ("OneCycleLR", {"total_steps": None, "epochs": 3}, ValueError, "steps_per_epoch"),
    ("OneCycleLR", {"total_steps": None, "steps_per_epoch": 3}, ValueError, "epochs"),
    ("OneCycleLR", {"total_steps": None, "epochs": 0, "steps_per_epoch": 3}, ValueError, "epochs.* 0"),
    ("OneCycleLR", {"total_steps": None, "epochs": -2, "steps_per_epoch": 3}, ValueError, "epochs.* -2"),
    ("OneCycleLR", {"total_steps": None, "epochs": 2.5, "steps_per_epoch": 4}, ValueError, r"epochs.* 2\.5"),
    ("OneCycleLR", {"total_steps": None, "epochs": 2, "steps_per_epoch": 0}, ValueError, "steps_per_epoch.* 0"),
    ("OneCycleLR", {"total_steps": None, "epochs": 2, "steps_per_epoch": -1}, ValueError, "steps_per_epoch.* -1"),
    ("OneCycleLR", {"total_steps": None, "epochs": 2, "steps_per_epoch": 1.5}, ValueError, "steps_per_epoch"),
    ("OneCycleLR", {"pct_start": ABOVE_ONE}, ValueError, "pct_start"),
    ("OneCycleLR", {"pct_start": -TINY}, ValueError, "pct_start"),
    ("OneCycleLR", {"pct_start": 1}, ValueError, "pct_start.* 1"),
    ("OneCycleLR", {"anneal_strategy": "sine"}, ValueError, "anneal_strategy.*sine"),
    ("CyclicLR", {"mode": "square"}, ValueError, "mode"),
    ("SWALR", {"anneal_strategy": "sine"}, ValueError, "anneal_strategy.*sine"),
    ("SWALR", {"anneal_epochs": -1}, ValueError, "anneal_epochs.* -1"),
    ("SWALR", {"anneal_epochs": 2.5}, ValueError, r"anneal_epochs.* 2\.5"),
    ("ReduceLROnPlateau", {"factor": 1.0}, ValueError, "[Ff]actor"),
    ("ReduceLROnPlateau", {"factor": 1.5}, ValueError, "[Ff]actor"),
    ("ReduceLROnPlateau", {"mode": "best"}, ValueError, "mode best"),
    ("ReduceLROnPlateau", {"threshold_mode": "ratio"}, ValueError, "threshold mode ratio"),
]

#: Class and arguments at the limit of their range.
ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("ConstantLR", {"factor": 1.0}),
    ("ConstantLR", {"factor": 0.0}),
    ("ConstantLR", {"factor": TINY}),
    ("LinearLR", {"start_factor": 1.0}),
    ("LinearLR", {"start_factor": TINY}),
    ("LinearLR", {"end_factor": 1.0}),
    ("LinearLR", {"end_factor": 0.0}),
    ("LinearLR", {"end_factor": TINY}),
    ("CosineAnnealingWarmRestarts", {"T_0": 1}),
    ("CosineAnnealingWarmRestarts", {"T_mult": 1}),
    ("CosineAnnealingWarmRestarts", {"eta_min": 0}),
    ("CosineAnnealingWarmRestarts", {"eta_min": 0.01}),
    ("OneCycleLR", {"total_steps": 1}),
    ("OneCycleLR", {"total_steps": None, "epochs": 1, "steps_per_epoch": 1}),
    ("OneCycleLR", {"pct_start": 0.0}),
    ("OneCycleLR", {"pct_start": TINY}),
    ("OneCycleLR", {"pct_start": 1.0}),
    ("OneCycleLR", {"anneal_strategy": "cos"}),
    ("OneCycleLR", {"anneal_strategy": "linear"}),
    ("CyclicLR", {"mode": "triangular"}),
    ("CyclicLR", {"mode": "triangular2"}),
    ("CyclicLR", {"mode": "exp_range"}),
    ("CyclicLR", {"mode": "ignored", "scale_fn": lambda x: 1.0}),
    ("SWALR", {"anneal_epochs": 0}),
    ("SWALR", {"anneal_strategy": "cos"}),
    ("SWALR", {"anneal_strategy": "linear"}),
    ("ReduceLROnPlateau", {"factor": BELOW_ONE}),
    ("ReduceLROnPlateau", {"factor": 0.0}),
    ("ReduceLROnPlateau", {"mode": "max"}),
    ("ReduceLROnPlateau", {"threshold_mode": "abs"}),
]


def _label(value: object) -> str:
    return "-".join(f"{k}_{v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


@pytest.mark.parametrize(
    ("name", "arguments", "kind", "says"), REFUSED, ids=[f"{row[0]}-{_label(row[1])}" for row in REFUSED]
)
def test_bad_arguments_are_refused(name: str, arguments: dict[str, Any], kind: type[Exception], says: str) -> None:
    """A value outside its documented range raises the documented type, and the message names it."""
    with pytest.raises(kind, match=says) as caught:
        make(name, fresh(), **arguments)
    assert type(caught.value) is kind


@pytest.mark.parametrize(("name", "arguments"), ACCEPTED, ids=[f"{row[0]}-{i}" for i, row in enumerate(ACCEPTED)])
def test_the_last_legal_value_is_accepted(name: str, arguments: dict[str, Any]) -> None:
    """A value at the limit of its range builds a scheduler with a finite LR."""
    optimizer = fresh()
    make(name, optimizer, **arguments)
    assert all(math.isfinite(lr) for lr in rates(optimizer))


class Impostor:
    """Looks like an optimizer with momentum, but is not one."""

    def __init__(self) -> None:
        self.param_groups = [{"lr": 0.3, "momentum": 0.5}]
        self.defaults = {"lr": 0.3, "momentum": 0.5}

    def step(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("name", [*SIMPLE, "ReduceLROnPlateau"])
def test_an_object_that_is_no_optimizer_is_refused(name: str) -> None:
    """TypeError names the type of the argument, whose LR and momentum do not change."""
    impostor = Impostor()
    with pytest.raises(TypeError, match="Impostor is not an Optimizer"):
        make(name, impostor)
    assert impostor.param_groups[0].items() >= {"lr": 0.3, "momentum": 0.5}.items()
    assert "initial_lr" not in impostor.param_groups[0]


@pytest.mark.parametrize(("name", "argument", "values"), PER_GROUP, ids=PER_GROUP_IDS)
@pytest.mark.parametrize("container", [list, tuple])
@pytest.mark.parametrize("off", [-1, 1])
def test_a_list_of_the_wrong_length_is_refused(
    name: str, argument: str, values: list[Any], container: Any, off: int
) -> None:
    """One value too few or too many raises ValueError with both counts."""
    wrong = container([*values, values[0]][: len(values) + off])
    with pytest.raises(ValueError, match=f"3.*{3 + off}|{3 + off}.*3"):
        make(name, fresh(groups=3), **{argument: wrong})


@pytest.mark.parametrize(("name", "argument", "values"), PER_GROUP, ids=PER_GROUP_IDS)
def test_a_list_gives_each_group_its_own_value(name: str, argument: str, values: list[Any]) -> None:
    """Group g of a list behaves like a single group with that value, and a tuple like the list."""
    together, as_tuple = fresh(groups=3), fresh(groups=3)
    schedulers = [make(name, together, **{argument: values}), make(name, as_tuple, **{argument: tuple(values)})]
    alone = [make(name, fresh(groups=3), **{argument: value}) for value in values]
    for _ in range(8):
        for scheduler in [*schedulers, *alone]:
            step(scheduler)
        assert snapshot(together) == [snapshot(s.optimizer)[g] for g, s in enumerate(alone)]
        assert snapshot(together) == snapshot(as_tuple)


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR"])
def test_momentum_needs_an_optimizer_that_has_one(name: str) -> None:
    """Cycling a momentum that the optimizer does not have raises ValueError; switched off, it is accepted."""
    parameter = torch.zeros(1)
    with pytest.raises(ValueError, match="cycle_momentum"):
        make(name, torch.optim.Adagrad([parameter], lr=0.1))
    optimizer = torch.optim.Adagrad([parameter], lr=0.1)
    step(make(name, optimizer, cycle_momentum=False), 3)
    assert not {"momentum", "betas", "max_momentum", "base_momentum"} & optimizer.param_groups[0].keys()
    for adam_or_sgd in ("adam", "sgd"):
        step(make(name, fresh(optimizer=adam_or_sgd)), 3)


@pytest.mark.parametrize("name", ["ChainedScheduler", "SequentialLR"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_composites_check_each_part(name: str, at: int) -> None:
    """A part that has no optimizer, has a different one, or needs a metric is rejected; the message gives its index."""
    cls = scheduler_class(name)
    own, other = fresh(), fresh()
    strangers: list[tuple[Any, type[Exception], str]] = [
        (types.SimpleNamespace(last_epoch=0), TypeError, f"{name} at index {at} .*optimizer"),
        (make("ReduceLROnPlateau", own), ValueError, f"ReduceLROnPlateau.* index {at}"),
        (make("StepLR", other), ValueError, f"StepLR at index {at}.*SGD"),
    ]
    for stranger, kind, says in strangers:
        parts = [make("ExponentialLR", own) for _ in range(3)]
        parts[at] = stranger
        with pytest.raises(kind, match=f"(?s){says}"):
            cls(own, parts, [2, 4]) if name == "SequentialLR" else cls(parts, own)


def test_composites_need_a_part() -> None:
    """An empty list raises ValueError that names the class."""
    with pytest.raises(ValueError, match="SequentialLR expects at least one"):
        scheduler_class("SequentialLR")(fresh(), [], [])
    for optimizer in (None, fresh()):
        with pytest.raises(ValueError, match="ChainedScheduler expects at least one"):
            scheduler_class("ChainedScheduler")([], optimizer)


def test_one_part_is_enough() -> None:
    """A composite of one scheduler is that scheduler."""
    for name, rest in (("SequentialLR", ([],)), ("ChainedScheduler", ())):
        optimizer, alone = fresh(), fresh()
        part = make("LinearLR", optimizer)
        cls = scheduler_class(name)
        whole = cls(optimizer, [part], *rest) if name == "SequentialLR" else cls([part])
        single = make("LinearLR", alone)
        step(whole, 3)
        step(single, 3)
        assert rates(optimizer) == rates(alone)


@pytest.mark.parametrize("count", [0, 2, 3])
def test_sequential_counts_its_milestones(count: int) -> None:
    """Two schedulers need one milestone; the message gives the actual number."""
    optimizer = fresh()
    parts = [make("LinearLR", optimizer), make("ExponentialLR", optimizer)]
    with pytest.raises(ValueError, match=rf"2 .*{count}"):
        scheduler_class("SequentialLR")(optimizer, parts, list(range(3, 3 + count)))


def test_chained_takes_the_optimizer_of_its_parts() -> None:
    """`optimizer`, given or taken from the first part, is the one that the parts step; any other is rejected."""
    own = fresh()
    parts = [make("LinearLR", own), make("ExponentialLR", own)]
    chained = scheduler_class("ChainedScheduler")
    assert chained(parts).optimizer is own
    assert chained(parts, own).optimizer is own
    assert chained(parts, optimizer=own).optimizer is own
    with pytest.raises(ValueError, match="LinearLR at index 0"):
        chained(parts, optimizer=fresh())
    with pytest.raises(ValueError, match="StepLR at index 2"):
        chained([*parts, make("StepLR", fresh())])


def test_sequential_refuses_another_optimizer_of_its_own() -> None:
    """The first argument must be the optimizer that all parts step."""
    own = fresh()
    parts = [make("LinearLR", own), make("ExponentialLR", own)]
    with pytest.raises(ValueError, match="LinearLR at index 0"):
        scheduler_class("SequentialLR")(fresh(), parts, [3])


def test_one_cycle_ends_at_total_steps() -> None:
    """total_steps calls of step() are allowed; the next raises ValueError with both numbers."""
    scheduler = make("OneCycleLR", fresh(), total_steps=5)
    step(scheduler, 5)
    with pytest.raises(ValueError, match=r"6 times.* 5"):
        step(scheduler)
