"""The optimizers of the plain trainer, built as a user would from the constants of a configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .config import Config
from .fused import has_fused_adam

#: Builds the optimizer from the parameters and the base LR.
OptimizerFactory = Callable[[Iterable[nn.Parameter], float], Optimizer]


class Lion(Optimizer):
    """Lion: the sign of a moving average of the gradients, with decoupled weight decay.

    c = β1·m + (1−β1)·g, θ ← θ·(1 − lr·weight_decay) − lr·sign(c), m ← β2·m + (1−β2)·g.
    Source: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2; torch 2.15 has none.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, betas: tuple[float, float], weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step; a closure is not called."""
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                mean = self.state[parameter].setdefault("exp_avg", torch.zeros_like(parameter))
                direction = (beta1 * mean + (1 - beta1) * parameter.grad).sign()
                parameter *= 1 - group["lr"] * group["weight_decay"]
                parameter -= group["lr"] * direction
                mean.copy_(beta2 * mean + (1 - beta2) * parameter.grad)


def configured_optimizer(config: Config) -> OptimizerFactory:
    """The optimizer of a configuration; Adam and AdamW are fused where this torch has that."""

    def make(parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        weights = list(parameters)
        decay, betas, eps = config.weight_decay, config.betas, config.eps
        if config.optimizer == "sgd":
            return torch.optim.SGD(weights, lr=lr, momentum=config.momentum, weight_decay=decay)
        if config.optimizer == "lion":
            return Lion(weights, lr, betas, decay)
        if config.optimizer == "radam":
            return torch.optim.RAdam(weights, lr=lr, betas=betas, eps=eps)  # has no fused kernel
        fused = has_fused_adam(weights[0].device.type)
        if config.optimizer == "adamw":
            return torch.optim.AdamW(weights, lr=lr, betas=betas, eps=eps, weight_decay=decay, fused=fused)
        return torch.optim.Adam(weights, lr=lr, betas=betas, eps=eps, fused=fused)

    return make


def clip(parameters: Iterable[nn.Parameter], config: Config) -> Tensor | None:
    """Scale the gradients to a norm of at most `max_norm`, if the configuration has one; return the norm before."""
    return nn.utils.clip_grad_norm_(parameters, config.max_norm) if config.max_norm else None
