"""Lanczos and the preconditioned sharpness agree with exact eigenvalues."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.tests.toy_models import one_thread
from bench.watch import Monitor
from bench.watch.sharpness import largest_eigenvalue

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

BETAS, EPS = (0.8, 0.99), 1e-6
#: The tolerance for Lanczos in these tests; the error of the eigenvalue is even smaller.
TIGHT = 1e-8


class Tiny(nn.Module):
    """An encoder layer with attention and a batch norm: 158 parameters, buffers, optional dropout."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(4, 2, 3, dropout, activation="gelu", batch_first=True)
        self.norm = nn.BatchNorm1d(4)
        self.output = nn.Linear(4, 2)
        self.unused = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[n, s, 4] → [n, 2]."""
        out: Tensor = self.output(self.norm(self.encoder(x).mean(1)))
        return out


def trained(*, dropout: float = 0.0, shares: tuple[float, float] = (1.0, 1.0)) -> tuple[Tiny, torch.optim.Adam, Tensor]:
    """A model after five steps of Adam, its optimizer (two groups), and the batch."""
    torch.manual_seed(0)
    model = Tiny(dropout).double()
    groups: list[dict[str, Any]] = [
        {"params": list(model.encoder.parameters()), "lr": 0.01 * shares[0]},
        {"params": [*model.norm.parameters(), *model.output.parameters(), *model.unused.parameters()]},
    ]
    optimizer = torch.optim.Adam(groups, lr=0.01 * shares[1], betas=BETAS, eps=EPS)
    x = torch.randn(6, 3, 4, dtype=torch.float64)
    for _ in range(5):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
    return model, optimizer, x


def exact(model: Tiny, optimizer: torch.optim.Adam, x: Tensor) -> float:
    """The largest eigenvalue of P^{-1/2}·H·P^{-1/2} with the full Hessian; P is scaled by the relative LRs."""
    used = {name: p.detach() for name, p in model.named_parameters() if not name.startswith("unused")}
    flat = torch.cat([p.flatten() for p in used.values()])
    largest = max(group["lr"] for group in optimizer.param_groups)
    rate = {id(p): group["lr"] / largest for group in optimizer.param_groups for p in group["params"]}
    scale = []
    for name, parameter in model.named_parameters():
        if name in used:
            t = float(optimizer.state[parameter]["step"])
            root = (optimizer.state[parameter]["exp_avg_sq"] / (1 - BETAS[1] ** t)).sqrt() + EPS
            scale.append((rate[id(parameter)] / ((1 - BETAS[0] ** t) * root)).flatten().sqrt())

    def loss(row: Tensor) -> Tensor:
        parts = torch.split(row, [p.numel() for p in used.values()])
        weights = {name: part.view(p.shape) for (name, p), part in zip(used.items(), parts, strict=True)}
        out: Tensor = torch.func.functional_call(model, weights, (x,))
        return out.square().sum()

    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        hessian = torch.autograd.functional.hessian(loss, flat)  # type: ignore[no-untyped-call]
    assert isinstance(hessian, Tensor)
    scaled = torch.cat(scale)
    return float(torch.linalg.eigvalsh(scaled[:, None] * hessian * scaled)[-1])


@pytest.mark.parametrize("shares", [(1.0, 1.0), (0.25, 1.0)], ids=["one LR", "two LRs"])
def test_sharpness_is_the_top_eigenvalue_of_the_full_matrix(shares: tuple[float, float]) -> None:
    """Lanczos finds it without building the matrix; the limit is (2+2β1)/((1−β1)·η)."""
    model, optimizer, x = trained(shares=shares)
    monitor = Monitor(model, optimizer)
    sharpness = monitor.sharpness(lambda: model(x).square().sum(), tolerance=TIGHT, most=200)
    monitor.close()
    assert sharpness.value == pytest.approx(exact(model, optimizer, x), rel=TIGHT)
    assert sharpness.residual <= TIGHT * sharpness.value
    assert sharpness.limit == pytest.approx(3.6 / (0.2 * 0.01), rel=1e-12)


def test_measuring_it_has_no_side_effects() -> None:
    """Gradients, buffers, optimizer, random numbers and the other instruments are unchanged."""
    model, optimizer, x = trained(dropout=0.5)
    monitor = Monitor(model, optimizer)
    before = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    monitor.sharpness(lambda: model(x).square().sum(), most=2)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    after = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))
    optimizer.step()
    monitor.close()
    assert math.isnan(monitor.history["attention_logits"][0])


def test_it_is_in_the_history_at_its_step() -> None:
    """When measured after the second step it is in row 1; the other rows are NaN; it raises no alarm."""
    model, optimizer, x = trained()
    with Monitor(model, optimizer) as monitor:
        assert "sharpness" not in monitor.history
        for step in range(3):
            model(x).square().sum().backward()
            optimizer.step()
            if step == 1:
                sharpness = monitor.sharpness(lambda: model(x).square().sum() * 1e6)
    assert sharpness.value > sharpness.limit
    assert np.isnan(monitor.history["sharpness"]).tolist() == [True, False, True]
    assert monitor.history["sharpness"][1] == sharpness.value
    assert monitor.history["sharpness_limits"][1] == sharpness.limit
    assert monitor.warnings() == []


def test_without_a_preconditioner_it_is_refused() -> None:
    """Another optimizer, different β1, and Adam before its first step each give a clear message."""
    weight = nn.Parameter(torch.ones(1))
    groups: list[dict[str, Any]] = [
        {"params": [weight]},
        {"params": [nn.Parameter(torch.ones(1))], "betas": (0.5, 0.9)},
    ]
    rows = [
        (torch.optim.SGD([weight], lr=0.1), "optimizer=SGD must be Adam or AdamW"),
        (torch.optim.Adam([weight], lr=0.1), "step=0 must be > 0"),
        (torch.optim.Adam(groups), r"beta1=\[0\.5, 0\.9\] must be the same"),
    ]
    for optimizer, words in rows:
        with Monitor(nn.Module(), optimizer) as monitor, pytest.raises(ValueError, match=words):
            monitor.sharpness(lambda: weight.square().sum())


def test_at_lr_zero_the_limit_is_infinite() -> None:
    """The first step of a warmup may have LR 0, where nothing is unstable."""
    model, optimizer, x = trained()
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    with Monitor(model, optimizer) as monitor:
        sharpness = monitor.sharpness(lambda: model(x).square().sum(), most=3)
    assert sharpness.limit == math.inf
    assert math.isfinite(sharpness.value)


@pytest.mark.parametrize("size", [1, 2, 40])
def test_lanczos_finds_the_largest_not_the_farthest_from_zero(size: int) -> None:
    """For a matrix with a larger negative eigenvalue, and for the zero matrix, whose Krylov space has dimension 1."""
    torch.manual_seed(size)
    matrix = torch.randn(size, size, dtype=torch.float64)
    matrix = matrix + matrix.T - 3 * size**0.5 * torch.eye(size, dtype=torch.float64)
    start = torch.ones(size, dtype=torch.float64)
    top = largest_eigenvalue(lambda x: matrix @ x, start, tolerance=TIGHT)
    assert top.value == pytest.approx(float(torch.linalg.eigvalsh(matrix)[-1]), rel=TIGHT)
    zero = largest_eigenvalue(lambda x: 0 * x, start)
    assert (zero.value, zero.residual, zero.products) == (0.0, 0.0, 1)
