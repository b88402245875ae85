"""Every twin of a torch scheduler refuses bad arguments: ``name=value`` first, then the rule."""

from __future__ import annotations

import re
from typing import Any

import pytest

import reference
from reference import (
    SWALR,
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
    StepLR,
)

NAN, INF = float("nan"), float("inf")
HALF = ExponentialLR(0.5)
PLATEAU = ReduceLROnPlateau((1.0,))

#: Class, good arguments, then (bad argument, its value, the rule) for each of them.
TABLE: list[tuple[type[Schedule], dict[str, Any], list[tuple[str, Any, str]]]] = [
    (LRScheduler, {}, []),
    (LambdaLR, {}, [("lr_lambda", 0.5, "must be a schedule"), ("lr_lambda", None, "must be a schedule")]),
    (MultiplicativeLR, {}, [("lr_lambda", abs, "must be a schedule")]),
    (
        StepLR,
        {"step_size": 3},
        [
            ("step_size", 0, "must be >= 1"),
            ("step_size", 2.5, "must be an integer"),
            ("step_size", True, "must be an integer"),
            ("gamma", NAN, "must be finite"),
            ("gamma", "0.1", "must be a real number"),
        ],
    ),
    (
        MultiStepLR,
        {"milestones": (2, 5)},
        [
            ("milestones", (0,), "must be >= 1"),
            ("milestones", (2, 2.5), "must be an integer"),
            ("gamma", INF, "must be finite"),
        ],
    ),
    (
        ConstantLR,
        {},
        [
            ("factor", -0.1, "must be >= 0"),
            ("factor", 1.1, "must be <= 1"),
            ("total_iters", -1, "must be >= 0"),
            ("total_iters", 4.5, "must be an integer"),
        ],
    ),
    (
        LinearLR,
        {},
        [
            ("start_factor", 0.0, "must be > 0"),
            ("start_factor", 1.1, "must be <= 1"),
            ("end_factor", -0.1, "must be >= 0"),
            ("end_factor", 1.1, "must be <= 1"),
            ("total_iters", -1, "must be >= 0"),
            ("total_iters", 5.0, "must be an integer"),
        ],
    ),
    (ExponentialLR, {}, [("gamma", NAN, "must be finite"), ("gamma", None, "must be a real number")]),
    (
        PolynomialLR,
        {},
        [
            ("total_iters", -1, "must be >= 0"),
            ("total_iters", 4.5, "must be an integer"),
            ("power", 0.0, "must be > 0"),
            ("power", -INF, "must be finite"),
        ],
    ),
    (
        CosineAnnealingLR,
        {"T_max": 5},
        [
            ("T_max", 0, "must be >= 1"),
            ("T_max", 4.5, "must be an integer"),
            ("eta_min", NAN, "must be finite"),
        ],
    ),
    (
        CosineAnnealingWarmRestarts,
        {"T_0": 5},
        [
            ("T_0", 0, "must be >= 1"),
            ("T_0", 2.5, "must be an integer"),
            ("T_mult", 0, "must be >= 1"),
            ("T_mult", 1.5, "must be an integer"),
            ("eta_min", INF, "must be finite"),
        ],
    ),
    (
        OneCycleLR,
        {"max_lr": 0.1, "total_steps": 20},
        [
            ("max_lr", NAN, "must be finite"),
            ("total_steps", 0, "must be >= 1"),
            ("total_steps", 20.0, "must be an integer"),
            ("total_steps", None, "must be given"),
            ("pct_start", 1, "must be a float"),
            ("pct_start", -0.1, "must be >= 0"),
            ("pct_start", 1.1, "must be <= 1"),
            ("anneal_strategy", "cosine", "must be one of cos, linear"),
            ("cycle_momentum", 1, "must be True or False"),
            ("base_momentum", NAN, "must be finite"),
            ("max_momentum", NAN, "must be finite"),
            ("div_factor", 0.0, "must be > 0"),
            ("final_div_factor", -1.0, "must be > 0"),
            ("three_phase", 0, "must be True or False"),
        ],
    ),
    (
        CyclicLR,
        {"base_lr": 0.1, "max_lr": 0.2},
        [
            ("base_lr", NAN, "must be finite"),
            ("max_lr", "0.2", "must be a real number"),
            ("step_size_up", -1, "must be >= 0"),
            ("step_size_up", 2.5, "must be an integer"),
            ("step_size_down", -1, "must be >= 0"),
            ("step_size_up", 0, "must be >= 1"),
            ("mode", "sine", "must be one of triangular, triangular2, exp_range"),
            ("gamma", INF, "must be finite"),
            ("scale_fn", abs, "must be a schedule"),
            ("scale_mode", "steps", "must be one of cycle, iterations"),
            ("cycle_momentum", None, "must be True or False"),
            ("base_momentum", NAN, "must be finite"),
            ("max_momentum", NAN, "must be finite"),
        ],
    ),
    (
        SWALR,
        {"swa_lr": 0.1},
        [
            ("swa_lr", NAN, "must be finite"),
            ("anneal_epochs", -1, "must be >= 0"),
            ("anneal_epochs", 2.5, "must be an integer"),
            ("anneal_strategy", "exp", "must be one of cos, linear"),
        ],
    ),
    (
        ReduceLROnPlateau,
        {"metrics": (1.0, 0.5)},
        [
            ("metrics", (1.0, NAN), "must be finite"),
            ("mode", "mean", "must be one of min, max"),
            ("factor", 1.0, "must be < 1"),
            ("patience", -1, "must be >= 0"),
            ("cooldown", 1.5, "must be an integer"),
            ("threshold", NAN, "must be finite"),
            ("threshold_mode", "both", "must be one of rel, abs"),
            ("min_lr", INF, "must be finite"),
            ("eps", None, "must be a real number"),
        ],
    ),
    (
        SequentialLR,
        {"schedulers": (HALF, HALF), "milestones": (4,)},
        [
            ("schedulers", HALF, "must be a list or tuple"),
            ("schedulers", (), "must hold at least one"),
            ("schedulers", (HALF, 0.5), "must be a schedule"),
            ("schedulers", (HALF, PLATEAU), "must stand alone"),
            ("milestones", (), "must number one fewer"),
            ("milestones", (4, 9), "must number one fewer"),
            ("milestones", (4.5,), "must be an integer"),
            ("milestones", (-1,), "must be >= 0"),
        ],
    ),
    (
        ChainedScheduler,
        {},
        [
            ("schedulers", HALF, "must be a list or tuple"),
            ("schedulers", (), "must hold at least one"),
            ("schedulers", (HALF, None), "must be a schedule"),
            ("schedulers", (PLATEAU,), "must stand alone"),
        ],
    ),
]
BAD = [(cls, good, *row) for cls, good, rows in TABLE for row in rows]
IDS = [f"{cls.__name__}-{name}-{i}" for i, (cls, _, name, _, _) in enumerate(BAD)]


@pytest.mark.parametrize(("cls", "good", "name", "value", "rule"), BAD, ids=IDS)
def test_bad_argument_is_named_with_its_value_and_rule(
    cls: type[Schedule], good: dict[str, Any], name: str, value: Any, rule: str
) -> None:
    """The message begins with the argument, or the entry of it, and its value, and ends with the rule."""
    with pytest.raises((TypeError, ValueError), match=rf"^{name}(\[\d\])?=.* {re.escape(rule)}") as caught:
        cls(**{**good, name: value})
    shown = {repr(value), repr(value[-1]) if isinstance(value, tuple) and value else "[]"}
    shown |= {repr(list(value)), "ReduceLROnPlateau"} if isinstance(value, tuple) else set()
    assert str(caught.value).partition("=")[2].partition(" must ")[0] in shown


def test_unsorted_milestones_are_refused() -> None:
    """A milestone before the one in front of it raises, with all of them."""
    with pytest.raises(ValueError, match=r"^milestones=\[5, 2\] must be in rising order"):
        SequentialLR((HALF, HALF, HALF), (5, 2))


def test_the_base_class_is_refused() -> None:
    """LRScheduler has no schedule of its own."""
    with pytest.raises(TypeError, match=r"^schedule=LRScheduler must be a subclass"):
        LRScheduler()


def test_every_twin_has_bad_arguments() -> None:
    """Every public schedule of the twins stands in the table, with a bad value for each of its own checks."""
    public = {c for c in vars(reference).values() if isinstance(c, type) and issubclass(c, Schedule)}
    twins = {c for c in public if c.__module__.startswith(("reference.torch_", "reference.compose"))}
    assert twins == {cls for cls, _, _ in TABLE}
    assert all(rows for cls, _, rows in TABLE if cls is not LRScheduler)


@pytest.mark.parametrize(("cls", "good"), [(cls, good) for cls, good, rows in TABLE if rows and good])
def test_the_good_arguments_are_good(cls: type[Schedule], good: dict[str, Any]) -> None:
    """What stands beside a bad argument is accepted on its own."""
    assert cls(**good)(0, 0.3) >= 0
