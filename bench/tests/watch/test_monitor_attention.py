"""The largest attention logit, for every way to call torch's attention."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from bench.watch import Monitor, attention
from bench.watch.attention import largest_logit

#: Two float32 matrix products of 4 terms each may round differently.
ROUNDING = 1e-6
FULL = torch.ones(3, 5, dtype=torch.bool)
HALF = torch.tensor([[True, False, True, True, False]] * 3)


def qkv(heads: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Queries [2, 2, 3, 4], keys and values [2, heads, 5, 4]."""
    torch.manual_seed(0)
    query = torch.randn(2, 2, 3, 4, requires_grad=True)
    return query, torch.randn(2, heads, 5, 4) * 3, torch.randn(2, heads, 5, 4)


def measured(call: Callable[[], object]) -> float:
    """The largest logit that a monitor measures in a call."""
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    with Monitor(nn.Module(), optimizer) as monitor:
        call()
        optimizer.step()
    return float(monitor.history["attention_logits"][0])


def expected(query: Tensor, key: Tensor, visible: Tensor, scale: float = 0.5) -> float:
    """max |q·k|·scale where `visible`, computed element by element."""
    logits = (query.detach()[..., None, :] * key.detach()[..., None, :, :]).sum(-1) * scale
    return float(logits[visible.expand(logits.shape)].abs().max())


CASES: dict[str, tuple[dict[str, object], Tensor, float]] = {
    "plain": ({}, FULL, 0.5),
    "scale": ({"scale": 2.0}, FULL, 2.0),
    "causal": ({"is_causal": True}, FULL.tril(), 0.5),
    "bool mask": ({"attn_mask": HALF}, HALF, 0.5),
    "one row of a mask": ({"attn_mask": HALF[:1]}, HALF, 0.5),
    "added mask": ({"attn_mask": torch.zeros(3, 5).masked_fill(~HALF, -math.inf) - 1000 * HALF}, HALF, 0.5),
    "lowest number as mask": ({"attn_mask": torch.zeros(3, 5).masked_fill(~HALF, -3.4e38)}, HALF, 0.5),
}


@pytest.mark.parametrize("block", [1 << 24, 1], ids=["whole", "row by row"])
@pytest.mark.parametrize("case", CASES)
def test_every_argument_of_attention_counts(case: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scale and masks of the call are used, in one chunk or many; what an additive mask adds is ignored."""
    monkeypatch.setattr(attention, "BLOCK", block)
    arguments, visible, scale = CASES[case]
    query, key, value = qkv()
    logit = measured(lambda: functional.scaled_dot_product_attention(query, key, value, **arguments))  # type: ignore[arg-type]
    assert logit == pytest.approx(expected(query, key, visible, scale), rel=ROUNDING, abs=0)


def test_grouped_queries_share_their_keys() -> None:
    """With fewer key heads than query heads, each key head serves several query heads."""
    query, key, value = qkv(heads=1)
    logit = measured(lambda: functional.scaled_dot_product_attention(query, key, value, enable_gqa=True))
    assert logit == pytest.approx(expected(query, key, FULL), rel=ROUNDING, abs=0)


@pytest.mark.parametrize("need_weights", [False, True])
def test_multihead_attention_is_measured_with_and_without_weights(need_weights: bool) -> None:
    """With need_weights torch uses another code path; the largest logit is the same."""
    torch.manual_seed(0)
    module = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(3, 5, 8)
    hidden = torch.zeros(3, 5, dtype=torch.bool)
    hidden[:, 3:] = True
    logit = measured(lambda: module(x, x, x, key_padding_mask=hidden, need_weights=need_weights))
    weight, bias = module.in_proj_weight, module.in_proj_bias
    query, key = ((x @ weight[i : i + 8].T + bias[i : i + 8]).view(3, 5, 2, 4).transpose(1, 2) for i in (0, 8))
    assert logit == pytest.approx(expected(query, key, ~hidden[:, None, None]), rel=ROUNDING, abs=0)


def test_softmax_elsewhere_is_not_attention() -> None:
    """The softmax of a classifier does not count: nothing is measured."""
    scores = torch.full((3,), 99.0, requires_grad=True)
    assert math.isnan(measured(lambda: functional.softmax(scores, -1)))


def test_calls_without_gradients_do_not_count() -> None:
    """Neither an evaluation nor a frozen teacher counts as a training forward pass."""
    query, key, value = qkv()

    def evaluation() -> None:
        with torch.no_grad():
            functional.scaled_dot_product_attention(query, key, value)
        functional.scaled_dot_product_attention(query.detach(), key, value)

    assert math.isnan(measured(evaluation))


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_attention_is_measured(reentrant: bool) -> None:
    """With gradient checkpointing the logits are those of the same forward pass."""
    query, key, value = qkv()

    def call() -> None:
        out = checkpoint(functional.scaled_dot_product_attention, query, key, value, use_reentrant=reentrant)
        assert isinstance(out, Tensor)
        out.sum().backward()  # type: ignore[no-untyped-call]

    assert measured(call) == pytest.approx(expected(query, key, FULL), rel=ROUNDING, abs=0)


@pytest.mark.slow
def test_compiled_attention_stays_compiled() -> None:
    """Compiled attention is one full graph without breaks; it is not measured, so its column is NaN."""
    query, key, value = qkv()

    @torch.compile(backend="eager", fullgraph=True)
    def compiled() -> Tensor:
        return functional.scaled_dot_product_attention(query, key, value)

    assert math.isnan(measured(compiled))


def test_half_precision_and_overflow_are_measured() -> None:
    """bfloat16 logits have bfloat16 precision; an infinite logit is infinite and not treated as masked."""
    query, key, value = (x.detach().bfloat16() for x in qkv())
    query.requires_grad_()
    logit = measured(lambda: functional.scaled_dot_product_attention(query, key, value))
    assert logit == pytest.approx(expected(query.float(), key.float(), FULL), rel=2.0**-7)
    assert largest_logit(torch.full((1, 1), 300.0).half(), torch.full((1, 1), 300.0).half()).item() == math.inf
