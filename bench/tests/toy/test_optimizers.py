"""Optimizers other than Adam: rows are updated as by torch's classes, and batched runs are the plain ones."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch

import reference as ref
from bench.tests.toy_models import ODD, one_thread
from bench.toy.batched.batched import Batched
from bench.toy.batched.row_rules import RULES, clip_rows
from bench.toy.config import Config, named
from bench.toy.optimizers import configured_optimizer
from bench.toy.plain import train
from bench.toy.rates import grid

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

#: In float64, two ways to round the same update; the growth over these few steps is below a hundred roundings.
EXACT = 1e-12
STEPS = 12
SCHEDULE = ref.parse("linear4+cosine8")
#: RAdam's moving average is long enough for rectification from step 6 on with this β2.
BETAS = (0.8, 0.95)


def config_with(optimizer: str, like: Config, **changes: Any) -> Config:
    """A configuration with an optimizer, and a weight decay where it takes one."""
    decay = 0.0 if optimizer == "radam" else 0.1
    return dataclasses.replace(like, optimizer=optimizer, betas=BETAS, eps=1e-6, weight_decay=decay, **changes)


def finished(config: Config, replicas: list[int], **options: Any) -> Batched:
    """Replicas of one family (k determines LR and seed), after their last step."""
    rates = grid([SCHEDULE] * len(replicas), [1e-3 * (1 + k) for k in replicas], STEPS)
    runs = Batched(config, rates, [k % 5 for k in replicas], **options)
    runs.run()
    return runs


@pytest.mark.parametrize("optimizer", RULES)
def test_rows_are_updated_as_by_torch(optimizer: str) -> None:
    """Each row matches the optimizer of the plain trainer at that row's LR, over 50 steps with changing LRs."""
    generator = torch.Generator().manual_seed(0)
    config = config_with(optimizer, Config(16, 16))
    start, rates = torch.randn(3, 48, generator=generator, dtype=torch.float64), torch.tensor([1e-3, 1e-2, 0.1])
    ours, rows = start.clone(), [torch.nn.Parameter(row.clone()) for row in start]
    theirs = [configured_optimizer(config)([row], 1.0) for row in rows]
    rule = RULES[optimizer](ours, config)
    for t in range(50):
        gradient = torch.randn(3, 48, generator=generator, dtype=torch.float64)
        now = rates.double() * (1 + t % 7)
        for row, other, lr, grad in zip(rows, theirs, now.tolist(), gradient, strict=True):
            row.grad, other.param_groups[0]["lr"] = grad.clone(), lr
            other.step()
        rule.step(ours, gradient, now, slice(0, 3), t)
    expected = torch.stack([row.detach() for row in rows])
    torch.testing.assert_close(ours, expected, rtol=EXACT, atol=EXACT * float(expected.abs().max()))


@pytest.mark.parametrize("optimizer", RULES)
@pytest.mark.parametrize("max_norm", [0.0, 0.5])
def test_a_replica_is_the_plain_run(optimizer: str, max_norm: float) -> None:
    """The losses of a float64 run agree with nn.Transformer under torch's optimizer; clipping changes them."""
    config = config_with(optimizer, named("small16"), max_norm=max_norm)
    runs = finished(config, [2, 0], dtype=torch.float64)
    plain = train(config, SCHEDULE, steps=STEPS, seed=2, base_lr=3e-3, dtype=torch.float64)
    assert runs.losses[0].tolist() == pytest.approx(plain.losses, rel=EXACT, abs=0)
    assert runs.evaluate()[0].item() == pytest.approx(plain.validation[STEPS], rel=EXACT, abs=0)
    clipped = max_norm > 0
    other = finished(dataclasses.replace(config, max_norm=0.0 if clipped else 0.5), [2], dtype=torch.float64)
    assert not torch.equal(runs.losses[0], other.losses[0])


@pytest.mark.parametrize("optimizer", [*RULES, "adam"])
@pytest.mark.parametrize("config", [named("small16"), ODD], ids=["small16", "odd"])
def test_a_replica_ignores_its_neighbours(optimizer: str, config: Config) -> None:
    """With clipping, a replica has the same bits alone and among others, and after others have retired."""
    own = dataclasses.replace(config, optimizer=optimizer, max_norm=1.0)
    alone, many = finished(own, [7]), finished(own, list(range(20)))
    assert torch.equal(alone.parameters[0], many.parameters[7])
    assert torch.equal(alone.losses[0], many.losses[7])
    rates = grid([SCHEDULE] * 3, [1e-3, 8e-3, 2e-3], STEPS)
    rest = Batched(own, rates, [1, 2, 3])
    rest.run(5)
    rest.retire(torch.tensor([True, False, True]))
    rest.run()
    assert torch.equal(rest.parameters[0], alone.parameters[0])


@pytest.mark.parametrize("optimizer", RULES)
def test_a_step_on_the_device_is_the_step(optimizer: str) -> None:
    """A step that looks its numbers up by a step number on the device gives the run of the groups."""
    config = config_with(optimizer, named("small16"), max_norm=0.5)
    one, other = (
        finished(config, [3, 1], dtype=torch.float64, instruments=True, execution=execution)
        for execution in ("groups", "resident")
    )
    for name in ("losses", "gradient_norms", "update_ratios"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=EXACT, atol=0)


def test_rows_are_clipped_as_by_torch() -> None:
    """Rows above the norm are scaled down to it, others are left alone; the norms before are returned."""
    rows = torch.randn(3, 48, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows *= torch.tensor([0.1, 1.0, 100.0], dtype=torch.float64)[:, None]
    parameters = [torch.nn.Parameter(torch.zeros_like(row)) for row in rows]
    for parameter, row in zip(parameters, rows, strict=True):
        parameter.grad = row.clone()
    expected = [float(torch.nn.utils.clip_grad_norm_([parameter], 2.0)) for parameter in parameters]
    clipped = rows.clone()
    assert clip_rows(clipped, 2.0).tolist() == pytest.approx(expected, rel=EXACT)
    theirs = torch.stack([parameter.grad for parameter in parameters if parameter.grad is not None])
    torch.testing.assert_close(clipped, theirs, rtol=EXACT, atol=0)
    assert torch.equal(clipped[0], rows[0])
    assert float(clipped[2].norm()) == pytest.approx(2.0, rel=1e-6)


def test_radam_is_rectified_in_these_tests() -> None:
    """Both branches of RAdam run: ρ passes 5 within the steps of a run."""
    beta2 = BETAS[1]
    lengths = [2 / (1 - beta2) - 1 - 2 * s * beta2**s / (1 - beta2**s) for s in range(1, STEPS + 1)]
    assert min(lengths) < 5 < max(lengths)
    assert math.isfinite(sum(lengths))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "muon"}, "optimizer='muon' must be one of adam, adamw, lion, radam, sgd"),
        ({"weight_decay": 0.1}, "weight_decay=0.1 needs optimizer=adamw or lion or sgd"),
        ({"max_norm": -1.0}, "max_norm=-1.0 must be >= 0"),
        ({"momentum": 1.0}, "momentum=1.0 must be < 1"),
    ],
)
def test_bad_constants_are_named(changes: dict[str, Any], message: str) -> None:
    """A bad constant of the optimizer is refused with its name, its value and the rule."""
    with pytest.raises(ValueError, match="=") as raised:
        named("small16", **changes)
    assert str(raised.value) == message
