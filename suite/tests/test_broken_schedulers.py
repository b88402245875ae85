"""The suite finds each planted fault and names its shape; its helpers distinguish each wrong trace from a right one."""

from __future__ import annotations

import numpy as np
import pytest
import torch.optim.lr_scheduler as lrs

from reference import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    OneCycleLR,
    Schedule,
    SequentialLR,
)
from reference.check import Rates
from suite.engine import tolerances
from suite.engine.axes import Setup
from suite.engine.build import unvalidated
from suite.engine.case import Case
from suite.engine.subject import installed
from suite.engine.verdict import close, shape_of, verdict_of
from suite.tests import broken

EXPO, LINEAR, COSINE = ExponentialLR(0.89), LinearLR(0.13, 1.0, 6), CosineAnnealingLR(13, 1e-3)
WARMUP = SequentialLR((LINEAR, COSINE), (6,))
HOLD = SequentialLR((ConstantLR(0.37, 6), EXPO), (6,))

#: What is broken, how, on which schedule and setup it shows, the shape of it, and its first step.
FAULTS = [
    ("late", "ExponentialLR", broken.late, EXPO, Setup(), "shifted", 1),
    ("ahead", "CosineAnnealingLR", broken.ahead, COSINE, Setup(), "shifted", 1),
    ("early_milestone", "SequentialLR", broken.EarlyMilestone, WARMUP, Setup(), "shifted", 5),
    ("global_clock", "SequentialLR", broken.GlobalClock, HOLD, Setup(), "scaled", 6),
    ("wrong_base", "SequentialLR", broken.WrongBase, HOLD, Setup(), "scaled", 6),
    ("lost_factor", "ExponentialLR", broken.loses_a_factor, EXPO, Setup(), "shifted", 3),
    ("lost_factor_of_warmup", "LinearLR", broken.loses_a_factor, LINEAR, Setup(), "scaled", 3),
    ("lost_part", "ChainedScheduler", broken.ForgetsTheLast, ChainedScheduler((LINEAR, EXPO)), Setup(), "differs", 1),
    ("one_step_too_long", "LinearLR", broken.OneStepTooLong, LINEAR, Setup(), "differs", 1),
    ("stuck", "ExponentialLR", broken.stops, EXPO, Setup(), "stuck", 4),
    ("reset", "CosineAnnealingLR", broken.starts_again, COSINE, Setup(), "reset", 6),
    ("slips", "ExponentialLR", broken.slips_once, EXPO, Setup(), "differs", 3),
    ("swapped_groups", "LambdaLR", broken.swaps_groups, LambdaLR(EXPO), Setup(groups=2), "scaled", 1),
    ("aliased_tensor", "LambdaLR", broken.AliasesTheRate, LambdaLR(EXPO), Setup(lr_type="tensor"), "differs", 2),
    ("nan", "ExponentialLR", broken.writes_nan, EXPO, Setup(), "differs", 3),
    ("lost_state", "CosineAnnealingLR", broken.ForgetsItsEpoch, COSINE, Setup(resume="builtfirst", cuts=(3,)), "", 4),
    ("raises", "ExponentialLR", broken.raises, EXPO, Setup(), "error", 5),
    ("warns", "ExponentialLR", broken.warns, EXPO, Setup(), "warns", None),
    ("wrong_report", "ExponentialLR", broken.reports_the_base, EXPO, Setup(), "reported", 1),
    ("momentum", "OneCycleLR", broken.keeps_momentum, OneCycleLR(0.23, 20), Setup(), "momentum", 1),
    ("accepts", "ConstantLR", broken.ChecksNothing, unvalidated(ConstantLR, factor=1.5), Setup(), "accepted", None),
]


@pytest.mark.parametrize(
    ("name", "fault", "schedule", "setup", "shape", "step"), [row[1:] for row in FAULTS], ids=[r[0] for r in FAULTS]
)
def test_a_planted_fault_is_found(
    name: str, fault: object, schedule: Schedule, setup: Setup, shape: str, step: int | None
) -> None:
    """The case follows on the installed torch and deviates on the broken one, in the shape and at the step planted."""
    case = Case("planted", schedule, setup)
    assert callable(fault)
    cls = fault if isinstance(fault, type) else broken.hooked(getattr(lrs, name), fault)
    verdict = verdict_of(case, broken.subject(name, cls))
    assert verdict_of(case, installed()).follows
    assert verdict.kind == "deviates"
    assert (verdict.label, verdict.step) == (shape or verdict.label, step), verdict.detail


@pytest.mark.parametrize("name", ["ExponentialLR", "SequentialLR"])
def test_a_hook_that_only_steps_is_no_fault(name: str) -> None:
    """The machinery that plants the faults plants none of its own."""
    honest = broken.hooked(getattr(lrs, name), lambda scheduler, call, step: step())
    for schedule in (EXPO, WARMUP, HOLD):
        assert verdict_of(Case("planted", schedule), broken.subject(name, honest)).follows


def test_a_missing_class_is_absent() -> None:
    """A release without the class gives the verdict absent, which names it, alone and inside a composite."""
    for schedule in (COSINE, WARMUP):
        verdict = verdict_of(Case("planted", schedule), broken.without("CosineAnnealingLR"))
        assert verdict.kind == "absent"
        assert "CosineAnnealingLR" in verdict.detail


LONG: Rates = COSINE.trace(14, 0.3)
GOAL: Rates = LONG[:10]


def after(first: int, tail: Rates) -> Rates:
    """A trace that is right for `first` steps and then continues as `tail`."""
    return np.concatenate([GOAL[:first], tail])[: GOAL.size]


TRACES = [
    ("ahead_1", after(3, LONG[4:]), "shifted", "1 step ahead"),
    ("ahead_2", after(3, LONG[5:]), "shifted", "2 steps ahead"),
    ("ahead_3", after(2, LONG[5:]), "shifted", "3 steps ahead"),
    ("late_1", after(3, GOAL[2:]), "shifted", "1 step late"),
    ("late_2", after(3, GOAL[1:]), "shifted", "2 steps late"),
    ("late_3", after(4, GOAL[1:]), "shifted", "3 steps late"),
    ("scaled", after(3, GOAL[3:] * 1.01), "scaled", "1.01 times"),
    ("mirrored", after(3, -GOAL[3:]), "scaled", "-1 times"),
    ("stuck", after(4, np.full(6, GOAL[3])), "stuck", "stays at"),
    ("zero", after(4, np.zeros(6)), "stuck", "stays at 0"),
    ("reset", after(6, GOAL), "reset", "starts again"),
    ("slip", after(3, np.concatenate([GOAL[3:5] * [1.1, 1.2], GOAL[5:]])), "differs", "2 of 7 steps"),
    ("nan", after(3, np.full(7, np.nan)), "differs", "non-finite"),
    ("noise", after(3, GOAL[3:] * [1.1, 0.9, 1.3, 0.7, 1.2, 0.8, 1.4]), "differs", "leaves the schedule"),
]


@pytest.mark.parametrize(("actual", "shape", "says"), [row[1:] for row in TRACES], ids=[r[0] for r in TRACES])
def test_each_shape_has_its_name(actual: Rates, shape: str, says: str) -> None:
    """Each way to leave the schedule has its name, and a sentence that a reader can check."""
    target = GOAL[: actual.size]
    first = int(np.argmax(~close(actual, target, "float")))
    name, words = shape_of(actual, target, first, "float")
    assert (name, says in words) == (shape, True), words


@pytest.mark.parametrize("kind", ["float", "float32"])
@pytest.mark.parametrize("at", [0, 5, 9])
@pytest.mark.parametrize("change", ["up", "down", "nan", "inf", "zero"])
def test_close_sees_a_single_wrong_rate(kind: str, at: int, change: str) -> None:
    """One rate off by ten times the tolerance, at any step, is not close; the others still are."""
    relative = 10 * (tolerances.relative(10, kind) + tolerances.of_peak(10, kind) * GOAL.max() / GOAL[at])
    values = {"up": 1 + relative, "down": 1 - relative, "nan": np.nan, "inf": np.inf, "zero": 0.0}
    actual = GOAL.copy()
    actual[at] *= values[change]
    assert np.flatnonzero(~close(actual, GOAL, kind)).tolist() == [at]


def test_close_forgives_rounding_only() -> None:
    """Rounding to the kind's own precision passes, and float32 rounding is too coarse for a float."""
    rounded = GOAL.astype(np.float32).astype(np.float64)
    assert close(np.nextafter(GOAL, 1.0), GOAL, "float").all()
    assert close(rounded, GOAL, "float32").all()
    assert not close(rounded, GOAL, "float").all()
