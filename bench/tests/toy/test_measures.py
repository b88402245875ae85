"""The measures of stability: each formula on losses whose answer can be computed by hand."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from bench.toy import measures

NAN, INF = math.nan, math.inf
LRS = [1e-4, 1e-3, 1e-2, 1e-1]
#: A few operations on numbers near 1.
ROUNDING = 1e-14


def test_sensitivity_is_the_mean_excess_over_the_best_loss() -> None:
    """Losses above the initial one and losses that are not finite count as the initial one."""
    losses = [[0.5, 0.25, 1.0, 0.25], [2.0, 1.0, 7.0, NAN], [INF, -INF, 4.0, 3.0]]
    sensitivities = measures.lr_sensitivity(losses, [3.0, 3.0, 4.0])
    assert sensitivities.tolist() == [(0.25 + 0.75) / 4, (1 + 0 + 2 + 2) / 4, 0.75]


def test_sensitivity_of_equal_losses_is_zero() -> None:
    """A model that trains equally well at every LR has sensitivity 0, and so has one that never trains."""
    assert measures.lr_sensitivity([[0.3] * 4, [NAN] * 4], 2.0).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("initial", [2.0, np.full((5, 3), 2.0)], ids=["one", "each"])
def test_sensitivity_keeps_the_leading_axes(initial: float) -> None:
    """There may be one initial loss or one per curve, and any axes before the LRs."""
    losses = np.linspace(0.1, 1.0, 60).reshape(5, 3, 4)
    expected = [[np.mean(row) - min(row) for row in block] for block in losses.tolist()]
    assert measures.lr_sensitivity(losses, initial) == pytest.approx(np.array(expected), rel=ROUNDING)


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([2.0, 0.1, 0.01, 2.0], [False, False, False, True]),  # too slow at the low end, broken at the high end
        ([0.01, 1.0, 1.0001, 0.5], [False, False, True, False]),  # a loss at the limit is not a failure
        ([2.0, 0.1, NAN, INF], [False, False, True, True]),
        ([NAN, 0.1, 0.2, 0.3], [True, False, False, False]),  # not finite fails at any LR
        ([NAN, INF, NAN, -INF], [True] * 4),
        ([1.5, 2.5, 2.0, 2.2], [False, True, True, True]),  # the best run is never called failed for its loss
    ],
)
def test_failed_runs(losses: list[float], expected: list[bool]) -> None:
    """A run failed if it is not finite, or above the limit at an LR above the best."""
    assert measures.failed(losses, LRS).tolist() == expected
    order = [2, 0, 3, 1]  # the LRs may come in any order
    shuffled = measures.failed([losses[i] for i in order], [LRS[i] for i in order])
    assert shuffled.tolist() == [expected[i] for i in order]


def test_failure_is_judged_curve_by_curve() -> None:
    """Each curve is compared with its own best LR."""
    flags = measures.failed([[0.1, 2.0, 2.0, 2.0], [2.0, 2.0, 0.1, 2.0]], LRS)
    assert flags.tolist() == [[False, True, True, True], [False, False, False, True]]


def test_stable_runs_and_their_largest_lr() -> None:
    """A run is stable below the limit; the largest such LR counts, 0 if there is none."""
    losses = [[0.05, 0.1, 0.05, 2.0], [NAN, 0.1, 0.2, 0.3]]
    assert measures.stable(losses).tolist() == [[True, False, True, False], [False] * 4]
    assert measures.max_stable_lr(losses, LRS).tolist() == [1e-2, 0.0]
    assert measures.max_stable_lr(losses, LRS, limit=0.25).tolist() == [1e-2, 1e-2]


@pytest.mark.parametrize(("count", "total"), [(0, 10), (1, 10), (5, 10), (10, 10), (0, 1), (37, 200)])
def test_wilson_interval_inverts_the_score_test(count: int, total: int) -> None:
    """At each inner end p of the interval the observed share is z standard errors √(p(1−p)/n) away."""
    value, low, high = measures.share([True] * count + [False] * (total - count))
    z = float(mpmath.sqrt(2) * mpmath.erfinv(0.95))
    assert value == count / total
    assert 0 <= low <= value <= high <= 1
    for end in (low, high):
        error = math.sqrt(end * (1 - end) / total)
        assert abs(value - end) == pytest.approx(z * error, rel=1e-9, abs=1e-12)


def test_mean_has_students_interval() -> None:
    """The half-width is t·s/√n; a single value has no interval."""
    values = [0.9, 1.1, 1.3, 0.7, 1.0]
    value, low, high = measures.mean(values)
    quantile = 2.776445105198  # of Student's t with 4 degrees of freedom at 0.975, as in any table
    half = quantile * math.sqrt(0.2 / 4) / math.sqrt(5)  # Σ(x−1)² = 0.2
    assert [value, high - value, value - low] == pytest.approx([1.0, half, half], rel=ROUNDING)
    alone = measures.mean([2.0])
    assert alone.value == 2.0
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    """For 2000 samples of 5 normal numbers about 95 % of the intervals contain the true mean."""
    drawn = np.random.default_rng(0).normal(size=(2000, 5))
    inside = [low <= 0 <= high for _, low, high in map(measures.mean, drawn)]
    assert abs(np.mean(inside) - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 2000)


def test_pairing_takes_the_seeds_out() -> None:
    """A constant difference has an interval of width 0, however far apart the seeds are."""
    seeds = np.array([1.0, 8.0, 64.0])
    value, low, high = measures.paired_difference(seeds + 0.5, seeds)
    assert (value, low, high) == (0.5, 0.5, 0.5)
    assert measures.paired_difference(seeds, seeds + 0.5).value == -0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: measures.lr_sensitivity([], 1.0), "losses=[0] must be [..., L], one or more for each curve"),
        (lambda: measures.lr_sensitivity(1.0, 1.0), "losses=[] must be [..., L], one or more for each curve"),
        (lambda: measures.lr_sensitivity([1.0], [INF]), "initial=inf must be finite"),
        (lambda: measures.failed([1.0, 2.0], [0.1]), "lrs=[1] must be as long as the last axis of losses=[2]"),
        (lambda: measures.max_stable_lr([1.0], []), "lrs=[0] must be as long as the last axis of losses=[1]"),
        (lambda: measures.share([]), "flags=float64 [0] must be bool, one or more"),
        (lambda: measures.share([0, 1]), "flags=int64 [2] must be bool, one or more"),
        (lambda: measures.share([True], confidence=1.0), "confidence=1.0 must be < 1"),
        (lambda: measures.mean([]), "values=[] must be finite numbers, one for each seed"),
        (lambda: measures.mean([1.0, NAN]), "values=[1.0, nan] must be finite numbers, one for each seed"),
        (
            lambda: measures.paired_difference([1.0], [1.0, 2.0]),
            "others=[2] must have the shape [1], one for each seed",
        ),
    ],
)
def test_bad_numbers_are_named(call, message: str) -> None:  # type: ignore[no-untyped-def]
    """A bad argument is refused with its name, its value and the rule."""
    with pytest.raises(ValueError, match="must") as raised:
        call()
    assert str(raised.value) == message


def test_edge_is_interpolated_in_log_loss_and_log_lr() -> None:
    """A power law ℓ = (LR/0.02)^3 is a line in logs: its crossing of any limit is exact, whatever the grid."""
    lrs = np.array([0.004, 0.011, 0.03, 0.2])
    for limit in (0.1, 0.5, 1.0):
        edge = measures.interpolated_edge((lrs / 0.02) ** 3, lrs, limit)
        assert float(edge) == pytest.approx(0.02 * limit ** (1 / 3), rel=ROUNDING)


def test_edge_outside_the_grid_and_after_a_loss_that_is_not_finite() -> None:
    """The last crossing counts; NaN and infinity are above every limit; a perfect loss is below."""
    losses = [
        [1.0, NAN, 1.0, 2.0],
        [0.0, 0.0, 0.0, 0.0],
        [0.1, INF, 9.0, 9.0],
        [0.1, 0.2, NAN, 0.3],
        [0.9, 0.1, 0.1, NAN],
    ]
    edges = measures.interpolated_edge(losses, LRS)
    assert edges == pytest.approx([1e-5, 1e-1, 1e-4, 1e-1, 1e-2])


@pytest.mark.parametrize("lrs", [[0.1], [0.2, 0.1]])
def test_edge_needs_an_ascending_grid(lrs: list[float]) -> None:
    """One LR, or LRs out of order, have no crossing."""
    with pytest.raises(ValueError, match="lrs="):
        measures.interpolated_edge([0.1] * len(lrs), lrs)
