"""Optimizers other than Adam for many replicas at once: one row of parameters and one LR per replica.

Each is written twice in this project: here for rows, and by torch's own classes in the plain trainer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.toy.config import Config

from .adam import average, move

#: torch's clip_grad_norm_ adds it to the norm that it divides by.
CLIP_EPS = 1e-6
#: RAdam rectifies its step where the length of the moving average exceeds this.
RECTIFIED = 5.0


class RowRule:
    """An optimizer on rows [K, P] that share nothing.

    A subclass says how many buffers a row has, which numbers an update depends on beside the row (`numbers`), and the
    update itself. `state`: the buffers, each [K, P].
    """

    buffers = 1

    def __init__(self, parameters: Tensor, config: Config) -> None:
        self.config = config
        self.state = [torch.zeros_like(parameters) for _ in range(self.buffers)]

    def numbers(self, rates: Tensor, t: int) -> Tensor:
        """What update t depends on, by row: float64 [F, n] for the LRs [n]."""
        raise NotImplementedError

    def update(self, parameters: Tensor, gradient: Tensor, state: Sequence[Tensor], numbers: Tensor) -> None:
        """Update one row [P], or rows [n, P], in place; `numbers`: [F] or [F, n, 1]."""
        raise NotImplementedError

    def step(self, parameters: Tensor, gradient: Tensor, rates: Tensor, group: slice, t: int) -> None:
        """Apply update t in place to the rows in `group`: parameters and gradients [n, P], LRs [n]."""
        numbers = self.numbers(rates.double(), t).to(parameters.device, parameters.dtype)
        state = [each[group] for each in self.state]
        if parameters.device.type != "cpu":
            self.update(parameters, gradient, state, numbers[:, :, None])
            return
        for k in range(len(parameters)):  # so that a row is rounded alike beside any others
            self.update(parameters[k], gradient[k], [each[k] for each in state], numbers[:, k])

    def planned(self, rates: Tensor, like: Tensor) -> Tensor:
        """The numbers of every step for LRs [n, T], on the device of the parameters: [T, F, n]."""
        each = [self.numbers(rates[:, t].double(), t) for t in range(rates.shape[1])]
        return torch.stack(each).to(like.dtype).to(like.device)

    def step_on_device(self, parameters: Tensor, gradient: Tensor, steps: Tensor, t: Tensor) -> None:
        """Apply update t, an int64 [1] on the device, in place to all rows, without waiting for the device."""
        self.update(parameters, gradient, self.state, steps.index_select(0, t)[0][:, :, None])

    def keep(self, rows: Tensor) -> None:
        """Keep only these rows; `rows`: int64 [kept]."""
        self.state = [each[rows] for each in self.state]


class RowSgd(RowRule):
    """SGD with momentum: b ← momentum·b + g + weight_decay·θ, θ ← θ − lr·b.

    Source: ``torch.optim.SGD``, without dampening.
    """

    def numbers(self, rates: Tensor, t: int) -> Tensor:
        """−lr."""
        return -rates[None]

    def update(self, parameters: Tensor, gradient: Tensor, state: Sequence[Tensor], numbers: Tensor) -> None:
        """One update."""
        (buffer,) = state
        buffer.mul_(self.config.momentum).add_(gradient)
        if self.config.weight_decay:
            buffer.add_(parameters, alpha=self.config.weight_decay)
        parameters.addcmul_(buffer, numbers[0])


class RowLion(RowRule):
    """Lion: c = β1·m + (1−β1)·g, θ ← θ·(1 − lr·weight_decay) − lr·sign(c), m ← β2·m + (1−β2)·g.

    Source: Chen et al. 2023, algorithm 2.
    """

    def numbers(self, rates: Tensor, t: int) -> Tensor:
        """−lr and 1 − lr·weight_decay."""
        return torch.stack([-rates, 1 - rates * self.config.weight_decay])

    def update(self, parameters: Tensor, gradient: Tensor, state: Sequence[Tensor], numbers: Tensor) -> None:
        """One update."""
        (mean,), (beta1, beta2) = state, self.config.betas
        direction = (mean * beta1).add_(gradient, alpha=1 - beta1).sign_()
        parameters.mul_(numbers[1]).addcmul_(direction, numbers[0])
        mean.mul_(beta2).add_(gradient, alpha=1 - beta2)


class RowAdamW(RowRule):
    """AdamW: θ ← θ·(1 − lr·weight_decay), then Adam's update (see `adam.RowAdam`).

    Source: Loshchilov & Hutter 2019, algorithm 2, in the order of operations of ``torch.optim.AdamW``.
    """

    buffers = 2

    def numbers(self, rates: Tensor, t: int) -> Tensor:
        """−lr/(1−β1^s), √(1−β2^s) and 1 − lr·weight_decay, s = t + 1."""
        beta1, beta2 = self.config.betas
        root = torch.full_like(rates, (1 - beta2 ** (t + 1)) ** 0.5)
        return torch.stack([rates / (beta1 ** (t + 1) - 1), root, 1 - rates * self.config.weight_decay])

    def update(self, parameters: Tensor, gradient: Tensor, state: Sequence[Tensor], numbers: Tensor) -> None:
        """One update."""
        mean, square = state
        size, root, kept = numbers
        parameters.mul_(kept)
        average(mean, square, gradient, self.config.betas)
        move(parameters, mean, square.sqrt().div_(root).add_(self.config.eps), size)


class RowRAdam(RowRule):
    """RAdam: Adam's update times r_s where ρ_s > 5, and θ ← θ − lr·m/(1−β1^s) before; s = t + 1.

    ρ_∞ = 2/(1−β2) − 1, ρ_s = ρ_∞ − 2s·β2^s/(1−β2^s), r_s² = (ρ_s−4)(ρ_s−2)ρ_∞ / ((ρ_∞−4)(ρ_∞−2)ρ_s).
    Source: Liu et al. 2020, algorithm 2, with the threshold and the eps of ``torch.optim.RAdam``.
    """

    buffers = 2

    def numbers(self, rates: Tensor, t: int) -> Tensor:
        """−lr/(1−β1^s), times r_s·√(1−β2^s) where the step is rectified; and whether it is: 1 or 0."""
        (beta1, beta2), s = self.config.betas, t + 1
        longest = 2 / (1 - beta2) - 1
        left = 1 - beta2**s
        length = longest - 2 * s * beta2**s / left
        sizes = rates / (beta1**s - 1)
        if length <= RECTIFIED:
            return torch.stack([sizes, torch.zeros_like(sizes)])
        share = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return torch.stack([sizes * (share * left) ** 0.5, torch.ones_like(sizes)])

    def update(self, parameters: Tensor, gradient: Tensor, state: Sequence[Tensor], numbers: Tensor) -> None:
        """One update."""
        mean, square = state
        size, rectified = numbers
        average(mean, square, gradient, self.config.betas)
        scale = square.sqrt().add_(self.config.eps).mul_(rectified).add_(1 - rectified)
        move(parameters, mean, scale, size)


RULES: dict[str, type[RowRule]] = {"adamw": RowAdamW, "lion": RowLion, "radam": RowRAdam, "sgd": RowSgd}


def clip_rows(gradient: Tensor, max_norm: float) -> Tensor:
    """Scale each row [n, P] in place to a norm of at most `max_norm`; return the norms before: [n].

    Source: ``torch.nn.utils.clip_grad_norm_``.
    """
    norms: Tensor = torch.linalg.vector_norm(gradient, dim=1)
    gradient.mul_((max_norm / (norms + CLIP_EPS)).clamp_(max=1.0)[:, None])
    return norms
