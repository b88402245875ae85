"""The instruments of the batched trainer, compared with hooks on nn.Transformer."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import reference as ref
from bench.tests.toy_models import ODD, one_thread
from bench.toy.batched.batched import Batched
from bench.toy.batched.records import Peaks, first_at_or_below
from bench.toy.config import Config, named
from bench.toy.model import ToyTransformer, build
from bench.toy.optimizers import configured_optimizer
from bench.toy.plain import token_loss
from bench.toy.rates import grid
from bench.toy.task import PAD, Task, batch_order, encode

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures(one_thread.__name__)]  # compiles and trains

STEPS = 6
RISING = ref.parse("linear20+hold")
#: In float64 both sides differ by rounding only, which has not grown much after a few steps.
EXACT = 1e-12
RECORDS = ("losses", "attention_logits", "gradient_norms", "update_ratios")


def runs_of(config: Config, replicas: list[int], **options: Any) -> Batched:
    """Replicas of one family (k determines LR and seed), before their first step."""
    rates = grid([RISING] * len(replicas), [3e-3 * (1 + k) for k in replicas], STEPS)
    return Batched(config, rates, [k % 3 for k in replicas], **options)


def largest_logit(attention: nn.MultiheadAttention, query: Tensor, key: Tensor, pairs_of_tokens: Tensor) -> float:
    """max |q·k|/√(d/heads) over the given pairs of tokens, from the weights of torch's own module."""
    d, heads = attention.embed_dim, attention.num_heads
    weight, bias = attention.in_proj_weight.detach(), attention.in_proj_bias.detach()
    queries = (query @ weight[:d].T + bias[:d]).view(*query.shape[:2], heads, -1)
    keys = (key @ weight[d : 2 * d].T + bias[d : 2 * d]).view(*key.shape[:2], heads, -1)
    logits = torch.einsum("bqhc,bkhc->bhqk", queries, keys) / math.sqrt(d // heads)
    return float(logits.abs().masked_fill(~pairs_of_tokens[:, None], 0).max())


def watched_by_hooks(config: Config, replica: int) -> dict[str, list[float]]:
    """The same records for one run of nn.Transformer with torch's Adam, measured by hooks."""
    task = Task.make(config.limit, config.validation_share, config.split_seed)
    order = batch_order(task.train, config.batch_size, STEPS, replica % 3)
    model = build(config, replica % 3, torch.float64)
    optimizer = configured_optimizer(config)(model.parameters(), 1.0)
    records: dict[str, list[float]] = {name: [] for name in RECORDS}
    logits: list[float] = []
    source, target = torch.empty(0), torch.empty(0)  # which tokens are not padding

    def hook(module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
        assert isinstance(module, nn.MultiheadAttention)
        query, key = args[0], args[1]
        queries = source if query.shape[1] == source.shape[1] else target
        keys = source if key.shape[1] == source.shape[1] else target
        logits.append(largest_logit(module, query.detach(), key.detach(), queries[:, :, None] & keys[:, None]))

    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention):
            module.register_forward_pre_hook(hook, with_kwargs=True)
    for t in range(STEPS):
        batch = task.pairs.take(order[t])
        source, target = batch.source != PAD, batch.target_in != PAD
        logits.clear()
        optimizer.zero_grad()
        loss = token_loss(model(batch.source, batch.target_in), batch.target_out)
        loss.backward()  # type: ignore[no-untyped-call]
        before = flat(model)
        optimizer.param_groups[0]["lr"] = float(RISING(t)) * 3e-3 * (1 + replica)
        optimizer.step()
        assert len(logits) == 3 * config.layers
        records["losses"].append(loss.item())
        records["attention_logits"].append(max(logits))
        records["gradient_norms"].append(gradient_norm(model))
        records["update_ratios"].append(float((flat(model) - before).norm() / before.norm()))
    return records


def flat(model: ToyTransformer) -> Tensor:
    """All parameters in one row."""
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def gradient_norm(model: ToyTransformer) -> float:
    """The L2 norm of all gradients together."""
    return float(nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None]))


@pytest.mark.parametrize(
    "config", [named("small16"), named("small16", norm_first=True), ODD], ids=["post", "pre", "odd"]
)
def test_instruments_match_hooks(config: Config) -> None:
    """Logits, gradient norms and update ratios match those of nn.Transformer and torch's Adam."""
    replicas = [0, 4]
    runs = runs_of(config, replicas, dtype=torch.float64, instruments=True)
    runs.run()
    for row, replica in enumerate(replicas):
        expected = watched_by_hooks(config, replica)
        for name in RECORDS:
            assert getattr(runs, name)[row].tolist() == pytest.approx(expected[name], rel=EXACT, abs=0)


def test_padding_tokens_and_padding_pairs_do_not_count() -> None:
    """Of logits 0, 1, 2, … only those between tokens of real pairs can be a replica's largest."""
    pairs = encode(torch.tensor([7, 42]), 2).with_empty()
    rows = torch.tensor([[0, 2], [1, 2]])  # one number and one padding pair for each of two replicas
    peaks = Peaks(pairs.take(rows))
    order = torch.arange(2 * 2 * 2 * 2).double().view(2, 2, 2, 2)  # query, key, replica, pair
    hook = peaks.between(peaks.source, peaks.source)
    hook(-order[:, :, :, None].expand(-1, -1, -1, 3, -1).reshape(2, 2, -1))  # 3 heads
    assert peaks.largest().tolist() == [order[0, 0, 0, 0], order[1, 1, 1, 0]]


@pytest.mark.parametrize("threads", [1, 2])
def test_instruments_change_no_bit(threads: int) -> None:
    """Losses, weights and validation are the same to the last bit with and without instruments."""
    plain, watched = (runs_of(ODD, list(range(5)), instruments=on, threads=threads) for on in (False, True))
    for runs in (plain, watched):
        runs.run()
    assert torch.equal(plain.losses, watched.losses)
    assert torch.equal(plain.parameters, watched.parameters)
    assert torch.equal(plain.evaluate(), watched.evaluate())
    for name in RECORDS[1:]:
        assert bool(getattr(plain, name).isnan().all())
        assert bool((getattr(watched, name)[:, 1:] > 0).all())


def test_instruments_ignore_the_neighbours() -> None:
    """A replica's records have the same bits alone, among others, and beside a NaN replica."""
    alone, many = (runs_of(ODD, replicas, instruments=True) for replicas in ([2], [0, 1, 2, 3]))
    many.parameters[1] = torch.nan
    for runs in (alone, many):
        runs.run()
    for name in RECORDS:
        assert torch.equal(getattr(alone, name)[0], getattr(many, name)[2])
        assert bool(getattr(many, name)[1].isnan().all())


def test_instruments_stop_where_a_replica_was_retired() -> None:
    """A replica's records end with its last step; those of the others continue in their own rows."""
    runs, undisturbed = (runs_of(ODD, [0, 1, 2], instruments=True) for _ in range(2))
    runs.run(2)
    runs.retire(torch.tensor([False, True, False]))
    runs.run()
    undisturbed.run()
    for name in RECORDS:
        record, complete = getattr(runs, name), getattr(undisturbed, name)
        assert record.isnan().sum(1).tolist() == [0, STEPS - 2, 0]
        assert torch.equal(record[[0, 2]], complete[[0, 2]])
        assert torch.equal(record[1, :2], complete[1, :2])


def test_first_step_at_target() -> None:
    """The first step at or below the target counts, even if the loss rises again; NaN never reaches it."""
    losses = torch.tensor([[3.0, 1.0, 2.0, 0.5], [3.0, 2.5, torch.nan, torch.nan], [1.0, 0.9, 0.8, 0.7]])
    assert first_at_or_below(losses, 1.0).tolist() == [1, -1, 0]
    assert first_at_or_below(losses, 0.5).tolist() == [3, -1, -1]


@pytest.mark.parametrize("instruments", [False, True])
def test_compiled_function_trains_the_same(instruments: bool) -> None:
    """The pass as traced by the compiler agrees up to rounding, also for a padded group."""
    plain, runs = (
        runs_of(ODD, list(range(5)), dtype=torch.float64, threads=2, instruments=instruments, compiled=compiled)
        for compiled in (False, True)
    )
    assert runs.compiled is not None
    assert (runs.compiled.size, [group.stop - group.start for group in runs.groups]) == (3, [3, 2])
    # Traced as a full graph, as in use, but not compiled to machine code: that takes minutes.
    runs.compiled.function = torch.compile(runs.compiled.traced, dynamic=False, fullgraph=True, backend="eager")
    plain.run()
    runs.run()
    for name in RECORDS if instruments else RECORDS[:1]:
        torch.testing.assert_close(getattr(runs, name), getattr(plain, name), rtol=EXACT, atol=0)
