"""Every optimizer of torch.optim, with the arguments and switches that a case may give it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any

import torch

#: Arguments that keep an update proportional to the LR, or that make an optimizer what it is known for: momentum,
#: one iteration a step for LBFGS, no decay of its own for ASGD.  Every other argument keeps torch's default.
OPTIONS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9},
    "RMSprop": {"momentum": 0.9},
    "ASGD": {"lambd": 0.0},
    "LBFGS": {"max_iter": 1},
    "Adagrad": {"lr_decay": 0.1},
}
#: Optimizers that take matrices only, and the shape of their parameter.
MATRICES = {"Muon": (1, 1)}
#: The two whose parameter is a float32 vector; any other has float64, so that its updates show the LR to all digits.
USUAL = ("sgd", "adam")
#: A switch that only a GPU has.
ON_GPU = ("capturable",)


def _switches(cls: type[Any]) -> Iterator[tuple[str, Any]]:
    """The arguments that turn something on, each with its value off the default."""
    for name, parameter in inspect.signature(cls).parameters.items():
        if name in ON_GPU:
            continue
        if name in ("foreach", "fused"):  # None: torch decides
            yield name, True
        elif isinstance(parameter.default, bool):
            yield name, not parameter.default


def _rows() -> Iterator[tuple[str, tuple[type[Any], dict[str, Any]]]]:
    """Each optimizer plain, with each of its switches, with weight decay, and without momentum."""
    for cls in vars(torch.optim).values():
        if not (isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)) or cls is torch.optim.Optimizer:
            continue
        name, options = cls.__name__.lower(), OPTIONS.get(cls.__name__, {})
        yield name, (cls, options)
        decay = {"weight_decay": 0.2} if "weight_decay" in inspect.signature(cls).parameters else {}
        for switch, value in _switches(cls):
            needs = decay if "weight_decay" in switch else {}
            yield f"{name}+{switch}", (cls, options | needs | {switch: value})
        if decay:
            yield f"{name}+weight_decay", (cls, options | decay)
        if "momentum" in options:
            yield f"{name}+momentum0", (cls, options | {"momentum": 0.0})


#: Optimizer → its class and arguments.
OPTIMIZERS: dict[str, tuple[type[Any], dict[str, Any]]] = dict(_rows())


def parameter_code(name: str) -> str:
    """The parameter of each group for an optimizer of OPTIMIZERS, as Python source without its closing bracket."""
    shape = ", ".join(map(str, MATRICES.get(OPTIMIZERS[name][0].__name__, (1,))))
    return f"torch.zeros({shape}" + ("" if name in USUAL else ", dtype=torch.float64")


@functools.cache
def has_momentum(name: str) -> bool:
    """Whether the optimizer has a momentum to cycle: one that is not 0, or a beta1."""
    cls, options = OPTIMIZERS[name]
    parameters = inspect.signature(cls).parameters
    if "betas" in parameters:
        return True
    return "momentum" in parameters and bool(options.get("momentum", parameters["momentum"].default))
