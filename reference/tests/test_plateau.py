"""ReduceLROnPlateau on metrics that a loss seldom takes: negative, zero, NaN, infinite; and at its limits."""

from __future__ import annotations

import math
import pickle
import zlib

import mpmath
import numpy as np
import pytest

from reference import ReduceLROnPlateau, parse
from reference.slug import SlugError
from reference.tests.exact import INF, NAN
from reference.tests.test_convention_accuracy import DIGITS
from reference.tests.twin_cycles import around_zero, plateau_rates

#: Half a unit in the last place of 1: the relative error of one rounding.
ULP = 2.0**-53
#: Mode, threshold mode, metrics, and whether each of them is an improvement; the threshold is 1/4.
IMPROVEMENTS: list[tuple[str, str, tuple[float, ...], str]] = [
    ("min", "rel", (4.0, 3.0, 2.9, 2.2, 2.1), "+-+-+"),
    ("max", "rel", (4.0, 5.0, 5.1, 6.3, 6.4), "+-+-+"),
    # Below 0 an equal or slightly worse metric is an improvement, and becomes the best: the bars are -3, -2.4, -1.875.
    ("min", "rel", (-4.0, -3.2, -2.5, -1.8, -1.8), "+++--"),
    ("min", "rel", (-4.0, -4.0, -4.0), "+++"),
    ("max", "rel", (-4.0, -4.8, -5.9, -7.4, -7.3), "+++-+"),
    ("min", "abs", (-4.0, -4.25, -4.3, -3.9), "+-+-"),
    ("max", "abs", (-4.0, -3.75, -3.7, -4.1), "+-+-"),
    # After a best of 0 the relative threshold is 0.
    ("min", "rel", (0.0, 0.0, -1e-300, 0.0, -1e-300), "+-+-+"),
    ("max", "rel", (0.0, -0.0, 1e-300, 0.0), "+-+-"),
    # From 1 to below 0: the bar goes from 0.75 to -0.375.
    ("min", "rel", (1.0, 0.5, -0.5, -0.4, -0.3), "++++-"),
    # NaN never improves; as the first metric it sets no baseline.
    ("min", "rel", (2.0, NAN, 1.9, 1.4, NAN), "+--+-"),
    ("max", "abs", (NAN, NAN, 1.0, 1.2, 1.3), "+-+-+"),
    ("min", "abs", (INF, INF, 5.0, 4.9, -INF, -INF, -1e300), "+-+-+--"),
    ("max", "rel", (-INF, -INF, -5.0, -7.0, INF, INF, 1e300), "+-+-+--"),
    ("min", "rel", (-INF, -INF, -1e300), "+--"),
    ("max", "rel", (1.0, -INF, INF), "+-+"),
]


@pytest.mark.parametrize(("mode", "threshold_mode", "metrics", "marks"), IMPROVEMENTS)
def test_which_metrics_improve(mode: str, threshold_mode: str, metrics: tuple[float, ...], marks: str) -> None:
    """Worked by hand from the formulas of the docstring; with patience 0 every other metric halves the LR."""
    twin = ReduceLROnPlateau(metrics, mode, 0.5, 0, 0.25, threshold_mode, eps=0.0)
    halved = np.diff(np.log2(twin.trace(len(metrics) + 1)))
    assert "".join("+" if step == 0 else "-" for step in halved) == marks


@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_random_lists_follow_the_docstring(mode: str, threshold_mode: str) -> None:
    """Short lists of both signs with 0, NaN and infinity agree with 50 digits."""
    draw = np.random.default_rng(zlib.crc32(f"{mode} {threshold_mode}".encode()))
    reductions = []
    with mpmath.workdps(DIGITS):
        for _ in range(100):
            metrics = draw.permutation(around_zero(draw, 40)[:24]).tolist()
            eps, threshold = float(draw.choice([1e-8, 0.01])), float(draw.uniform(0, 0.5))
            rest = (threshold, threshold_mode, int(draw.integers(0, 3)), float(draw.uniform(0, 0.05)), eps)
            twin = ReduceLROnPlateau(metrics, mode, float(draw.uniform(0.1, 0.9)), int(draw.integers(0, 3)), *rest)
            exact, counts = plateau_rates(twin, 0.3)
            assert twin.trace(25, 0.3) == pytest.approx([float(lr) for lr in exact], rel=24 * ULP, abs=0), twin
            reductions.append(counts[-1])
    assert min(reductions) < max(reductions)  # the lists must differ in what they make of the LR


@pytest.mark.parametrize(("eps", "lr"), [(math.nextafter(0.25, 1.0), 1.0), (0.25, 0.75), (0.0, 0.75)])
def test_a_reduction_smaller_than_eps_is_ignored(eps: float, lr: float) -> None:
    """The docstring says "smaller than eps", so a reduction by exactly eps is made."""
    assert ReduceLROnPlateau((1.0, 1.0), factor=0.75, patience=0, eps=eps)(2) == lr


def test_a_rate_below_min_lr_stays() -> None:
    """min_lr limits reductions and raises nothing."""
    assert ReduceLROnPlateau((1.0,) * 4, patience=0, min_lr=0.2).trace(5, 0.1).tolist() == [0.1] * 5


@pytest.mark.parametrize(
    ("slug", "metrics"),
    [
        ("reducelronplateau1p0r4", (1.0,) * 4),
        ("reducelronplateau1p0x1p0", (1.0, 1.0)),
        ("reducelronplateaunanr3xminfxm2p0", (NAN, NAN, NAN, -INF, -2.0)),
        ("reducelronplateauminfx1e300x1em300", (-INF, 1e300, 1e-300)),
        ("reducelronplateauinfxnan", (INF, NAN)),
        ("reducelronplateau", ()),
    ],
)
def test_metrics_in_slugs(slug: str, metrics: tuple[float, ...]) -> None:
    """A run of equal metrics is written once; NaN and infinity are words; slug, pickle and hash keep the schedule."""
    twin = ReduceLROnPlateau(metrics)
    assert twin.slug == slug
    for again in (parse(slug), pickle.loads(pickle.dumps(twin)), ReduceLROnPlateau(np.array(metrics).tolist())):
        assert again == twin
        assert hash(again) == hash(twin)


def test_a_run_without_a_count_is_refused() -> None:
    """The number after r must be an integer."""
    with pytest.raises(SlugError, match="'1p0r' must end with how often the number occurs, as in 1p0r4"):
        parse("reducelronplateau1p0r")
