"""The documented defaults: in the signature, and in what a scheduler without the argument does."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from suite.engine.subject import installed

from .support import EVERY, fresh, make, parameters, snapshot, step

#: Class and the "Default: …" of each argument in its docstring.
DOCUMENTED: dict[str, dict[str, Any]] = {
    "LRScheduler": {"last_epoch": -1},
    "LambdaLR": {"last_epoch": -1},
    "MultiplicativeLR": {"last_epoch": -1},
    "StepLR": {"gamma": 0.1, "last_epoch": -1},
    "MultiStepLR": {"gamma": 0.1, "last_epoch": -1},
    "ConstantLR": {"factor": 1.0 / 3, "total_iters": 5, "last_epoch": -1},
    "LinearLR": {"start_factor": 1.0 / 3, "end_factor": 1.0, "total_iters": 5, "last_epoch": -1},
    "ExponentialLR": {"last_epoch": -1},
    "PolynomialLR": {"total_iters": 5, "power": 1.0, "last_epoch": -1},
    "CosineAnnealingLR": {"eta_min": 0.0, "last_epoch": -1},
    "CosineAnnealingWarmRestarts": {"T_mult": 1, "eta_min": 0.0, "last_epoch": -1},
    "OneCycleLR": {
        "total_steps": None,
        "epochs": None,
        "steps_per_epoch": None,
        "pct_start": 0.3,
        "anneal_strategy": "cos",
        "cycle_momentum": True,
        "base_momentum": 0.85,
        "max_momentum": 0.95,
        "div_factor": 25.0,
        "final_div_factor": 1e4,
        "three_phase": False,
        "last_epoch": -1,
    },
    "CyclicLR": {
        "step_size_up": 2000,
        "step_size_down": None,
        "mode": "triangular",
        "gamma": 1.0,
        "scale_fn": None,
        "scale_mode": "cycle",
        "cycle_momentum": True,
        "base_momentum": 0.8,
        "max_momentum": 0.9,
        "last_epoch": -1,
    },
    "ReduceLROnPlateau": {
        "mode": "min",
        "factor": 0.1,
        "patience": 10,
        "threshold": 1e-4,
        "threshold_mode": "rel",
        "cooldown": 0,
        "min_lr": 0,
        "eps": 1e-8,
    },
    "SWALR": {"anneal_epochs": 10, "anneal_strategy": "cos", "last_epoch": -1},
    "SequentialLR": {"last_epoch": -1},
    "ChainedScheduler": {"optimizer": None},
}

#: OneCycleLR cannot do without some length, and the table gives it this one.
NEEDED = {"total_steps"}
ROWS = [(name, argument) for name in EVERY for argument in DOCUMENTED[name] if argument not in NEEDED | {"optimizer"}]


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_signature_has_the_documented_defaults(name: str) -> None:
    """Exactly the documented arguments are optional, each with its documented default and type."""
    found = {p.name: p.default for p in parameters(name) if p.default is not inspect.Parameter.empty}
    # verbose= was deprecated in 2.2 and removed in 2.7.
    found.pop("verbose", None)
    assert found == DOCUMENTED[name]
    assert {k: type(v) for k, v in found.items()} == {k: type(v) for k, v in DOCUMENTED[name].items()}


def test_every_public_class_is_in_the_table() -> None:
    """A class that a release adds needs its row here."""
    assert sorted(DOCUMENTED) == installed().public_names()


@pytest.mark.parametrize(("name", "argument"), ROWS, ids=[f"{n}-{a}" for n, a in ROWS])
def test_leaving_an_argument_out_is_giving_its_default(name: str, argument: str) -> None:
    """The same rates, momenta and state with the argument left out and with its documented default."""
    given = {argument: DOCUMENTED[name][argument]}
    # A wave of 2000 steps says little in 40: where the length is not the question it is short.
    short = {"step_size_up": 3} if name == "CyclicLR" and argument != "step_size_up" else {}
    one, two = fresh(groups=2), fresh(groups=2)
    left_out, explicit = make(name, one, **short), make(name, two, **short, **given)
    if name == "ReduceLROnPlateau":
        left_out, explicit = type(left_out)(one), type(left_out)(two, **given)
    for _ in range(30):
        assert snapshot(one) == snapshot(two)
        step(left_out)
        step(explicit)
    ours, theirs = left_out.state_dict(), explicit.state_dict()
    assert ours.keys() == theirs.keys()
    simple = (int, float, str, bool, type(None), list)
    plain = [k for k, v in ours.items() if isinstance(v, simple) and k != "_schedulers"]
    assert {k: ours[k] for k in plain} == {k: theirs[k] for k in plain}
