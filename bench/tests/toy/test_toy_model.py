"""The toy model: its masks, its seeds, and its agreement with the batched pass."""

from __future__ import annotations

import pytest
import torch

from bench.tests.toy_models import ODD, one_thread
from bench.toy.batched.forward import Pass
from bench.toy.batched.layers import Model
from bench.toy.batched.parameters import Layout, initial, row_of, write
from bench.toy.config import Config, named
from bench.toy.model import ToyTransformer, build, positions
from bench.toy.plain import token_loss
from bench.toy.task import PAD, Task

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

#: Tolerance for sums of at most 64 products, about 20 layers deep, of numbers near 1 in float64.
SAME = 1e-12
CONFIGS = {
    "post": named("small16"),
    "pre": named("small16", norm_first=True),
    "wide": named("small32", heads=8, layers=1),
    "odd": ODD,
}
SEEDS = (0, 1, 7)


def pairs_of(config: Config):  # type: ignore[no-untyped-def]
    """Every number of the task."""
    return Task.make(config.limit, config.validation_share, config.split_seed).pairs


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_batched_pass_is_the_module(config: Config) -> None:
    """Log-probabilities for all numbers (all lengths, all masks) and three seeds agree with nn.Transformer's."""
    pairs = pairs_of(config)
    models = [build(config, seed, torch.float64) for seed in SEEDS]
    rows = initial(config, SEEDS, torch.float64)
    weights = Layout.of(models[0]).views(rows)
    repeated = pairs.take(torch.arange(config.limit).expand(len(SEEDS), -1))
    ours = Pass(config, models[0].positions, Model(weights, weights), repeated, trained=False).log_shares
    with torch.no_grad():
        shares = [model(pairs.source, pairs.target_in).log_softmax(2) for model in models]
    theirs = torch.stack([each.transpose(0, 1).flatten(0, 1) for each in shares])  # position before number
    torch.testing.assert_close(ours, theirs, rtol=SAME, atol=SAME)
    assert not torch.equal(ours[0], ours[1])


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_batched_gradients_are_the_modules(config: Config) -> None:
    """Loss and the gradient of every parameter agree, for two replicas with different batches."""
    pairs, chosen = pairs_of(config), torch.tensor([[3, 14, 115, 92], [65, 35, 89, 79]])
    models = [build(config, seed, torch.float64) for seed in (0, 1)]
    views = Layout.of(models[0]).views(initial(config, (0, 1), torch.float64))
    ours = {name: torch.full_like(view, torch.nan) for name, view in views.items()}
    batched = Pass(config, models[0].positions, Model(views, ours), pairs.take(chosen))
    losses = batched.losses
    batched.backward()
    for k, model in enumerate(models):
        batch = pairs.take(chosen[k])
        loss = token_loss(model(batch.source, batch.target_in), batch.target_out)
        theirs = torch.autograd.grad(loss, list(model.parameters()))
        torch.testing.assert_close(losses[k], loss, rtol=SAME, atol=0)
        for name, gradient in zip(views, theirs, strict=True):
            torch.testing.assert_close(ours[name][k], gradient, rtol=SAME, atol=SAME)


@pytest.mark.parametrize("norm_first", [False, True])
def test_future_is_hidden(norm_first: bool) -> None:
    """Changing a target token changes the logits at its position and later, and none before."""
    model = build(named("small16", norm_first=norm_first), 0, torch.float64)
    pairs = pairs_of(named("small16")).take(torch.tensor([123, 987]))
    for place in range(4):
        changed = pairs.target_in.clone()
        changed[:, place] += 1
        with torch.no_grad():
            moved = (model(pairs.source, changed) - model(pairs.source, pairs.target_in)).abs().amax((0, 2))
        assert bool((moved[:place] < SAME).all())
        assert moved[place:].min() > 1e-6


@pytest.mark.parametrize("norm_first", [False, True])
def test_padding_is_hidden(norm_first: bool) -> None:
    """The embedding of <pad> does not matter: no scored token attends to it."""
    model = build(named("small16", norm_first=norm_first), 0, torch.float64)
    pairs = pairs_of(named("small16")).take(torch.arange(0, 130))
    with torch.no_grad():
        before = model(pairs.source, pairs.target_in)
        model.embedding.weight[PAD] = 1e3 * torch.arange(16)
        after = model(pairs.source, pairs.target_in)
    scored = pairs.target_out != PAD
    torch.testing.assert_close(after[scored], before[scored], rtol=SAME, atol=SAME)
    read = pairs.target_in == PAD
    assert bool(read.any())
    assert (after - before)[read].abs().max() > 1e-3


def test_length_of_the_padding_does_not_matter() -> None:
    """A number has the same logits alone and in a batch with a longer number."""
    model = build(named("small16"), 0, torch.float64)
    pairs = pairs_of(named("small16")).take(torch.tensor([7, 123]))
    with torch.no_grad():
        padded = model(pairs.source, pairs.target_in)[0, :2]
        alone = model(pairs.source[:1, :1], pairs.target_in[:1, :2])[0]
    torch.testing.assert_close(alone, padded, rtol=SAME, atol=SAME)


def test_order_of_the_digits_matters() -> None:
    """Positions are encoded: the same digits in another order give different logits."""
    model = build(named("small16"), 0, torch.float64)
    pairs = pairs_of(named("small16")).take(torch.tensor([123, 321]))
    with torch.no_grad():
        logits = model(pairs.source, pairs.target_in[:1].expand(2, -1))
    assert (logits[0] - logits[1]).abs().max() > 1e-3


def test_positions_are_unit_circles() -> None:
    """Each pair of features is (sin, cos) of the position times 10000^(−2i/d)."""
    encoded = positions(5, 6)
    place = torch.arange(5, dtype=torch.float64)
    for i in range(3):
        angle = place / 10000 ** (2 * i / 6)
        torch.testing.assert_close(encoded[:, 2 * i], angle.sin(), rtol=SAME, atol=SAME)
        torch.testing.assert_close(encoded[:, 2 * i + 1], angle.cos(), rtol=SAME, atol=SAME)


def test_seed_draws_the_weights_and_nothing_else() -> None:
    """A seed gives the same model in every precision, and the caller's random state is untouched."""
    state = torch.get_rng_state()
    first = build(named("small16"), 5)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(row_of(build(named("small16"), 5)), row_of(first))
    assert torch.equal(row_of(build(named("small16"), 5, torch.float64)), row_of(first).double())
    assert not torch.equal(row_of(build(named("small16"), 6)), row_of(first))


def test_row_goes_back_into_a_model() -> None:
    """A row written into another model makes the models equal."""
    model, other = build(ODD, 1), build(ODD, 2)
    write(row_of(model), other)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_row_of_another_length_is_refused() -> None:
    """A row of the wrong length is refused, naming its length."""
    layout = Layout.of(ToyTransformer(ODD))
    with pytest.raises(ValueError, match=r"^P=3 must be \d+, the length of a row$"):
        layout.views(torch.zeros(2, 3))
