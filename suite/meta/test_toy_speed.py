"""What the speed of the batched trainer is measured against."""

from __future__ import annotations

import pytest

from bench.toy.config import Config, named
from bench.toy.model import build
from bench.toy.speed import Speed, shapes
from suite.meta.toy import ODD


@pytest.mark.parametrize("config", [named("small16"), ODD], ids=["small16", "odd"])
def test_products_are_those_of_the_model(config: Config) -> None:
    """The matrices whose products are timed have as many numbers as the model's, all but the embedding."""
    model = build(config, seed=0)
    matrices = [value for name, value in model.named_parameters() if value.ndim == 2 and name != "embedding.weight"]
    assert sum(i * o for _, i, o in shapes(config)) == sum(matrix.numel() for matrix in matrices)


def test_summary_pairs_the_rounds() -> None:
    """The ratio is the median over rounds of ratios within a round, not of rates of different rounds."""
    speed = Speed(4, 2, 0.0, plain=[1.0, 10.0, 4.0], batched=[8.0, 20.0, 12.0], products=[30.0, 40.0, 20.0], cores=1.0)
    expected = {"ratio": 3.0, "ratio_min": 2.0, "ratio_max": 8.0, "ratio_of_best": 2.0, "floor_ratio": 4.0}
    assert speed.summary() == expected
