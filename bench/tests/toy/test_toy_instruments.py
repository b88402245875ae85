"""The instruments of the batched trainer, against hooks on nn.Transformer."""

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
from bench.toy.plain import adam, token_loss
from bench.toy.rates import grid
from bench.toy.task import PAD, Task, batch_order, encode

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

STEPS = 6
RISING = ref.parse("linear20+hold")
#: In float64 both sides differ by rounding, which few steps have not yet enlarged.
EXACT = 1e-12
RECORDS = ("losses", "attention_logits", "gradient_norms", "update_ratios")


def runs_of(config: Config, replicas: list[int], **options: Any) -> Batched:
    """Replicas of one family (number k has its own LR and seed), ready to run."""
    rates = grid([RISING] * len(replicas), [3e-3 * (1 + k) for k in replicas], STEPS)
    return Batched(config, rates, [k % 3 for k in replicas], **options)


def largest_logit(attention: nn.MultiheadAttention, query: Tensor, key: Tensor, pairs_of_tokens: Tensor) -> float:
    """max |q·k|/√(d/heads) between the tokens said to count, from the weights of torch's own module."""
    d, heads = attention.embed_dim, attention.num_heads
    weight, bias = attention.in_proj_weight.detach(), attention.in_proj_bias.detach()
    asked = (query @ weight[:d].T + bias[:d]).view(*query.shape[:2], heads, -1)
    answered = (key @ weight[d : 2 * d].T + bias[d : 2 * d]).view(*key.shape[:2], heads, -1)
    logits = torch.einsum("bqhc,bkhc->bhqk", asked, answered) / math.sqrt(d // heads)
    return float(logits.abs().masked_fill(~pairs_of_tokens[:, None], 0).max())


def watched_by_hooks(config: Config, replica: int) -> dict[str, list[float]]:
    """The same records of one run of nn.Transformer with torch's Adam, measured from outside."""
    task = Task.make(config.limit, config.validation_share, config.split_seed)
    order = batch_order(task.train, config.batch_size, STEPS, replica % 3)
    model = build(config, replica % 3, torch.float64)
    optimizer = adam(config)(model.parameters(), 1.0)
    records: dict[str, list[float]] = {name: [] for name in RECORDS}
    seen: list[float] = []
    known, said = torch.empty(0), torch.empty(0)

    def hook(module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
        assert isinstance(module, nn.MultiheadAttention)
        query, key = args[0], args[1]
        asking = known if query.shape[1] == known.shape[1] else said
        answering = known if key.shape[1] == known.shape[1] else said
        seen.append(largest_logit(module, query.detach(), key.detach(), asking[:, :, None] & answering[:, None]))

    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention):
            module.register_forward_pre_hook(hook, with_kwargs=True)
    for t in range(STEPS):
        batch = task.pairs.take(order[t])
        known, said = batch.source != PAD, batch.target_in != PAD
        seen.clear()
        optimizer.zero_grad()
        loss = token_loss(model(batch.source, batch.target_in), batch.target_out)
        loss.backward()  # type: ignore[no-untyped-call]
        before = flat(model)
        optimizer.param_groups[0]["lr"] = float(RISING(t)) * 3e-3 * (1 + replica)
        optimizer.step()
        assert len(seen) == 3 * config.layers
        records["losses"].append(loss.item())
        records["attention_logits"].append(max(seen))
        records["gradient_norms"].append(gradient_norm(model))
        records["update_ratios"].append(float((flat(model) - before).norm() / before.norm()))
    return records


def flat(model: ToyTransformer) -> Tensor:
    """All parameters in one row."""
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def gradient_norm(model: ToyTransformer) -> float:
    """L2 norm of all gradients together."""
    return float(nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None]))


@pytest.mark.parametrize(
    "config", [named("small16"), named("small16", norm_first=True), ODD], ids=["post", "pre", "odd"]
)
def test_instruments_are_what_hooks_see(config: Config) -> None:
    """Logits, gradient norms and update ratios are those of nn.Transformer and torch's Adam."""
    replicas = [0, 4]
    runs = runs_of(config, replicas, dtype=torch.float64, instruments=True)
    runs.run()
    for row, replica in enumerate(replicas):
        expected = watched_by_hooks(config, replica)
        for name in RECORDS:
            assert getattr(runs, name)[row].tolist() == pytest.approx(expected[name], rel=EXACT, abs=0)


def test_padding_and_filling_pairs_do_not_count() -> None:
    """Of logits 0, 1, 2, … only those between tokens of real pairs can be the largest of their replica."""
    pairs = encode(torch.tensor([7, 42]), 2).with_empty()
    rows = torch.tensor([[0, 2], [1, 2]])  # one number and one filling pair for each of two replicas
    peaks = Peaks(pairs.take(rows))
    order = torch.arange(2 * 2 * 2 * 2).double().view(2, 2, 2, 2)  # query, key, replica, pair
    watch = peaks.between(peaks.source, peaks.source)
    watch(-order[:, :, :, None].expand(-1, -1, -1, 3, -1).reshape(2, 2, -1))  # 3 heads
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
    """A replica's records have the same bits alone, among others, and beside a NaN."""
    alone, many = (runs_of(ODD, replicas, instruments=True) for replicas in ([2], [0, 1, 2, 3]))
    many.parameters[1] = torch.nan
    for runs in (alone, many):
        runs.run()
    for name in RECORDS:
        assert torch.equal(getattr(alone, name)[0], getattr(many, name)[2])
        assert bool(getattr(many, name)[1].isnan().all())


def test_instruments_stop_where_a_replica_was_retired() -> None:
    """What is recorded of a replica ends with its last step, and goes on for the others in their own rows."""
    runs, undisturbed = (runs_of(ODD, [0, 1, 2], instruments=True) for _ in range(2))
    runs.run(2)
    runs.retire(torch.tensor([False, True, False]))
    runs.run()
    undisturbed.run()
    for name in RECORDS:
        record, whole = getattr(runs, name), getattr(undisturbed, name)
        assert record.isnan().sum(1).tolist() == [0, STEPS - 2, 0]
        assert torch.equal(record[[0, 2]], whole[[0, 2]])
        assert torch.equal(record[1, :2], whole[1, :2])


def test_first_step_at_target() -> None:
    """The first step at or below the target counts, also when the loss rises again; NaN never reaches it."""
    losses = torch.tensor([[3.0, 1.0, 2.0, 0.5], [3.0, 2.5, torch.nan, torch.nan], [1.0, 0.9, 0.8, 0.7]])
    assert first_at_or_below(losses, 1.0).tolist() == [1, -1, 0]
    assert first_at_or_below(losses, 0.5).tolist() == [3, -1, -1]


@pytest.mark.slow
@pytest.mark.parametrize("instruments", [False, True])
def test_what_is_compiled_is_the_same_training(instruments: bool) -> None:
    """The pass as the compiler traces it agrees to rounding, also for a group that is filled up."""
    plain, runs = (
        runs_of(ODD, list(range(5)), dtype=torch.float64, threads=2, instruments=instruments, compiled=compiled)
        for compiled in (False, True)
    )
    assert runs.compiled is not None
    assert (runs.compiled.size, [group.stop - group.start for group in runs.groups]) == (3, [3, 2])
    # Traced whole, as it will be, but not translated: that takes minutes.
    runs.compiled.function = torch.compile(runs.compiled.traced, dynamic=False, fullgraph=True, backend="eager")
    plain.run()
    runs.run()
    for name in RECORDS if instruments else RECORDS[:1]:
        torch.testing.assert_close(getattr(runs, name), getattr(plain, name), rtol=EXACT, atol=0)
