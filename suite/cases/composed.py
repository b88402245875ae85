"""Any case from its id, in the catalogue or not: the slug of a composition, then the marks of its setup."""

from __future__ import annotations

import contextlib
import functools
import re
from typing import Any

from reference import parse
from suite.engine.action import Action
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.loop import RESTORES
from suite.engine.numbers import CONVERSIONS
from suite.engine.optimizers import OPTIMIZERS

from .catalogue import all_cases, by_id, find, steps_of

#: Marks without a number → the field and its value.
WORDS: dict[str, tuple[str, Any]] = {
    "lists": ("lists", True),
    "tensor": ("lr_type", "tensor"),
    "shared": ("lr_type", "shared"),
    "perepoch": ("clock", "epoch"),
    "permicro": ("clock", "micro"),
    "reversed": ("reverse", True),
    "saved": ("saved", True),
    "cuda": ("device", "cuda"),
    **{name: ("numbers", name) for name in CONVERSIONS if name},
    **{name: ("optimizer", name) for name in OPTIMIZERS if name != "sgd"},
}


@functools.cache
def actions() -> dict[str, Action]:
    """Every action of the catalogue that its mark describes, whatever the composition."""
    by_mark: dict[str, set[Action]] = {}
    for case in all_cases():
        for action in case.setup.actions:
            by_mark.setdefault(action.mark, set()).add(action)
    return {mark: next(iter(same)) for mark, same in by_mark.items() if len(same) == 1}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("x")))


def setup_of(marks: list[str]) -> Setup:
    """The setup with these marks; raises ValueError for one that no setup has."""
    fields: dict[str, Any] = {}
    chosen = []
    for mark in marks:
        groups, jumps = re.fullmatch(r"(\d)groups", mark), re.fullmatch(r"epoch(\d+(?:x\d+)*)", mark)
        restore = re.fullmatch(rf"({'|'.join(RESTORES)})_at(\d+(?:x\d+)*)", mark)
        if mark in actions():
            chosen.append(actions()[mark])
        elif mark in WORDS:
            name, value = WORDS[mark]
            fields[name] = value
        elif groups:
            fields["groups"] = int(groups[1])
        elif jumps:
            fields["jumps"] = _numbers(jumps[1])
        elif restore:
            fields |= {"resume": restore[1], "cuts": _numbers(restore[2])}
        else:
            raise ValueError(f"mark={mark!r} must be one of a setup, such as 2groups, tensor or builtfirst_at6")
    return Setup(**fields, actions=tuple(chosen))


def case_of(case_id: str) -> Case:
    """The case of the catalogue with this id, else the one that the id describes; raises ValueError for neither."""
    slug, *marks = case_id.split("-")
    if case_id not in by_id("cuda" if "cuda" in marks else "cpu"):
        with contextlib.suppress(ValueError):  # an id that describes nothing is answered with those like it
            setup = setup_of(marks)
            return Case("described", parse(slug), setup, steps_of(setup))
    return find(case_id)
