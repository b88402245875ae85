"""The preconditioned sharpness, by Lanczos: the curvature of the loss in the optimizer's own metric."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

#: Lanczos stops at this relative error of the eigenvalue, or after this many Hessian products.
TOLERANCE, MOST_PRODUCTS = 1e-3, 60


class Sharpness(NamedTuple):
    """The largest eigenvalue, the limit above which training is unstable, and the eigenvalue's residual."""

    value: float
    limit: float
    residual: float
    products: int


class Eigenvalue(NamedTuple):
    """The largest eigenvalue of a symmetric operator, exact to within `residual`."""

    value: float
    residual: float
    products: int


def largest_eigenvalue(
    apply: Callable[[Tensor], Tensor], start: Tensor, *, tolerance: float = TOLERANCE, most: int = MOST_PRODUCTS
) -> Eigenvalue:
    """The largest eigenvalue of x ↦ A·x, A symmetric, by Lanczos with full reorthogonalisation.

    Stops when the residual ‖A·y − θ·y‖ = β_m·|s_m| of the largest Ritz pair (θ, y) is at most `tolerance`·|θ|, or after
    `most` products; `start` [n] is the first Krylov vector. Source: Golub & Van Loan 2013, section 10.1.

    >>> matrix = torch.diag(torch.tensor([1.0, -9.0, 4.0], dtype=torch.float64))
    >>> round(largest_eigenvalue(lambda x: matrix @ x, torch.ones(3, dtype=torch.float64)).value, 9)
    4.0
    """
    basis = [start / start.norm()]
    diagonal: list[float] = []
    beside: list[float] = []
    value, residual = 0.0, np.inf
    for _ in range(min(most, start.numel())):
        image = apply(basis[-1])
        diagonal.append(float(image @ basis[-1]))
        known = torch.stack(basis)
        for _ in range(2):  # twice is enough: Parlett's rule
            image = image - known.T @ (known @ image)
        left = float(image.norm())
        ritz, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        value, residual = float(ritz[-1]), left * abs(float(vectors[-1, -1]))
        if not np.isfinite(value) or residual <= tolerance * abs(value):
            break
        beside.append(left)
        basis.append(image / left)
    return Eigenvalue(value, residual, len(diagonal))


def scales(optimizer: Optimizer) -> tuple[list[nn.Parameter], Tensor, float]:
    """The parameters, √(η_g/η)/√P for each of their elements [n], and (2+2β1)/((1−β1)·η); η is the largest group LR.

    Adam updates by η·P⁻¹·m, P = (1−β1^t)·(√(v/(1−β2^t)) + eps). Raises ValueError for another optimizer, for groups
    with different β1, and before the first step.
    """
    if not isinstance(optimizer, Adam | AdamW):
        raise ValueError(f"optimizer={type(optimizer).__name__} must be Adam or AdamW")
    momenta = {float(group["betas"][0]) for group in optimizer.param_groups}
    if len(momenta) > 1:
        raise ValueError(f"beta1={sorted(momenta)} must be the same in all parameter groups")
    beta1 = momenta.pop()
    largest = max(float(group["lr"]) for group in optimizer.param_groups)
    parameters: list[nn.Parameter] = []
    rows: list[Tensor] = []
    for group in optimizer.param_groups:
        share = float(group["lr"]) / largest if largest else 1.0
        for parameter in group["params"]:
            state = optimizer.state.get(parameter)
            if not parameter.requires_grad or (not state and parameters and parameter.grad is None):
                continue
            if not state:
                raise ValueError("step=0 must be > 0: Adam has no preconditioner before its first step")
            t = float(state["step"])
            square = state["max_exp_avg_sq"] if group["amsgrad"] else state["exp_avg_sq"]
            root = (square / (1 - float(group["betas"][1]) ** t)).sqrt() + group["eps"]
            rows.append((share / ((1 - beta1**t) * root)).sqrt().flatten())
            parameters.append(parameter)
    limit = (2 + 2 * beta1) / ((1 - beta1) * largest) if largest else np.inf
    return parameters, torch.cat(rows), limit


@contextlib.contextmanager
def twice_differentiable(model: nn.Module) -> Iterator[None]:
    """Compute attention by plain matrix products, which can be differentiated twice, and restore the model's buffers.

    Random numbers drawn inside do not affect those drawn afterwards.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    kept = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)), sdpa_kernel(SDPBackend.MATH), torch.enable_grad():
        yield
    with torch.no_grad():
        for buffer, before in kept:
            buffer.copy_(before)


def hessian_product(loss: Tensor, parameters: Sequence[nn.Parameter]) -> Callable[[Tensor], Tensor]:
    """v ↦ H·v for the Hessian H of a loss, [n] → [n]; each product takes one backward pass."""
    gradient = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
    flat = torch.cat([part.flatten() for part in gradient])

    def product(vector: Tensor) -> Tensor:
        parts = torch.autograd.grad(flat, parameters, vector, retain_graph=True, materialize_grads=True)
        return torch.cat([part.flatten() for part in parts])

    return product


def preconditioned_sharpness(
    model: nn.Module,
    optimizer: Optimizer,
    closure: Callable[[], Tensor],
    *,
    tolerance: float = TOLERANCE,
    most: int = MOST_PRODUCTS,
) -> Sharpness:
    """λ_max(P^{-1/2}·H·P^{-1/2}) of the loss that `closure` returns, and its limit (2+2β1)/((1−β1)·η).

    H is the Hessian at the current parameters, P Adam's preconditioner, η the largest group LR; smaller group LRs scale
    P. On a quadratic loss, training is unstable above the limit, which is 38/η at β1 = 0.9. In the first 20 steps or so
    v ≈ g² and the value means little. Costs one forward pass and one double backward pass per product.
    Source: Cohen et al. 2022, "Adaptive Gradient Methods at the Edge of Stability", arXiv 2207.14484.
    """
    parameters, scale, limit = scales(optimizer)
    with twice_differentiable(model):
        product = hessian_product(closure(), parameters)
        start = torch.randn(scale.numel(), generator=torch.Generator().manual_seed(0)).to(scale)
        top = largest_eigenvalue(lambda x: scale * product(scale * x), start, tolerance=tolerance, most=most)
    return Sharpness(top.value, limit, top.residual, top.products)
