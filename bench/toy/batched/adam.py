"""Adam for many replicas at once: one row of parameters and one LR per replica."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from bench.toy.fused import has_fused_adam

from . import row_kernel


@dataclasses.dataclass(frozen=True)
class StepSizes:
    """What the update number t depends on, for every step, in the parameters' dtype and on their device.

    `sizes`: −lr/(1−β1^(t+1)), [T, n]; `roots`: √(1−β2^(t+1)), [T]; both computed in float64.
    """

    sizes: Tensor
    roots: Tensor

    @classmethod
    def of(cls, rates: Tensor, betas: tuple[float, float], like: Tensor) -> StepSizes:
        """The numbers for the LRs [n, T] of n rows, float64 on the CPU, and parameters like the given ones."""
        beta1, beta2 = betas
        counts = range(1, rates.shape[1] + 1)
        falls = torch.tensor([beta1**s - 1 for s in counts], dtype=torch.float64)
        roots = torch.tensor([(1 - beta2**s) ** 0.5 for s in counts], dtype=torch.float64)
        sizes = (rates / falls).T.contiguous()
        return cls(sizes.to(like.dtype).to(like.device), roots.to(like.dtype).to(like.device))


def average(mean: Tensor, square: Tensor, gradient: Tensor, betas: tuple[float, float]) -> None:
    """Adam's moving averages in place: m ← m + (1−β1)(g − m), v ← β2·v + (1−β2)·g²."""
    beta1, beta2 = betas
    mean.lerp_(gradient, 1 - beta1)
    square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)


def move(parameters: Tensor, mean: Tensor, scale: Tensor, size: Tensor) -> None:
    """θ ← θ + size·m/scale in place; `scale` is overwritten."""
    parameters.addcmul_(torch.div(mean, scale, out=scale), size)


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

    @property
    def state(self) -> list[Tensor]:
        """The buffers, each [K, P]."""
        return [self.mean, self.square]

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
        """Update all rows in each operation."""
        beta1, beta2 = self.betas
        root = parameters.new_tensor((1 - beta2 ** (t + 1)) ** 0.5)
        sizes = (rates.double() / (beta1 ** (t + 1) - 1)).to(parameters.device, parameters.dtype)
        self.update(parameters, gradient, sizes, root, group)

    def update(self, parameters: Tensor, gradient: Tensor, sizes: Tensor, root: Tensor, group: slice) -> None:
        """Update rows [n, P] by −sizes [n], on the device: on a GPU the number of calls dominates the cost."""
        mean, square = self.mean[group], self.square[group]
        average(mean, square, gradient, self.betas)
        move(parameters, mean, square.sqrt().div_(root).add_(self.eps), sizes[:, None])

    def planned(self, rates: Tensor, like: Tensor) -> StepSizes:
        """What every step depends on for LRs [n, T], on the device of the parameters."""
        return StepSizes.of(rates, self.betas, like)

    def step_on_device(self, parameters: Tensor, gradient: Tensor, steps: StepSizes, t: Tensor) -> None:
        """Apply update t, an int64 [1] on the device, in place to all rows, without waiting for the device.

        On a GPU with Triton one kernel does it, which moves 28·P bytes for a row of float32 instead of about 80·P.
        """
        if parameters.device.type == "cuda" and row_kernel.available():
            state = self.mean, self.square
            row_kernel.update(parameters, gradient, *state, steps.sizes, steps.roots, t, self.betas, self.eps)
        else:
            sizes, root = steps.sizes.index_select(0, t)[0], steps.roots.index_select(0, t)
            self.update(parameters, gradient, sizes, root, slice(None))

    def keep(self, rows: Tensor) -> None:
        """Keep only these rows; `rows`: int64 [kept]."""
        self.mean, self.square = self.mean[rows], self.square[rows]
