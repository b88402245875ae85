"""The stability numbers tracked by asv: finite, above 0, identical in every run, and correct."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from bench.asv_benchmarks.stability import Stability
from bench.tests.toy_models import ODD, one_thread
from bench.toy.batched.stability import FULL, QUICK, Numbers, Profile, Runs, numbers_of, train
from bench.toy.plain import train as train_alone
from bench.toy.promised import TRACKED, WARMUP_STEPS, by_reference
from bench.toy.rules import effective

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

#: The last LR makes every run overflow float32.
HARSH = Profile(2, (1e-3, 1e-2, 1e30), "test")
MILD = Profile(2, (1e-3, 1e-2), "test")
STEPS = 6
NAMES = ["lr_sensitivity", "lr_sensitivity_error", "inverse_edge", "inverse_edge_error", "early_loss", "steps_off"]


def numbers(profile: Profile, threads: int = 2, redraw: int | None = None) -> dict[str, Numbers]:
    """The numbers of every tracked warmup in a tiny grid."""
    factors = {warmup: by_reference(warmup, 2, STEPS, 1.0) for warmup in TRACKED}
    runs = train(ODD, factors, profile, threads, redraw)
    return {warmup: numbers_of(runs[warmup], warmup, profile, 2, STEPS) for warmup in TRACKED}


def runs_of(losses: np.ndarray, initial: np.ndarray, profile: Profile) -> Runs:
    """Runs with these losses, under the promised LRs."""
    lrs = by_reference("linear", 2, STEPS, 1.0) * np.array(profile.lrs)[:, None]
    return Runs(losses, initial, initial, np.broadcast_to(lrs, (len(losses), *lrs.shape)))


@pytest.fixture(scope="module")
def twice() -> list[dict[str, Numbers]]:
    """The numbers of a tiny grid, measured twice: on one core and on two."""
    return [numbers(HARSH, threads) for threads in (1, 2)]


def test_two_runs_give_the_same_bits(twice: list[dict[str, Numbers]]) -> None:
    """The numbers are identical in every run, on any number of cores."""
    assert twice[0] == twice[1]


def test_numbers_are_finite_and_positive(twice: list[dict[str, Numbers]]) -> None:
    """Numbers are finite and above 0 even where runs overflow or none learns the task; no LR is off."""
    assert list(twice[0]) == list(TRACKED)
    for row in twice[0].values():
        assert list(row) == NAMES
        assert all(math.isfinite(number) and number > 0 for number in row.values())
        assert row["steps_off"] == 1


def test_numbers_are_those_of_plain_runs() -> None:
    """Each run of the grid matches the plain run with its LR and seed: the same losses, in the same place."""
    schedule = effective("cosine", ODD, 2, STEPS)
    runs = [[train_alone(ODD, schedule, steps=STEPS, seed=seed, base_lr=lr) for lr in MILD.lrs] for seed in range(2)]
    losses = np.array([[run.validation[STEPS] for run in row] for row in runs])
    early = np.mean([row[0].losses[-1] for row in runs])
    row = numbers(MILD)["cosine"]
    # Losses are near 2 in float32, after a few steps.
    assert row["lr_sensitivity"] == pytest.approx((losses.mean(1) - losses.min(1)).mean(), rel=1e-4)
    assert row["early_loss"] == pytest.approx(early, rel=1e-5)


def test_redrawn_rounding_changes_the_last_bits_alone() -> None:
    """Moving the weights by a unit in the last place changes a number, by no more than some roundings."""
    first, other = (numbers(MILD, redraw=redraw)["linear"]["early_loss"] for redraw in (0, 1))
    assert first != other
    assert first == pytest.approx(other, rel=1e-5)


def test_every_benchmark_reads_its_number(twice: list[dict[str, Numbers]]) -> None:
    """Each benchmark returns the number it is named after, for each warmup; asv knows its unit and profile."""
    benchmark = Stability()
    assert [name for name in dir(benchmark) if name.startswith("track_")] == sorted(f"track_{name}" for name in NAMES)
    for name in NAMES:
        track = getattr(benchmark, f"track_{name}")
        assert [track(twice[0], warmup) for warmup in TRACKED] == [twice[0][warmup][name] for warmup in TRACKED]
        assert track.unit
        assert track.version == FULL.version
    assert Stability.params[0] == list(TRACKED)


def test_numbers_of_known_losses() -> None:
    """Two seeds, three LRs, computed by hand: the losses cross 0.5 nats at 10^-1.5 and beyond the grid's end."""
    profile = Profile(2, (1e-3, 1e-2, 1e-1), "test")
    losses = np.array([[0.02, 0.25, 1.0], [0.8, 0.06, 0.04]])
    row = numbers_of(runs_of(losses, np.array([3.0, 2.0]), profile), "linear", profile, 2, STEPS)
    assert row["inverse_edge"] == pytest.approx(10**1.25)
    assert row["inverse_edge_error"] == pytest.approx(1 + math.log(10) / 4)
    first, second = 1.27 / 3 - 0.02, 0.9 / 3 - 0.04
    assert row["lr_sensitivity"] == pytest.approx((first + second) / 2)
    assert row["lr_sensitivity_error"] == pytest.approx(1 + abs(first - second) / (first + second))


def test_nothing_learned_counts_as_untrained() -> None:
    """If every run fails, the numbers are the worst possible: the untrained loss, and an LR below the grid."""
    profile = Profile(2, (1e-2, 1e-1), "test")
    losses = np.array([[np.nan, np.inf], [5.0, 2.5]])
    row = numbers_of(runs_of(losses, np.array([3.0, 2.0]), profile), "linear", profile, 2, STEPS)
    assert row["lr_sensitivity"] == 2.5
    assert row["inverse_edge"] == pytest.approx(1e3)


def test_perfect_runs_stay_above_zero() -> None:
    """Numbers stay above 0 even if every loss is 0, as asv compares ratios."""
    profile = Profile(2, (1e-2, 1e-1), "test")
    row = numbers_of(runs_of(np.zeros((2, 2)), np.array([3.0, 3.0]), profile), "linear", profile, 2, STEPS)
    assert min(row.values()) > 0
    assert row["inverse_edge"] == pytest.approx(10)


def test_wrong_lr_in_one_run_is_counted() -> None:
    """A single step of a single run with another LR makes the count 2."""
    runs = runs_of(np.ones((2, 2)), np.ones(2), MILD)
    lrs = runs.lrs.copy()
    lrs[1, 0, 3] *= 1.001
    assert numbers_of(dataclasses.replace(runs, lrs=lrs), "linear", MILD, 2, STEPS)["steps_off"] == 2


def test_grids_are_in_equal_ratios_about_the_edge() -> None:
    """The LRs are in equal ratios, as LR sensitivity is a mean over them, from a quarter to four times the middle."""
    for profile in (FULL, QUICK):
        ratios = np.diff(np.log(profile.lrs))
        assert ratios == pytest.approx(ratios[0])
        middle = profile.lrs[len(profile.lrs) // 2]
        assert (profile.lrs[0] / middle, profile.lrs[-1] / middle) == pytest.approx((0.25, 4.0))
    assert (FULL.seeds >= 10, WARMUP_STEPS) == (True, 20)
