"""ReduceLROnPlateau's documented rules: what counts as an improvement, patience, cooldown, attributes."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from reference import ReduceLROnPlateau

from .support import fresh, make, rates

RULES = [
    # mode, threshold_mode, best, a metric that improves, one on the bar that does not
    ("min", "rel", 2.0, 1.49, 1.5),
    ("min", "abs", 2.0, 1.74, 1.75),
    ("max", "rel", 2.0, 2.51, 2.5),
    ("max", "abs", 2.0, 2.26, 2.25),
    ("min", "rel", -2.0, -1.51, -1.5),
    ("max", "rel", -2.0, -2.49, -2.5),
]


def plateau(**arguments: Any) -> Any:
    """A scheduler with the documented defaults but the given arguments."""
    return make("ReduceLROnPlateau", fresh(), **{"patience": 10, **arguments})


@pytest.mark.parametrize(("mode", "threshold_mode", "best", "better", "equal"), RULES)
def test_what_improves(mode: str, threshold_mode: str, best: float, better: float, equal: float) -> None:
    """A metric strictly beyond the documented threshold becomes the best; one on the threshold is a bad epoch."""
    for metric, good in ((better, True), (equal, False), (math.nan, False)):
        scheduler = plateau(mode=mode, threshold=0.25, threshold_mode=threshold_mode)
        scheduler.step(best)
        assert (scheduler.best, scheduler.num_bad_epochs) == (best, 0)
        scheduler.step(metric)
        assert (scheduler.best, scheduler.num_bad_epochs) == ((metric, 0) if good else (best, 1))


@pytest.mark.parametrize(("mode", "worst"), [("min", math.inf), ("max", -math.inf)])
def test_the_first_metric_is_always_good(mode: str, worst: float) -> None:
    """Before the first step the best is the worst possible value."""
    scheduler = plateau(mode=mode)
    assert scheduler.best == worst
    assert (scheduler.num_bad_epochs, scheduler.cooldown_counter, scheduler.in_cooldown) == (0, 0, False)
    assert scheduler.mode == mode
    for metric in (-1e300, 1e300):
        fresh_one = plateau(mode=mode)
        fresh_one.step(metric)
        assert (fresh_one.best, fresh_one.num_bad_epochs) == (metric, 0)


@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("cooldown", [0, 1, 2])
def test_patience_and_cooldown(patience: int, cooldown: int) -> None:
    """More than `patience` bad epochs reduce the LR once; then `cooldown` epochs are not counted."""
    scheduler = plateau(patience=patience, cooldown=cooldown, factor=0.5)
    scheduler.step(1.0)
    lr, bad, cooling = 0.3, 0, 0
    for _ in range(20):
        scheduler.step(1.0)
        bad = 0 if cooling else bad + 1
        cooling = max(0, cooling - 1)
        if bad > patience:
            lr, bad, cooling = lr * 0.5, 0, cooldown
        assert rates(scheduler.optimizer) == scheduler.get_last_lr() == [lr]
        assert (scheduler.num_bad_epochs, scheduler.cooldown_counter) == (bad, cooling)
        assert scheduler.in_cooldown is (cooling > 0)


def test_an_improvement_resets_the_count() -> None:
    """An improvement resets the count of bad epochs."""
    scheduler = plateau(patience=2, factor=0.5)
    counts = []
    for metric in (1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.4):
        scheduler.step(metric)
        counts.append(scheduler.num_bad_epochs)
    assert counts == [0, 1, 2, 0, 1, 2, 0]
    assert rates(scheduler.optimizer) == [0.3]


@pytest.mark.parametrize(("eps", "lr"), [(math.nextafter(0.15, 1.0), 0.3), (math.nextafter(0.15, 0.0), 0.15)])
def test_a_smaller_reduction_than_eps_is_left_out(eps: float, lr: float) -> None:
    """The LR changes if the difference exceeds eps, and not if it is less; for equality see plateau-eps-reached."""
    scheduler = plateau(patience=0, factor=0.5, eps=eps)
    scheduler.step(1.0)
    scheduler.step(1.0)
    assert rates(scheduler.optimizer) == [lr]


def test_no_rate_falls_below_min_lr() -> None:
    """A reduction stops at min_lr, and an LR below it is not raised."""
    scheduler = plateau(patience=0, factor=0.1, min_lr=0.2)
    for expected in (0.3, 0.2, 0.2):
        scheduler.step(1.0)
        assert rates(scheduler.optimizer) == [expected]
    scheduler.optimizer.param_groups[0]["lr"] = 0.1
    scheduler.step(1.0)
    assert rates(scheduler.optimizer) == [0.1]


def test_not_a_number_is_a_bad_epoch() -> None:
    """NaN is never an improvement, so a diverged run is reduced like a stalled one."""
    scheduler = plateau(patience=1, factor=0.5)
    for metric in (2.0, math.nan, math.nan, math.nan):
        scheduler.step(metric)
    assert (rates(scheduler.optimizer), scheduler.num_bad_epochs) == ([0.15], 1)
    assert scheduler.best == 2.0


#: Random lists of metrics for each mode and threshold mode.
LISTS = 500


@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_random_metrics_of_any_sign(mode: str, threshold_mode: str) -> None:
    """Every LR is the reference's, for metrics around 0 with 0, NaN and infinity among them; the first is a number."""
    draw = random.Random(f"{mode} {threshold_mode}")
    optimizer, reduced = fresh(), 0
    for _ in range(LISTS):
        metrics = [draw.choice((1.0, 0.01, -1e-4)) * draw.uniform(-1, 1) for _ in range(14)]
        for at in draw.sample(range(1, 14), 3):
            metrics[at] = draw.choice((0.0, -0.0, metrics[at - 1], math.nan, math.inf, -math.inf, 1e300))
        given: dict[str, Any] = {
            "factor": draw.uniform(0.1, 0.9),
            "patience": draw.randrange(7),
            "threshold": draw.choice((0.0, 1e-4, draw.uniform(0, 0.5))),
            "cooldown": draw.randrange(3),
            "min_lr": draw.choice((0.0, 0.05)),
            "eps": draw.choice((1e-8, 0.01)),
        }
        optimizer.param_groups[0]["lr"] = 0.3
        scheduler = make("ReduceLROnPlateau", optimizer, mode=mode, threshold_mode=threshold_mode, **given)
        lrs = []
        for metric in metrics:
            lrs.append(rates(optimizer)[0])
            scheduler.step(metric)
        expected = ReduceLROnPlateau(tuple(metrics), mode, threshold_mode=threshold_mode, **given).trace(14, 0.3)
        assert lrs == expected.tolist(), (metrics, given)
        reduced += lrs[-1] < 0.3
    assert 0 < reduced < LISTS  # both outcomes are tested


NUMBERS = (
    *(3, True, Fraction(1, 4), np.float32(0.1), np.int64(-2), np.array(0.5)),
    *(torch.tensor(3.0), torch.tensor([2.0]), torch.tensor(2), torch.tensor(0.1, dtype=torch.float16)),
)


@pytest.mark.parametrize("metric", NUMBERS, ids=lambda m: f"{type(m).__name__}-{m}")
def test_metrics_may_be_anything_with_a_float(metric: Any) -> None:
    """Numbers of Python and NumPy, and tensors and arrays of one element, are taken by value and kept as a float."""
    scheduler = plateau()
    scheduler.step(metric)
    assert type(scheduler.best) is float
    assert scheduler.best == metric


@pytest.mark.parametrize("metric", [None, [1.0], 1j, torch.ones(2)], ids=str)
def test_a_value_without_a_float_is_refused(metric: Any) -> None:
    """What float() refuses raises, and the scheduler stays as it was."""
    scheduler = plateau(patience=0)
    scheduler.step(1.0)
    before = scheduler.state_dict()
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        scheduler.step(metric)
    assert scheduler.state_dict() == before


def test_an_epoch_may_be_given() -> None:
    """step(metric, epoch) sets last_epoch; later steps without an epoch count from there."""
    scheduler = plateau()
    scheduler.step(1.0)
    assert scheduler.last_epoch == 1
    with pytest.warns(UserWarning, match="epoch parameter"):
        scheduler.step(1.0, 7)
    assert scheduler.last_epoch == 7
    scheduler.step(1.0)
    assert scheduler.last_epoch == 8
