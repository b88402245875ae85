"""The published settings, converted from epochs and fractions to steps."""

from __future__ import annotations

import math

import pytest

from reference.pair import WarmupDecay
from reference.recipes import RECIPES, Recipe
from reference.slug import parse
from reference.timed_decay import CosineDecay, LinearDecay
from reference.warmup import LinearWarmup

#: The tutorial's table (section 5): row → base LR, warmup, unit, min LR, decay.
TABLE = {
    "vit-small": ((1e-4, 3e-4), (0.05, 0.05), "fraction", 1e-6, "cosine"),
    "vit-imagenet": ((3e-3, 5e-3), (10, 20), "epochs", 1e-5, "cosine"),
    "vit-self-supervised": ((5e-4, 5e-4), (0.1, 0.1), "fraction", 1e-6, "cosine"),
    "vit-fine-tuning": ((1e-5, 5e-5), (0.02, 0.05), "fraction", 1e-7, "linear"),
}


@pytest.mark.parametrize("name", TABLE)
def test_rows_agree_with_the_tutorial(name: str) -> None:
    """Each recipe has the numbers of its row in the tutorial's settings table."""
    row = RECIPES[name]
    assert (row.base_lr, row.warmup, row.unit, row.min_lr, row.decay) == TABLE[name]


def test_there_are_four_rows_and_the_transformer() -> None:
    """The recipes are the table's four rows and the Transformer base model, each with its source."""
    assert set(RECIPES) == {*TABLE, "transformer-base"}
    assert all(recipe.name == name and recipe.source for name, recipe in RECIPES.items())


@pytest.mark.parametrize(
    ("name", "position", "steps"),
    [
        ("vit-small", 0, 250),  # 5 % of 100 epochs of 50 steps
        ("vit-imagenet", 0, 500),  # 10 epochs
        ("vit-imagenet", 1, 1000),  # 20 epochs
        ("vit-imagenet", 0.5, 750),
        ("vit-self-supervised", 0, 500),
        ("vit-fine-tuning", 0, 100),
        ("vit-fine-tuning", 1, 250),
    ],
)
@pytest.mark.parametrize("end", [0, 1])
def test_schedule_in_steps(name: str, position: float, steps: int, end: int) -> None:
    """100 epochs of 50 steps give the expected warmup, from 0 to the base LR, and a decay to min_lr."""
    recipe = RECIPES[name]
    schedule = recipe.schedule(100, 50, position)
    kind = LinearDecay if recipe.decay == "linear" else CosineDecay
    assert schedule == WarmupDecay(LinearWarmup(steps), kind(5000 - steps, min_lr=recipe.min_lr))
    base = recipe.base_lr[end]
    assert schedule([0, steps, 5000, 6000], base).tolist() == [0.0, base, recipe.min_lr, recipe.min_lr]
    assert parse(schedule.slug) == schedule


def test_transformer_base() -> None:
    """The base model peaks at (512·4000)^−½ at its 4000th step, of 100 000."""
    recipe = RECIPES["transformer-base"]
    values = recipe.schedule(10, 10_000).trace(recipe.total_steps)
    assert values.size == 100_000
    assert int(values.argmax()) == 3999
    assert values.max() == pytest.approx(1 / math.sqrt(512 * 4000), rel=1e-15, abs=0)


@pytest.mark.parametrize(
    ("epochs", "each", "steps"), [(1, 10, 1), (1, 9, 0), (1, 29, 1), (1, 30, 2), (100, 1251, 6255), (3, 7, 1)]
)
def test_fractions_round_half_up(epochs: int, each: int, steps: int) -> None:
    """5 % of the steps is rounded to the nearest integer, halves up: 0.5 → 1, 1.45 → 1, 1.5 → 2."""
    assert RECIPES["vit-small"].warmup_steps(epochs, each) == steps


def test_fractions_are_taken_as_decimals() -> None:
    """0.29 of 50 steps is 14.5 and rounds up to 15, although the product of the floats is less than 14.5."""
    recipe = Recipe("x", (1.0, 1.0), (0.29, 0.29), "fraction", 0.0, "cosine", "made for this test")
    assert 0.29 * 50 < 14.5
    assert recipe.warmup_steps(1, 50) == 15


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("vit-imagenet", (5, 50), "total_epochs=5 must be >= the warmup of vit-imagenet, 10 epochs"),
        (
            "transformer-base",
            (1, 100),
            "total_epochs=1 must be >= the warmup of transformer-base, 4000 steps",
        ),
        ("vit-small", (0, 50), "total_epochs=0 must be >= 1"),
        ("vit-small", (5, 0), "steps_per_epoch=0 must be >= 1"),
        ("vit-small", (5, 5, 1.5), "position=1.5 must be <= 1"),
    ],
)
def test_bad_lengths_say_why(name: str, arguments: tuple[int, ...], message: str) -> None:
    """A run that is empty or shorter than the warmup is rejected with name, value and rule."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole message is compared
        RECIPES[name].schedule(*arguments)
    assert str(caught.value) == message


def test_unknown_unit_and_decay_are_rejected() -> None:
    """A recipe with an unknown unit or decay is rejected at construction."""
    with pytest.raises(ValueError, match=r"^unit='weeks' must be one of fraction, epochs, steps$"):
        Recipe("x", (1.0, 1.0), (1, 1), "weeks", 0.0, "cosine", "made for this test")
    with pytest.raises(ValueError, match=r"^decay='step' must be one of cosine, linear, noam$"):
        Recipe("x", (1.0, 1.0), (1, 1), "steps", 0.0, "step", "made for this test")
