"""Adam for many replicas at once: one row of parameters and one LR for each."""

from __future__ import annotations

import torch
from torch import Tensor

#: Numbers in one block of rows: its five arrays of floats stay in a core's cache.
BLOCK = 1 << 16


class RowAdam:
    """Adam on rows [K, P], with an LR for each row.

    m ← m + (1−β1)(g − m), v ← β2·v + (1−β2)·g², θ ← θ − lr/(1−β1^s) · m / (√v/√(1−β2^s) + eps),
    s = t + 1 the number of the step. Nothing is shared between rows.
    Source: Kingma & Ba 2015, algorithm 1, in the order of operations of ``torch.optim.Adam``.
    """

    def __init__(self, parameters: Tensor, betas: tuple[float, float], eps: float) -> None:
        self.betas, self.eps = betas, eps
        self.mean = torch.zeros_like(parameters)
        self.square = torch.zeros_like(parameters)

    def step(self, parameters: Tensor, gradient: Tensor, rates: Tensor, group: slice, t: int) -> None:
        """Update t, in place, of the rows in `group`: their parameters and gradients [n, P], their LRs [n]."""
        beta1, beta2 = self.betas
        root = (1 - beta2 ** (t + 1)) ** 0.5
        sizes = (rates.double() / (beta1 ** (t + 1) - 1)).to(parameters.device, parameters.dtype)[:, None]
        rows = max(1, BLOCK // parameters.shape[1]) if parameters.device.type == "cpu" else len(parameters)
        means, squares = self.mean[group], self.square[group]
        for i in range(0, len(parameters), rows):
            cut = slice(i, i + rows)
            grad, mean, square = gradient[cut], means[cut], squares[cut]
            mean.lerp_(grad, 1 - beta1)
            square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
            scaled = square.sqrt().div_(root).add_(self.eps)
            parameters[cut].addcmul_(torch.div(mean, scaled, out=scaled), sizes[cut])

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only, moved together; `rows` int64 [kept]."""
        self.mean, self.square = self.mean[rows], self.square[rows]
