"""One update of rows by Adam, in any way, compared with torch.optim.Adam in float64 within a derived bound."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from bench.toy.batched import row_kernel
from bench.toy.batched.adam import RowAdam, StepSizes

BETAS, EPS = (0.8, 0.95), 1e-6
#: The update's step number and the number of steps.
STEP, STEPS = 4, 6
#: Roundings of m, each at most u·(|m| + |g|), u the unit roundoff: its weight, difference, product and sum.
OF_MEAN = 4
#: Roundings of the other factors of the change: v 5, which its root halves, root 2, division by the bias 4 and the
#: bias itself 1, + eps 1, quotient 4, size 1, product 1, each with what a GPU's approximate root (1 unit in the last
#: place) and division (2 units) may add.
OF_CHANGE = 17


@dataclasses.dataclass
class RowState:
    """Three rows in the middle of a run: parameters, gradients, m and v, [3, P]; their LRs [3, T] and step sizes."""

    parameters: Tensor
    gradient: Tensor
    mean: Tensor
    square: Tensor
    lrs: Tensor
    steps: StepSizes
    step: Tensor

    @classmethod
    def make(cls, dtype: torch.dtype, device: str) -> RowState:
        """The same numbers on every device; a row is longer than a block of the kernel and no multiple of it."""
        generator = torch.Generator().manual_seed(0)
        parameters, gradient, mean, square = (torch.randn(3, 1104, generator=generator, dtype=dtype) for _ in range(4))
        lrs = 10.0 ** torch.linspace(-4, -0.5, 3 * STEPS, dtype=torch.float64).view(3, STEPS)
        steps, step = StepSizes.of(lrs, BETAS, parameters.to(device)), torch.tensor([STEP], device=device)
        first, second = parameters.to(device), gradient.to(device)
        return cls(first, second, mean.to(device), square.square().to(device), lrs, steps, step)

    def by_kernel(self) -> None:
        """Update by the Triton kernel."""
        rows = self.parameters, self.gradient, self.mean, self.square
        row_kernel.update(*rows, self.steps.sizes, self.steps.roots, self.step, betas=BETAS, eps=EPS)

    def by_adam(self) -> None:
        """Update as the trainer does on this device."""
        rule = RowAdam(self.parameters, BETAS, EPS)
        rule.mean, rule.square = self.mean, self.square
        rule.step_on_device(self.parameters, self.gradient, self.steps, self.step)

    def expected(self) -> Tensor:
        """The parameters after torch.optim.Adam's update from the same numbers, float64 on the CPU."""
        return torch.stack([self._by_torch(k, float(self.lrs[k, STEP])) for k in range(3)])

    def _by_torch(self, k: int, lr: float) -> Tensor:
        value, gradient, mean, square = (each[k] for each in self._exact())
        parameter = torch.nn.Parameter(value)
        optimizer = torch.optim.Adam([parameter], lr=lr, betas=BETAS, eps=EPS, foreach=False)
        optimizer.state[parameter] = {"step": torch.tensor(float(STEP)), "exp_avg": mean, "exp_avg_sq": square}
        parameter.grad = gradient
        optimizer.step()
        return parameter.detach()

    def _exact(self) -> tuple[Tensor, ...]:
        """Copies of the rows in float64 on the CPU."""
        rows = self.parameters, self.gradient, self.mean, self.square
        return tuple(each.detach().to("cpu", torch.float64, copy=True) for each in rows)

    def bound(self) -> Tensor:
        """The largest error of each parameter that rounding explains; call it before the update."""
        unit = torch.finfo(self.parameters.dtype).eps / 2
        value, gradient, mean, square = self._exact()
        weight, decay = 1 - BETAS[0], BETAS[1]
        size = (self.lrs[:, STEP] / (1 - BETAS[0] ** (STEP + 1)))[:, None]
        scale = (decay * square + (1 - decay) * gradient**2).sqrt() / math.sqrt(1 - decay ** (STEP + 1)) + EPS
        change = size * (mean + weight * (gradient - mean)).abs() / scale
        of_mean = OF_MEAN * unit * size * (mean.abs() + gradient.abs()) / scale
        once = value.abs() + change
        of_expected = torch.finfo(torch.float64).eps / 2 * (OF_CHANGE * change + once) + of_mean * (unit < 1e-12)
        return of_mean + unit * (OF_CHANGE * change + once) + of_expected
