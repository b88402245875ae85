"""What a plan does wrong is said as a fact, and plans that are right are left alone."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as schedulers
from torch.optim.swa_utils import SWALR

from bench.diagnose.plan import SchedulerPlan, read_plan
from bench.diagnose.plan.construction import Constructions

Make = Callable[[torch.optim.Optimizer], Any]


def linear_then_zero(step: int, *, warmup: int, total: int) -> float:
    """A linear warmup from 0 and a linear decay to 0, which then stays there."""
    return step / warmup if step < warmup else max(0.0, (total - step) / (total - warmup))


def cosine(step: int, *, warmup: int, total: int, clock_from_zero: bool = False) -> float:
    """A linear warmup and a cosine, whose clock may count the warmup too."""
    if step < warmup:
        return (step + 1) / warmup
    start = 0 if clock_from_zero else warmup
    return 0.5 * (1 + math.cos(math.pi * (step - start) / (total - start)))


def waves(step: int) -> float:
    """A triangle wave."""
    return 0.1 + abs((step / 20) % 2 - 1)


def full_first(step: int) -> float:
    """The full LR in the first update, then a warmup and a constant LR."""
    return 1.0 if step == 0 else min(1.0, step / 20)


def sequence(optimizer: torch.optim.Optimizer, *parts: Any, at: list[int]) -> Any:
    """A SequentialLR."""
    return schedulers.SequentialLR(optimizer, list(parts), at)


def warm(optimizer: torch.optim.Optimizer, steps: int) -> Any:
    """A linear warmup from a tenth of the base LR."""
    return schedulers.LinearLR(optimizer, 0.1, total_iters=steps)


def cos(optimizer: torch.optim.Optimizer, steps: int, low: float = 0.0) -> Any:
    """A cosine decay."""
    return schedulers.CosineAnnealingLR(optimizer, steps, low)


def function(made: Callable[[int], float]) -> Make:
    """A LambdaLR."""
    return lambda optimizer: schedulers.LambdaLR(optimizer, made)


def chain(*makers: Make) -> Make:
    """A ChainedScheduler."""
    return lambda optimizer: schedulers.ChainedScheduler([make(optimizer) for make in makers])


HF = functools.partial(linear_then_zero, warmup=20)
#: SchedulerPlan of 200 updates → the kinds of its wrong facts.
WRONG: dict[str, tuple[Make, set[str]]] = {
    "decay multiplies the warmup": (chain(lambda o: warm(o, 50), lambda o: cos(o, 200, 1e-4)), {"peak-below-base"}),
    "cosine too long": (lambda o: sequence(o, warm(o, 20), cos(o, 760), at=[20]), {"decay-too-long"}),
    "function too long": (function(functools.partial(HF, total=760)), {"decay-too-long"}),
    "drops after the run": (lambda o: schedulers.MultiStepLR(o, [100, 300]), {"decay-too-long"}),
    "function too short": (function(functools.partial(HF, total=100)), {"zero"}),
    "polynomial too short": (lambda o: schedulers.PolynomialLR(o, 100), {"zero"}),
    "cosine comes back": (lambda o: cos(o, 120), {"rises-again"}),
    "cosine function comes back": (function(functools.partial(cosine, warmup=20, total=120)), {"rises-again"}),
    "warmup too long": (lambda o: sequence(o, warm(o, 1000), cos(o, 100), at=[1000]), {"warmup-too-long"}),
    "cycle too long": (lambda o: schedulers.OneCycleLR(o, 0.1, 2000), {"warmup-too-long"}),
    "cycle too short": (lambda o: schedulers.OneCycleLR(o, 0.1, 150), {"past-end"}),
    "full LR first": (function(full_first), {"first-full"}),
    "negative": (function(lambda step: 1 - step / 150), {"negative"}),
    "fades": (lambda o: schedulers.ExponentialLR(o, 0.8), {"vanishing"}),
    "phase cut": (lambda o: sequence(o, warm(o, 60), cos(o, 170), at=[30]), {"cut"}),
    "restart": (lambda o: sequence(o, cos(o, 100), schedulers.ExponentialLR(o, 0.99), at=[100]), {"restart"}),
    "clock counts the warmup": (
        function(functools.partial(cosine, warmup=40, total=200, clock_from_zero=True)),
        {"jump"},
    ),
    "overwritten": (chain(lambda o: warm(o, 20), function(lambda step: 0.99**step)), {"overwritten"}),
    "not a number": (function(lambda step: math.nan if step == 7 else 1.0), {"not-finite"}),
    "all zero": (function(lambda step: 0.0), {"zero"}),
    "two dead updates": (function(lambda step: max(0, step - 2)), {"zero"}),
}
#: Plans of 200 updates that need no change, from the documentation of torch and of libraries → facts to mention.
RIGHT: dict[str, tuple[Make, set[str]]] = {
    "warmup and cosine": (lambda o: sequence(o, warm(o, 20), cos(o, 180), at=[20]), set()),
    "cosine to a floor": (lambda o: sequence(o, warm(o, 20), cos(o, 180, 1e-4), at=[20]), set()),
    "transformers": (function(functools.partial(HF, total=200)), {"first-zero"}),
    "inverse square root": (function(lambda step: min((step + 1) / 20, (20 / (step + 1)) ** 0.5)), set()),
    "constant warmup": (
        lambda o: sequence(o, schedulers.ConstantLR(o, 0.1, 20), schedulers.ExponentialLR(o, 0.99), at=[20]),
        set(),
    ),
    "steps": (lambda o: schedulers.StepLR(o, 60), set()),
    "warmup times steps": (chain(lambda o: warm(o, 20), lambda o: schedulers.StepLR(o, 60)), set()),
    "one cycle": (lambda o: schedulers.OneCycleLR(o, 0.1, 200), set()),
    "restarts": (lambda o: schedulers.CosineAnnealingWarmRestarts(o, 25, 2), set()),
    "cycles": (lambda o: schedulers.CyclicLR(o, 0.01, 0.1, 30), set()),
    "waves": (function(waves), {"waves"}),
    "constant": (function(lambda step: 1.0), {"constant"}),
    "range test": (lambda o: schedulers.ExponentialLR(o, 1.05), set()),
    "floor before the end": (function(lambda step: max(0.1, 1 - step / 150)), {"floor-early"}),
    "averaging": (lambda o: SWALR(o, 0.05, 20), {"floor-early"}),
    "metric": (lambda o: schedulers.ReduceLROnPlateau(o), {"metric"}),
}


def plan_of(make: Make, steps: int = 200, lr: float = 0.1) -> SchedulerPlan:
    """The plan of a fresh scheduler."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr, momentum=0.9)
    with Constructions() as seen:
        scheduler = make(optimizer)
    return read_plan(scheduler, steps, seen=seen)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_plan_is_a_fact_with_a_fix(name: str) -> None:
    """Exactly the mistake is named, in a sentence, with what to change."""
    make, kinds = WRONG[name]
    plan = plan_of(make)
    wrong = [fact for fact in plan.facts if fact.wrong]
    assert {fact.kind for fact in wrong} == kinds, plan.sentences
    assert plan.deviation is None
    assert not plan.healthy
    assert all(fact.fix and fact.sentence.endswith(".") for fact in wrong)


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_plan_is_left_alone(name: str) -> None:
    """No plan that somebody would write on purpose is accused; what is worth knowing is still said."""
    make, kinds = RIGHT[name]
    plan = plan_of(make)
    assert plan.healthy, plan.sentences
    assert {fact.kind for fact in plan.facts} == kinds, plan.sentences
    assert plan.words


@pytest.mark.parametrize("name", ["restart", "warmup and cosine"])
def test_a_mistake_that_is_too_small_to_see_is_no_fact(name: str) -> None:
    """One step more or less is another convention."""
    plan = plan_of({**WRONG, **RIGHT}[name][0], 199)
    assert {fact.kind for fact in plan.facts if fact.wrong} == ({"restart"} if name == "restart" else set())


def test_numbers_are_those_of_the_plan() -> None:
    """The sentence has the peak, its step and how far it is below the base LR."""
    plan = plan_of(chain(lambda o: warm(o, 50), lambda o: cos(o, 200, 0.0)))
    fact = next(fact for fact in plan.facts if fact.kind == "peak-below-base")
    assert fact.step == 50
    # cos² (π/8) is the share that the cosine leaves at a quarter of its way.
    share = math.cos(math.pi / 8) ** 2
    assert f"peaks at {0.1 * share:.4g} at step 50, {100 * (1 - share):.3g} % below the base LR 0.1" in fact.sentence
    assert "milestones=[50]), with a decay of 150 steps" in fact.fix


def test_a_deviation_of_torch_is_named() -> None:
    """LinearLR(total_iters=0) stays at its start factor: the plan says so, from step 0, with the known cause."""
    plan = plan_of(lambda o: schedulers.LinearLR(o, 0.1, total_iters=0))
    assert plan.deviation is not None
    assert (plan.deviation.step, plan.deviation.cause) == (0, "start-kept")
    assert plan.deviation.documented == pytest.approx(0.1, rel=1e-12)
    assert plan.deviation.actual == pytest.approx(0.01, rel=1e-12)
    assert not plan.healthy
