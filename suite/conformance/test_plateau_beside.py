"""ReduceLROnPlateau stepped beside another scheduler, or after it: what the workarounds of known deviations promise."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from reference import (
    ConstantLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    Schedule,
    StepLR,
)
from suite.engine.build import build
from suite.engine.subject import installed
from suite.engine.tolerances import relative

from .support import fresh, make, rates

METRICS = (1.0, 0.8, 0.9, 0.9, 0.9, 0.5, 0.6, 0.6, 0.6, 0.6, 0.4, 0.4)
TWIN = ReduceLROnPlateau(METRICS, factor=0.7, patience=1)
#: Schedulers that multiply the LR in force, and schedulers that write their own in each step.
MULTIPLY = (
    StepLR(3, 0.7),
    MultiStepLR((2, 5), 0.7),
    ConstantLR(0.37, 4),
    LinearLR(0.13, 0.97, 5),
    ExponentialLR(0.89),
    PolynomialLR(17, 1.7),
    MultiplicativeLR(LinearLR(0.71, 0.93, 7)),
)
OVERWRITE = (
    LambdaLR(ExponentialLR(0.83)),
    CosineAnnealingWarmRestarts(3, 2, 1e-3),
    OneCycleLR(0.23, 40, cycle_momentum=False),
    CyclicLR(0.017, 0.19, 3, 5, cycle_momentum=False),
)


def beside(other: Schedule) -> tuple[list[float], list[float]]:
    """The LRs in force while ReduceLROnPlateau is stepped before `other`, and what it makes of an LR of 1."""
    optimizer = fresh()
    scheduler, reducer = build(other, optimizer, installed()), plateau_on(optimizer)
    lrs = []
    for metric in METRICS:
        lrs += rates(optimizer)
        optimizer.step()
        reducer.step(metric)
        scheduler.step()
    return lrs, TWIN.trace(len(METRICS), 1.0).tolist()


def plateau_on(optimizer: Any) -> Any:
    """The scheduler of `TWIN` on this optimizer."""
    return make("ReduceLROnPlateau", optimizer, factor=0.7, patience=1)


@pytest.mark.parametrize("other", MULTIPLY, ids=lambda s: s.slug)
def test_beside_a_scheduler_that_multiplies(other: Schedule) -> None:
    """Both effects are kept: the LR is the product (a workaround of plateau-inside-composite)."""
    lrs, shares = beside(other)
    assert lrs == pytest.approx((other.trace(len(METRICS), 0.3) * shares).tolist(), rel=relative(len(METRICS), "float"))
    assert min(shares) < 1.0


@pytest.mark.parametrize("other", OVERWRITE, ids=lambda s: s.slug)
def test_a_scheduler_that_overwrites_erases_every_reduction(other: Schedule) -> None:
    """The reason why plateau-inside-composite has another workaround for these four."""
    lrs, shares = beside(other)
    assert lrs == pytest.approx(other.trace(len(METRICS), 0.3).tolist(), rel=relative(len(METRICS), "float"))
    assert min(shares) < 1.0


def test_a_warmup_and_then_a_plateau() -> None:
    """Stepped one after the other, the warmup ends at the base LR and every reduction is kept."""
    optimizer, warmup = fresh(), LinearLR(0.13, 1.0, 4)
    scheduler, reducer = build(warmup, optimizer, installed()), plateau_on(optimizer)
    lrs = []
    for update in range(4 + len(METRICS)):
        lrs += rates(optimizer)
        optimizer.step()
        if update < 4:
            scheduler.step()
        else:
            reducer.step(METRICS[update - 4])
    expected = [*warmup.trace(4, 0.3), *TWIN.trace(len(METRICS), 0.3)]
    assert lrs == pytest.approx(expected, rel=relative(len(lrs), "float"))


def test_reductions_on_an_optimizer_of_their_own() -> None:
    """A LambdaLR that multiplies by the LR of a second optimizer, which the plateau reduces, keeps every reduction."""
    optimizer, shares = fresh(), torch.optim.SGD([torch.zeros(1)], lr=1.0)
    reducer = plateau_on(shares)
    scheduler = make("LambdaLR", optimizer, lr_lambda=lambda t: 0.83**t * shares.param_groups[0]["lr"])
    lrs = []
    for metric in METRICS:
        lrs += rates(optimizer)
        optimizer.step()
        reducer.step(metric)
        scheduler.step()
    expected = ExponentialLR(0.83).trace(len(METRICS), 0.3) * TWIN.trace(len(METRICS), 1.0)
    assert lrs == pytest.approx(expected.tolist(), rel=relative(len(METRICS), "float"))


@pytest.mark.parametrize(
    ("mode", "first"), [("min", math.nan), ("min", math.inf), ("max", math.nan), ("max", -math.inf)]
)
def test_a_first_metric_that_is_not_finite_is_left_out(mode: str, first: float) -> None:
    """Without a step for it the LRs are the documented ones (the workaround of plateau-first-epoch)."""
    metrics = (first, 1.0, 1.0, 1.0, 1.0)
    optimizer = fresh()
    scheduler = make("ReduceLROnPlateau", optimizer, mode=mode, factor=0.5, patience=0)
    lrs, started = [], False
    for metric in metrics:
        lrs += rates(optimizer)
        started = started or math.isfinite(metric)
        if started:
            scheduler.step(metric)
    assert lrs == ReduceLROnPlateau(metrics, mode, factor=0.5, patience=0).trace(len(metrics), 0.3).tolist()
