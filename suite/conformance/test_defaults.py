"""The documented defaults: in the signature, and in the behaviour without the argument."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from suite.engine.subject import installed

from .support import EVERY, TWINS, fresh, make, optional, parameters, snapshot, step

#: Where the documented optional arguments differ from the twin's.
DIFFERENT: dict[str, dict[str, Any]] = {
    "ChainedScheduler": {"optimizer": None},
    "ReduceLROnPlateau": {"min_lr": 0},  # 0.0 in the twin
}
WITHOUT_LAST_EPOCH = {"ChainedScheduler", "ReduceLROnPlateau"}


def documented(name: str) -> dict[str, Any]:
    """The default of each optional argument: the twin repeats the docstring."""
    defaults = optional(name)
    defaults.pop("milestones", None)  # required by torch
    last_epoch = {} if name in WITHOUT_LAST_EPOCH else {"last_epoch": -1}
    return defaults | DIFFERENT.get(name, {}) | last_epoch


DOCUMENTED = {name: documented(name) for name in TWINS}

#: OneCycleLR requires some length; the table of arguments gives it this one.
NEEDED = {"total_steps"}
ROWS = [(name, argument) for name in EVERY for argument in DOCUMENTED[name] if argument not in NEEDED | {"optimizer"}]


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_signature_has_the_documented_defaults(name: str) -> None:
    """Exactly the documented arguments are optional, each with its documented default and type."""
    defaults = {p.name: p.default for p in parameters(name) if p.default is not inspect.Parameter.empty}
    # verbose= was deprecated in 2.2 and removed in 2.7.
    defaults.pop("verbose", None)
    assert defaults == DOCUMENTED[name]
    assert {k: type(v) for k, v in defaults.items()} == {k: type(v) for k, v in DOCUMENTED[name].items()}


def test_every_public_class_is_in_the_table() -> None:
    """A class that a release adds needs a twin."""
    assert sorted(DOCUMENTED) == installed().public_names(), "the twins of reference/torch_*.py must match torch"


@pytest.mark.parametrize(("name", "argument"), ROWS, ids=[f"{n}-{a}" for n, a in ROWS])
def test_leaving_an_argument_out_is_giving_its_default(name: str, argument: str) -> None:
    """The same rates, momenta and state with the argument left out and with its documented default."""
    given = {argument: DOCUMENTED[name][argument]}
    # A cycle of 2000 steps shows little in 40: use a short one unless its length is being tested.
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
