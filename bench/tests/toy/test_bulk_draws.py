"""Weights and batches of many seeds are drawn in bulk, to the last bit those of one seed after another."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.tests.toy_models import ODD
from bench.toy.batched import parameters
from bench.toy.batched.batched import Batched
from bench.toy.batched.layers import Model
from bench.toy.batched.parameters import drawing, initial, row_of
from bench.toy.config import Config, named
from bench.toy.model import build
from bench.toy.task import Task, batch_order, batch_orders, steps_per_epoch

SEEDS = [3, 70, 3, 0, 2**40]


@pytest.mark.parametrize(
    "config", [named("small16"), named("small16", norm_first=True), ODD], ids=["post", "pre", "odd"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_bulk_weights_are_those_of_the_models(config: Config, dtype: torch.dtype) -> None:
    """Every row has the bits of the model that its seed builds, in the order of the seeds."""
    assert drawing(config) is not None  # else the models would be built, which proves nothing
    rows = initial(config, SEEDS, dtype)
    assert rows.dtype == dtype
    assert torch.equal(rows, torch.stack([row_of(build(config, seed, dtype)) for seed in SEEDS]))
    assert not torch.equal(rows[0], rows[1])


@pytest.mark.parametrize("joined", [True, False])
def test_both_ways_to_draw_are_right(joined: bool) -> None:
    """A call for each draw and one for many have the same bits, over more rows than are drawn at once."""
    recipe = drawing(ODD)
    assert recipe is not None
    if joined and not recipe.joined:
        pytest.skip("joined draws must have the same bits: this torch rounds twice")
    seeds = range(parameters.AT_ONCE + 3)
    rows = dataclasses.replace(recipe, joined=joined).rows(parameters.Layout.of(build(ODD, 0)), seeds)
    assert torch.equal(rows, torch.stack([row_of(build(ODD, seed)) for seed in seeds]))


def test_global_generator_is_left_alone() -> None:
    """Drawing the rows takes no number from torch's own generator."""
    before = torch.random.get_rng_state()
    initial(ODD, SEEDS)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_number_of_models_built_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many seeds there are, a fixed number of models is built."""
    built: list[int] = []

    def counting(*args: Any) -> nn.Module:
        built.append(1)
        return build(*args)

    monkeypatch.setattr(parameters, "build", counting)
    counts = []
    for seeds in (range(2), range(50)):
        built.clear()
        initial(ODD, seeds)
        counts.append(len(built))
    assert counts[0] == counts[1] <= 3


class Halved(nn.Module):
    """A model whose initial weights are not the drawn numbers themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4).uniform_(-1, 1) / 2)


class Shuffled(nn.Module):
    """A model that also draws numbers in a way that the marker does not see."""

    def __init__(self) -> None:
        super().__init__()
        torch.randperm(5)
        self.weight = nn.Parameter(torch.empty(4).uniform_(-1, 1))


@pytest.mark.parametrize("model", [Halved, Shuffled])
def test_unknown_ways_to_draw_are_built(model: type[nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the draws do not explain the weights, the models are built: the rows are right all the same."""

    def seeded_build(config: Config, seed: int, dtype: torch.dtype = torch.float32) -> nn.Module:
        torch.manual_seed(seed)
        return model()

    monkeypatch.setattr(parameters, "build", seeded_build)
    monkeypatch.setattr(parameters, "drawing", drawing.__wrapped__)
    with torch.random.fork_rng(devices=[]):
        assert drawing.__wrapped__(ODD) is None
        rows = initial(ODD, SEEDS)
        assert torch.equal(rows, torch.stack([row_of(seeded_build(ODD, seed)) for seed in SEEDS]))


def permuted(numbers: Tensor, batch_size: int, steps: int, seed: int) -> Tensor:
    """The batches of one seed, epoch by epoch: the definition."""
    generator = torch.Generator().manual_seed(seed)
    length = steps_per_epoch(len(numbers), batch_size)
    epochs: list[Tensor] = []
    while len(epochs) * length < steps:
        epochs.append(numbers[torch.randperm(len(numbers), generator=generator)[: length * batch_size]])
    return torch.cat(epochs).view(-1, batch_size)[:steps]


@pytest.mark.parametrize(("limit", "batch_size", "steps"), [(1000, 32, 61), (12, 5, 7), (12, 5, 2)])
def test_bulk_batches_are_those_of_each_seed(limit: int, batch_size: int, steps: int) -> None:
    """Batches over several epochs, with a last one that is incomplete, are those of one seed after another."""
    numbers = Task.make(limit, 0.2, 0).train
    orders = batch_orders(numbers, batch_size, steps, SEEDS)
    assert torch.equal(orders, torch.stack([permuted(numbers, batch_size, steps, seed) for seed in SEEDS]))
    assert torch.equal(batch_order(numbers, batch_size, steps, 70), orders[1])


def test_no_steps_no_batches() -> None:
    """A schedule of no steps has no batches."""
    assert batch_orders(torch.arange(10), 5, 0, [0, 1]).shape == (2, 0, 5)


def test_compiled_function_has_no_slice_as_default() -> None:
    """torch 2.11 refuses to trace a function with a slice among its defaults."""
    defaults = [item for function in vars(Model).values() for item in getattr(function, "__defaults__", None) or ()]
    assert defaults
    assert not [item for item in defaults if isinstance(item, slice)]


def test_replicas_have_their_seeds_batches() -> None:
    """Replicas that share a seed share its batches, whatever the order of the seeds."""
    runs = Batched(ODD, torch.zeros(5, 3), SEEDS)
    assert runs.order_of.tolist() == [0, 1, 0, 2, 3]
    numbers = Task.make(ODD.limit, ODD.validation_share, 0).train
    expected = torch.stack([permuted(numbers, 5, 3, seed) for seed in SEEDS])
    assert torch.equal(runs.orders[runs.order_of][:, :, :5], expected)
