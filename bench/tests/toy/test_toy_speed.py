"""The speed measurements of the batched trainer: matrix products, summary, profile."""

from __future__ import annotations

import pytest

from bench.tests.toy_models import ODD, one_thread
from bench.toy.batched.batched import Batched
from bench.toy.batched.profile import operations
from bench.toy.batched.speed import Speed, shapes
from bench.toy.config import Config, named
from bench.toy.model import build
from bench.toy.rates import grid
from reference import parse


@pytest.mark.parametrize("config", [named("small16"), ODD], ids=["small16", "odd"])
def test_products_are_those_of_the_model(config: Config) -> None:
    """The timed matrices have as many elements as the model's, except for the embedding."""
    model = build(config, seed=0)
    matrices = [value for name, value in model.named_parameters() if value.ndim == 2 and name != "embedding.weight"]
    assert sum(i * o for _, i, o in shapes(config)) == sum(matrix.numel() for matrix in matrices)


def test_summary_pairs_the_rounds() -> None:
    """The ratio is the median over rounds of the ratios within a round, not a ratio of medians."""
    speed = Speed(4, 2, 0.0, plain=[1.0, 10.0, 4.0], batched=[8.0, 20.0, 12.0], products=[30.0, 40.0, 20.0], cores=1.0)
    expected = {"ratio": 3.0, "ratio_min": 2.0, "ratio_max": 8.0, "ratio_of_best": 2.0, "floor_ratio": 4.0}
    assert speed.summary() == expected


@pytest.mark.usefixtures(one_thread.__name__)
def test_profile_contains_the_matrix_products() -> None:
    """The profile gives each operation's time by name, including matrix products and Adam's kernel."""
    runs = Batched(ODD, grid([parse("linear0+hold")] * 2, [1e-3] * 2, 2), [0, 1])
    profile = operations(runs, 2)
    assert all(seconds >= 0 for seconds in profile.values())
    assert list(profile.values()) == sorted(profile.values(), reverse=True)
    assert {"bmm", "_fused_adam_"} <= set(profile)
