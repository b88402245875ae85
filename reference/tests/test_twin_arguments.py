"""Every twin of a torch scheduler rejects bad arguments with ``name=value`` first, then the rule."""

from __future__ import annotations

import re
from typing import Any

import pytest

import reference
from reference import LRScheduler, Schedule, SequentialLR
from reference.tests.twins import HALF, REFUSALS

BAD = [(cls, good, *row) for cls, good, rows in REFUSALS for row in rows]
IDS = [f"{cls.__name__}-{name}-{i}" for i, (cls, _, name, _, _) in enumerate(BAD)]


@pytest.mark.parametrize(("cls", "good", "name", "value", "rule"), BAD, ids=IDS)
def test_bad_argument_is_named_with_its_value_and_rule(
    cls: type[Schedule], good: dict[str, Any], name: str, value: Any, rule: str
) -> None:
    """The message starts with the argument (or one entry of it) and its value, followed by the rule."""
    with pytest.raises((TypeError, ValueError), match=rf"^{name}(\[\d\])?=.* {re.escape(rule)}") as caught:
        cls(**{**good, name: value})
    shown = {repr(value), repr(value[-1]) if isinstance(value, tuple) and value else "[]"}
    shown |= {repr(list(value)), "ReduceLROnPlateau"} if isinstance(value, tuple) else set()
    assert str(caught.value).partition("=")[2].partition(" must ")[0] in shown


def test_unsorted_milestones_are_rejected() -> None:
    """Milestones out of order raise, and the message lists all of them."""
    with pytest.raises(ValueError, match=r"^milestones=\[5, 2\] must be in ascending order"):
        SequentialLR((HALF, HALF, HALF), (5, 2))


def test_the_base_class_is_rejected() -> None:
    """LRScheduler cannot be constructed."""
    with pytest.raises(TypeError, match=r"^schedule=LRScheduler must be a subclass"):
        LRScheduler()


def test_every_twin_has_bad_arguments() -> None:
    """Every public twin is in a table of refusals, with an invalid value for each of its checks."""
    public = {c for c in vars(reference).values() if isinstance(c, type) and issubclass(c, Schedule)}
    twins = {c for c in public if c.__module__.startswith(("reference.torch_", "reference.compose"))}
    tested = {cls for cls, _, _ in REFUSALS}
    assert tested == twins, (
        f"the tables of refusals in reference/tests/twin_*.py must match the twins: {tested ^ twins}"
    )
    assert all(rows for cls, _, rows in REFUSALS if cls is not LRScheduler)


@pytest.mark.parametrize(("cls", "good"), [(cls, good) for cls, good, rows in REFUSALS if rows and good])
def test_the_good_arguments_are_good(cls: type[Schedule], good: dict[str, Any]) -> None:
    """The valid arguments that accompany a bad one are accepted."""
    assert cls(**good)(0, 0.3) >= 0
