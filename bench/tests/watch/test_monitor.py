"""The monitor's instruments agree with independent computations, on the toy Transformer and other models."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.tests.gpu import MARKS
from bench.tests.toy_models import ODD, one_thread
from bench.toy.config import CONFIGS, Config, named
from bench.toy.model import build, causal_mask
from bench.toy.plain import evaluate, token_loss
from bench.toy.task import PAD, Pairs, Task, batch_order
from bench.watch import Monitor, Recorder

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

STEPS = 4
#: In float64 two ways to compute the same number differ only by rounding.
EXACT = 1e-12
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=MARKS),
]


class Toy:
    """A toy model in a training loop as a user might write it."""

    def __init__(self, config: Config, device: str = "cpu", lr: float = 0.05) -> None:
        task = Task.make(config.limit, config.validation_share, config.split_seed)
        order = batch_order(task.train, config.batch_size, STEPS, seed=0)
        self.batches = [task.pairs.take(rows).to(device) for rows in order]
        self.held = task.pairs.take(task.validation).to(device)
        self.model = build(config, 0, torch.float64).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr)

    def loss(self, batch: Pairs) -> Tensor:
        """The loss of a batch."""
        return token_loss(self.model(batch.source, batch.target_in), batch.target_out)

    def train(self, monitor: Monitor | None = None, before_step: Callable[[], None] = lambda: None) -> None:
        """The loop; validation after each step."""
        for batch in self.batches:
            loss = self.loss(batch)
            if monitor is not None:
                monitor.loss(loss)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            before_step()
            self.optimizer.step()
            evaluate(self.model, self.held)


def parameters_of(toy: Toy) -> Tensor:
    """All parameters of its model as one vector."""
    return nn.utils.parameters_to_vector(toy.model.parameters()).detach().clone()


def logits_of(module: nn.MultiheadAttention, query: Tensor, key: Tensor) -> Tensor:
    """Logits [n, heads, queries, keys] from the weights and inputs of torch's module."""
    d, heads = module.embed_dim, module.num_heads
    weight, bias = module.in_proj_weight.detach(), module.in_proj_bias.detach()
    asked = (query @ weight[:d].T + bias[:d]).view(*query.shape[:2], heads, -1)
    answered = (key @ weight[d : 2 * d].T + bias[d : 2 * d]).view(*key.shape[:2], heads, -1)
    return torch.einsum("bqhc,bkhc->bhqk", asked, answered) / math.sqrt(d // heads)


def visible_in_toy(batch: Pairs, queries: int, keys: int) -> Tensor:
    """Which keys the toy model's masks make visible to a query: no padding, and no future tokens of the target."""
    of_source = keys == batch.source.shape[1]
    tokens = batch.source if of_source else batch.target_in
    visible = (tokens != PAD)[:, None, None, :].expand(-1, 1, queries, -1)
    return visible if of_source else visible & ~causal_mask(queries, tokens.device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("config", [named("small16", norm_first=True), ODD], ids=["pre", "post"])
def test_instruments_agree_with_hooks(config: Config, device: str) -> None:
    """Loss, LR, logits, gradient norm and update ratio of nn.Transformer, as measured by hooks and by hand."""
    watched, plain = Toy(config, device), Toy(config, device)
    with Monitor(watched.model, watched.optimizer) as monitor:
        watched.train(monitor)
    history = monitor.history

    maxima: list[Tensor] = []
    batch = plain.batches[0]

    def hook(module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
        assert isinstance(module, nn.MultiheadAttention)
        logits = logits_of(module, args[0].detach(), args[1].detach())
        maxima.append(logits.abs().masked_fill(~visible_in_toy(batch, *logits.shape[2:]), 0).max())

    for module in plain.model.modules():
        if isinstance(module, nn.MultiheadAttention):
            module.register_forward_pre_hook(hook, with_kwargs=True)
    for step, batch in enumerate(plain.batches):
        maxima.clear()
        loss = plain.loss(batch)
        plain.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        before = parameters_of(plain)
        gradients = [p.grad for p in plain.model.parameters() if p.grad is not None]
        plain.optimizer.step()
        ratio = (parameters_of(plain) - before).norm() / before.norm()
        assert len(maxima) == 3 * config.layers
        expected = {
            "losses": loss,
            "attention_logits": max(maxima),
            "gradient_norms": nn.utils.get_total_norm(gradients),
            "update_ratios": ratio,
        }
        for name, value in expected.items():
            # Logits are stored in single precision.
            exact = 2.0**-24 if name == "attention_logits" else EXACT
            assert history[name][step] == pytest.approx(value.item(), rel=exact, abs=0)
    assert history["steps"].tolist() == list(range(STEPS))
    assert history["lrs"].tolist() == [0.05] * STEPS


def test_watching_changes_no_bit() -> None:
    """Weights, and the evaluation that uses torch's fast path, are bitwise equal with and without a monitor."""
    plain, watched = (Toy(CONFIGS["small16"]) for _ in range(2))
    plain.train()
    with Monitor(watched.model, watched.optimizer) as monitor, Recorder():
        watched.train(monitor)
        assert evaluate(watched.model, watched.held) == evaluate(plain.model, plain.held)
    assert torch.equal(parameters_of(plain), parameters_of(watched))


def test_nothing_is_left_behind() -> None:
    """A closed monitor measures nothing, and torch's functions and the optimizer are as before."""
    names = ("scaled_dot_product_attention", "multi_head_attention_forward", "softmax")
    originals = {name: vars(functional)[name] for name in names}
    toy = Toy(ODD)
    with Monitor(toy.model, toy.optimizer) as monitor:
        assert all(vars(functional)[name] is not originals[name] for name in names)
    toy.train()
    assert monitor.history["steps"].size == 0
    assert {name: vars(functional)[name] for name in names} == originals
    assert not toy.optimizer._optimizer_step_pre_hooks
    assert not toy.optimizer._optimizer_step_post_hooks


def test_only_every_nth_step_is_measured_if_asked() -> None:
    """With every=2 only the even steps have rows."""
    each, second = Toy(ODD), Toy(ODD)
    with Monitor(each.model, each.optimizer) as all_steps:
        each.train(all_steps)
    with Monitor(second.model, second.optimizer, every=2) as monitor:
        second.train(monitor)
    assert monitor.history["steps"].tolist() == [0, 2]
    for name, values in all_steps.history.items():
        assert monitor.history[name].tolist() == values[::2].tolist()
    assert monitor.warnings() == []


def test_parameters_may_be_added_frozen_and_replaced() -> None:
    """The update ratio covers the parameters that the optimizer has at that step."""
    first, second = nn.Parameter(torch.full((2,), 2.0)), nn.Parameter(torch.full((2, 2), 2.0))
    optimizer = torch.optim.SGD([first], lr=1.0)
    with Monitor(nn.Module(), optimizer) as monitor:
        for change in (
            lambda: None,
            lambda: optimizer.add_param_group({"params": [second]}),
            lambda: setattr(first, "data", torch.full((2,), 2.0)),
            lambda: first.requires_grad_(False),
        ):
            change()
            optimizer.zero_grad()
            (first.sum() * 0.5 + second.sum() * 0.25).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    after = monitor.history["update_ratios"]
    # SGD at LR 1 moves by the gradient: by ½ in each of 2 numbers, by ¼ in each of 4.
    assert after[0] == pytest.approx(0.5 / 2.0)
    assert after[1] == pytest.approx(math.hypot(0.5 * 2**0.5, 0.25 * 2) / math.hypot(1.5 * 2**0.5, 2.0 * 2))
    assert after[2] == pytest.approx(math.hypot(0.5 * 2**0.5, 0.25 * 2) / math.hypot(2.0 * 2**0.5, 1.75 * 2))
    assert after[3] == pytest.approx(0.25 / 1.5)


def test_clipping_comes_before_the_gradient_norm() -> None:
    """The norm is that of the gradient the optimizer uses."""
    toy = Toy(ODD)

    def clip() -> None:
        nn.utils.clip_grad_norm_(toy.model.parameters(), 0.125)

    with Monitor(toy.model, toy.optimizer) as monitor:
        toy.train(monitor, before_step=clip)
    assert monitor.history["gradient_norms"] == pytest.approx([0.125] * STEPS, rel=1e-5)


def test_accumulated_micro_batches_are_one_step() -> None:
    """The loss is the mean over micro-batches, the logit the largest of all; NaN where no loss was recorded."""
    toy = Toy(ODD)
    separate = [Toy(ODD) for _ in range(2)]
    singles = []
    for other, batch in zip(separate, toy.batches, strict=False):
        other.batches = [batch]
        with Monitor(other.model, other.optimizer) as single:
            other.train(single)
        singles.append({name: values[0] for name, values in single.history.items()})
    with Monitor(toy.model, toy.optimizer) as monitor:
        for batch in toy.batches[:2]:
            loss = toy.loss(batch)
            monitor.loss(loss.detach())
            loss.backward()  # type: ignore[no-untyped-call]
        toy.optimizer.step()
        toy.loss(toy.batches[0]).backward()  # type: ignore[no-untyped-call]
        toy.optimizer.step()
    history = monitor.history
    assert history["losses"][0] == pytest.approx(np.mean([single["losses"] for single in singles]), rel=EXACT)
    assert history["attention_logits"][0] == max(single["attention_logits"] for single in singles)
    assert math.isnan(history["losses"][1])
    assert monitor.warnings() == []


@pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
def test_a_gradient_scaler_does_not_affect_the_measurements(fused: bool) -> None:
    """Steps that it skips do not count, and the gradient norm is measured without its scale."""
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    optimizer = torch.optim.Adam([weight], lr=0.0, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    with Monitor(nn.Module(), optimizer) as monitor:
        for factor in (math.inf, 1.0, math.inf, 2.0):
            scaler.scale((weight**2).sum() * factor / 2).backward()  # type: ignore[no-untyped-call]
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    assert monitor.history["gradient_norms"] == pytest.approx([5.0, 10.0], rel=1e-6)
    assert monitor.history["steps"].tolist() == [0, 1]
    assert monitor.warnings() == []


def test_a_closure_computes_its_gradient_inside_the_step() -> None:
    """With step(closure) the norm is that of the gradient computed by the closure."""
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    optimizer = torch.optim.SGD([weight], lr=0.5)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (weight**2).sum() / 2
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with Monitor(nn.Module(), optimizer) as monitor:
        optimizer.step(closure)
        optimizer.step(closure)
    assert monitor.history["gradient_norms"] == pytest.approx([5.0, 2.5], rel=1e-6)
    assert monitor.history["update_ratios"] == pytest.approx([0.5, 0.5], rel=1e-6)
