"""The stability numbers tracked by asv: finite, above 0, identical in every run, and correct."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.asv_benchmarks.stability import LRS, WARMUP_STEPS, Stability, measure, numbers_of
from bench.tests.toy_models import ODD, one_thread
from bench.toy.plain import train
from bench.toy.rules import WARMUPS, effective

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

#: The last LR makes every run overflow float32.
HARSH = (1e-3, 1e-2, 1e30)
NAMES = ["lr_sensitivity", "failed_share", "inverse_max_stable_lr", "loss"]


@pytest.fixture(scope="module")
def twice() -> list[dict[str, dict[str, float]]]:
    """The numbers of a tiny grid, measured twice."""
    return [measure(ODD, WARMUPS, HARSH, seeds=2, warmup_steps=2, total_steps=6) for _ in range(2)]


def test_two_runs_give_the_same_bits(twice: list[dict[str, dict[str, float]]]) -> None:
    """The numbers are identical in every run."""
    assert twice[0] == twice[1]


def test_numbers_are_finite_and_positive(twice: list[dict[str, dict[str, float]]]) -> None:
    """Numbers are finite and above 0 even where runs overflow or none learns the task."""
    assert list(twice[0]) == list(WARMUPS)
    for numbers in twice[0].values():
        assert list(numbers) == NAMES
        assert all(math.isfinite(number) and number > 0 for number in numbers.values())


def test_numbers_are_those_of_plain_runs() -> None:
    """Each run of the grid matches the plain run with its LR and seed: the same losses, in the same place."""
    lrs, steps, schedule = (1e-3, 1e-2), 6, effective("cosine", ODD, 2, 6)
    runs = [[train(ODD, schedule, steps=steps, seed=seed, base_lr=lr) for lr in lrs] for seed in range(2)]
    losses = np.array([[run.validation[steps] for run in row] for row in runs])
    numbers = measure(ODD, ["none", "cosine"], lrs, 2, 2, steps)["cosine"]
    # Losses are near 2 in float32, after a few steps.
    assert numbers["loss"] == pytest.approx(losses.min(1).mean(), rel=1e-5)
    assert numbers["lr_sensitivity"] == pytest.approx((losses.mean(1) - losses.min(1)).mean(), rel=1e-4)


def test_every_benchmark_reads_its_number(twice: list[dict[str, dict[str, float]]]) -> None:
    """Each benchmark returns the number it is named after, for each warmup, and has a unit."""
    benchmark = Stability()
    for name in NAMES:
        track = getattr(benchmark, f"track_{name}")
        assert [track(twice[0], warmup) for warmup in WARMUPS] == [twice[0][warmup][name] for warmup in WARMUPS]
        assert track.unit
    assert Stability.params[0] == list(WARMUPS)


def test_numbers_of_known_losses() -> None:
    """Two seeds, three LRs, computed by hand: one run failed, and the seeds are stable up to 0.01 and 0.1."""
    losses = np.array([[0.5, 0.02, 2.5], [0.8, 0.06, 0.04]])
    numbers = numbers_of(losses, np.array([3.0, 2.0]), (1e-3, 1e-2, 1e-1))
    assert numbers["failed_share"] == 2 / 8
    assert numbers["loss"] == pytest.approx(0.03)
    assert numbers["inverse_max_stable_lr"] == pytest.approx(math.sqrt(100 * 10))
    assert numbers["lr_sensitivity"] == pytest.approx(((3.02 / 3 - 0.02) + (0.9 / 3 - 0.04)) / 2)


def test_nothing_learned_counts_as_untrained() -> None:
    """If every run fails, the numbers are the worst possible: the untrained loss, and an LR below the grid."""
    losses = np.array([[np.nan, np.inf], [5.0, 2.5]])
    numbers = numbers_of(losses, np.array([3.0, 2.0]), (1e-2, 1e-1))
    assert numbers["loss"] == numbers["lr_sensitivity"] == 2.5
    assert numbers["inverse_max_stable_lr"] == pytest.approx(1e3)
    assert numbers["failed_share"] == (2 + 1) / (4 + 2)


def test_perfect_runs_stay_above_zero() -> None:
    """Numbers stay above 0 even if every loss is 0, as asv compares ratios."""
    numbers = numbers_of(np.zeros((1, 2)), np.array([3.0]), (1e-2, 1e-1))
    assert min(numbers.values()) > 0
    assert numbers["inverse_max_stable_lr"] == pytest.approx(10)


def test_grid_is_in_equal_ratios() -> None:
    """The LRs are in equal ratios, as LR sensitivity is a mean over them; the warmup is a tenth of the run."""
    ratios = np.diff(np.log(LRS))
    assert ratios == pytest.approx(math.log(10) / 4)
    assert (round(LRS[0], 4), round(LRS[-1], 2), WARMUP_STEPS) == (0.0056, 0.18, 20)
