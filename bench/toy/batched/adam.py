"""Adam for many replicas at once: one row of parameters and one LR per replica."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.toy.fused import has_fused_adam


class RowAdam:
    """Adam on rows [K, P], with one LR per row.

    m ← m + (1−β1)(g − m), v ← β2·v + (1−β2)·g², θ ← θ − lr/(1−β1^s) · m / (√v/√(1−β2^s) + eps),
    with s = t + 1. Rows share nothing.
    Source: Kingma & Ba 2015, algorithm 1, in the order of operations of ``torch.optim.Adam``.
    """

    def __init__(self, parameters: Tensor, betas: tuple[float, float], eps: float) -> None:
        self.betas, self.eps = betas, eps
        self.mean = torch.zeros_like(parameters)
        self.square = torch.zeros_like(parameters)

    def step(self, parameters: Tensor, gradient: Tensor, rates: Tensor, group: slice, t: int) -> None:
        """Apply update t in place to the rows in `group`: parameters and gradients [n, P], LRs [n]."""
        if parameters.device.type == "cpu" and has_fused_adam("cpu"):
            self._row_by_row(parameters, gradient, rates, group, t)
        else:
            self._together(parameters, gradient, rates, group, t)

    def _row_by_row(self, parameters: Tensor, gradient: Tensor, rates: Tensor, group: slice, t: int) -> None:
        """Use torch's fused kernel: it takes a single LR, but reads the memory only once."""
        (beta1, beta2), count = self.betas, torch.tensor(t + 1.0)
        rows = (each.unbind() for each in (parameters, gradient, self.mean[group], self.square[group]))
        for lr, row, grad, mean, square in zip(rates.tolist(), *rows, strict=True):
            torch._fused_adam_(
                [row],
                [grad],
                [mean],
                [square],
                [],
                [count],
                lr=lr,
                beta1=beta1,
                beta2=beta2,
                weight_decay=0.0,
                eps=self.eps,
                amsgrad=False,
                maximize=False,
            )

    def _together(self, parameters: Tensor, gradient: Tensor, rates: Tensor, group: slice, t: int) -> None:
        """Update all rows in each operation: on a GPU the number of calls dominates the cost."""
        beta1, beta2 = self.betas
        root = (1 - beta2 ** (t + 1)) ** 0.5
        sizes = (rates.double() / (beta1 ** (t + 1) - 1)).to(parameters.device, parameters.dtype)[:, None]
        mean, square = self.mean[group], self.square[group]
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        scaled = square.sqrt().div_(root).add_(self.eps)
        parameters.addcmul_(torch.div(mean, scaled, out=scaled), sizes)

    def keep(self, rows: Tensor) -> None:
        """Keep only these rows; `rows`: int64 [kept]."""
        self.mean, self.square = self.mean[rows], self.square[rows]
