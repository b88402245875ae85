"""How many backward passes gave an optimizer its gradients."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim import Optimizer

#: Parameters whose gradients are looked at: a pass may reach only a part of a model.
LOOKED_AT = 8

#: The gradient of a parameter before a backward pass, and its version.
Before = list[tuple[Tensor | None, int]]


class GradientCount:
    """The backward passes since the last step that changed the gradients of one optimizer.

    A pass that finds no gradient starts a new count: what came before was dropped by ``zero_grad()``, as after a
    trial pass, or after the pass of another loss through the same parameters.
    """

    def __init__(self) -> None:
        self.passes = 0

    def look(self, optimizer: Optimizer) -> Before:
        """The gradients before a backward pass, of parameters spread over all groups."""
        return [(p.grad, -1 if p.grad is None else p.grad._version) for p in sampled(optimizer)]

    def add(self, optimizer: Optimizer, before: Before, *, in_step: bool) -> None:
        """Count a backward pass that ended, if it changed one of these gradients.

        In a closure, which LBFGS calls many times in one step, every pass counts.
        """
        changed = [
            old for p, (old, version) in zip(sampled(optimizer), before, strict=False) if _changed(p.grad, old, version)
        ]
        if changed:
            self.passes = 1 if not in_step and all(old is None for old in changed) else self.passes + 1


def _changed(now: Tensor | None, old: Tensor | None, version: int) -> bool:
    return now is not None and (now is not old or now._version != version)


def sampled(optimizer: Optimizer) -> list[Any]:
    """Some of the parameters with a gradient, evenly spread; none for an optimizer without groups."""
    groups = getattr(optimizer, "param_groups", ())
    places = [(group["params"], i) for group in groups for i in _spread(len(group["params"]), len(groups))]
    return [params[i] for params, i in places if params[i].requires_grad]


def _spread(size: int, groups: int) -> range:
    count = max(1, LOOKED_AT // groups)
    return range(0, size, max(1, -(-size // count)))
