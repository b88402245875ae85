"""Normalised queries and keys: in the plain model, in the batched pass, and in what both record."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor, nn

import reference as ref
from bench.tests.toy_models import ODD, one_thread
from bench.toy.batched.batched import Batched
from bench.toy.batched.forward import Pass
from bench.toy.batched.layers import Model
from bench.toy.batched.parameters import Layout, drawing, initial, row_of
from bench.toy.config import Config, named
from bench.toy.model import NormedAttention, ToyTransformer, build
from bench.toy.plain import token_loss, train
from bench.toy.rates import grid
from bench.toy.task import Task
from bench.watch.attention import AttentionLogits

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

#: As in `test_toy_model`, times what a norm can add: eps bounds the factor 1/√(variance + eps) by 316.
SAME = 316e-12
#: As in `test_optimizers`: two ways to round the same few steps.
EXACT = 1e-12
STEPS = 12
SCHEDULE = ref.parse("linear4+cosine8")
CONFIGS = {
    "post": named("small16", qk_norm=True),
    "pre": named("small16", qk_norm=True, norm_first=True),
    "wide": named("small32", qk_norm=True, heads=2, layers=1),  # more features per head than are added one by one
    "odd": dataclasses.replace(ODD, qk_norm=True),
}


def scaled(model: ToyTransformer) -> ToyTransformer:
    """The model with scales of its norms that are not 1, and differ."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "q_norm" in name or "k_norm" in name:
                value.copy_(1 + torch.rand(value.shape, generator=generator, dtype=torch.float64))
    return model


def finished(config: Config, replicas: list[int], **options) -> Batched:  # type: ignore[no-untyped-def]
    """Replicas of one family (k determines LR and seed), after their last step."""
    rates = grid([SCHEDULE] * len(replicas), [1e-3 * (1 + k) for k in replicas], STEPS)
    runs = Batched(config, rates, [k % 5 for k in replicas], **options)
    runs.run()
    return runs


def test_norm_is_of_each_head() -> None:
    """The module's attention is the softmax of products of heads with mean 0 and variance 1, times their scales."""
    torch.manual_seed(0)
    module = NormedAttention(nn.MultiheadAttention(8, 2, batch_first=True)).double()
    x, memory = torch.randn(3, 4, 8, dtype=torch.float64), torch.randn(3, 5, 8, dtype=torch.float64)
    with torch.no_grad():
        module.q_norm.weight.mul_(3)
        ours = module(x, memory, memory)[0]
        weight, bias = module.in_proj_weight, module.in_proj_bias
        heads = []
        for h in (slice(0, 4), slice(4, 8)):
            q, k, v = (y @ weight[i : i + 8][h].T + bias[i : i + 8][h] for i, y in ((0, x), (8, memory), (16, memory)))
            q, k = (
                (y - y.mean(2, keepdim=True)) / (y.var(2, correction=0, keepdim=True) + 1e-5).sqrt() for y in (q, k)
            )
            heads.append((3 * q @ k.mT / 2).softmax(2) @ v)
        torch.testing.assert_close(ours, module.out_proj(torch.cat(heads, 2)), rtol=SAME, atol=SAME)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_gradients_are_autograds(config: Config) -> None:
    """Loss and the gradient of every parameter agree, the scales included, for two replicas."""
    pairs = Task.make(config.limit, config.validation_share, 0).pairs
    chosen = torch.tensor([[3, 14, 115, 92], [65, 35, 89, 79]])
    models = [scaled(build(config, seed, torch.float64)) for seed in (0, 1)]
    rows = torch.stack([row_of(model) for model in models])
    views = Layout.of(models[0]).views(rows)
    ours = {name: torch.full_like(view, torch.nan) for name, view in views.items()}
    batched = Pass(config, models[0].positions, Model(views, ours), pairs.take(chosen))
    batched.backward()
    for k, model in enumerate(models):
        batch = pairs.take(chosen[k])
        loss = token_loss(model(batch.source, batch.target_in), batch.target_out)
        theirs = torch.autograd.grad(loss, list(model.parameters()))
        torch.testing.assert_close(batched.losses[k], loss, rtol=SAME, atol=0)
        for name, gradient in zip(views, theirs, strict=True):
            torch.testing.assert_close(ours[name][k], gradient, rtol=SAME, atol=SAME)


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_replica_is_the_plain_run(norm_first: bool) -> None:
    """Losses and validation of a float64 run agree with the plain trainer's, and differ from those without norms."""
    config = named("small16", qk_norm=True, norm_first=norm_first)
    runs = finished(config, [2, 0], dtype=torch.float64)
    plain = train(config, SCHEDULE, steps=STEPS, seed=2, base_lr=3e-3, dtype=torch.float64)
    assert runs.losses[0].tolist() == pytest.approx(plain.losses, rel=EXACT, abs=0)
    assert runs.evaluate()[0].item() == pytest.approx(plain.validation[STEPS], rel=EXACT, abs=0)
    other = finished(dataclasses.replace(config, qk_norm=False), [2], dtype=torch.float64)
    assert float((runs.losses[0] - other.losses[0]).abs().min()) > 1e-6


@pytest.mark.parametrize("norm_first", [False, True])
def test_evaluation_normalises(norm_first: bool) -> None:
    """A model in evaluation without gradients gives the logits that it gives in training."""
    config = named("small16", qk_norm=True, norm_first=norm_first)
    model, pairs = scaled(build(config, 0, torch.float64)), Task.make(1000, 0.1, 0).pairs
    logits = model(pairs.source, pairs.target_in)
    model.eval()
    with torch.no_grad():
        torch.testing.assert_close(model(pairs.source, pairs.target_in), logits, rtol=SAME, atol=SAME)


def test_weights_are_those_without_norms() -> None:
    """A seed draws the same weights with and without norms; the scales are 1; many seeds are drawn in bulk."""
    for config in CONFIGS.values():
        without = dict(build(dataclasses.replace(config, qk_norm=False), 3).named_parameters())
        for name, value in build(config, 3).named_parameters():
            assert torch.equal(value, without[name] if name in without else torch.ones_like(value))
        assert drawing(config) is not None
        assert torch.equal(initial(config, [3, 8]), torch.stack([row_of(build(config, seed)) for seed in (3, 8)]))


@pytest.mark.parametrize("name", ["post", "wide", "odd"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_replica_ignores_its_neighbours(name: str, dtype: torch.dtype) -> None:
    """A replica has the same bits alone, at any position among others, and on several threads."""
    alone, many = finished(CONFIGS[name], [7], dtype=dtype), finished(CONFIGS[name], list(range(20)), dtype=dtype)
    assert torch.equal(alone.parameters[0], many.parameters[7])
    shared = finished(CONFIGS[name], [1, 7, 3], dtype=dtype, threads=2)
    assert torch.equal(alone.parameters[0], shared.parameters[1])
    assert torch.equal(alone.evaluate()[0], many.evaluate()[7])


def test_traced_pass_is_the_pass() -> None:
    """The pass as traced by the compiler as one graph gives the same run up to rounding."""
    config = CONFIGS["odd"]
    plain, runs = (
        finished(config, [0, 1, 2], dtype=torch.float64),
        Batched(config, grid([SCHEDULE] * 3, [1e-3, 2e-3, 3e-3], STEPS), [0, 1, 2], dtype=torch.float64, compiled=True),
    )
    assert runs.compiled is not None
    runs.compiled.function = torch.compile(runs.compiled.traced, dynamic=False, fullgraph=True, backend="eager")
    runs.run()
    torch.testing.assert_close(runs.losses, plain.losses, rtol=EXACT, atol=0)


def test_logits_are_recorded_after_the_norm() -> None:
    """The first step's largest logit is the one that torch's attention computes, and is at most √c with scales of 1."""
    config = CONFIGS["post"]
    runs = finished(config, [0], dtype=torch.float64, instruments=True)
    batch = runs.pairs.take(runs.orders[0, 0])
    listener = AttentionLogits()
    listener.open()
    try:
        build(config, 0, torch.float64)(batch.source, batch.target_in)
        seen = listener.take()
    finally:
        listener.close()
    assert isinstance(seen, Tensor)
    largest = runs.attention_logits[0, 0].item()
    assert largest <= math.sqrt(config.d_model // config.heads)
    assert largest >= float(seen) * (1 - 1e-6)  # in float32, over the visible keys only
    assert largest > 1.5


def test_one_feature_per_head_is_refused() -> None:
    """The norm of a single feature is always 0."""
    with pytest.raises(ValueError, match=r"^heads=16 must be < d_model=16 with qk_norm: one feature has no norm$"):
        named("small16", qk_norm=True, heads=16)
