"""The axes of a case beside its composition: everything about the loop that steps the scheduler."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from typing import Any

import torch

from .action import Action
from .numbers import CONVERSIONS, Conversion
from .optimizers import MATRICES, OPTIMIZERS, USUAL
from .tolerances import UNIT

#: Base LRs of the parameter groups: no two in a simple ratio, so that swapped groups are noticed.
BASE_LRS = (0.3, 0.07, 0.011)


@functools.cache
def still(name: str) -> type[Any]:
    """The class of an optimizer, a key of OPTIMIZERS, with a step() that moves no parameter.

    No scheduler reads a parameter; the real step() would be a third of the time of a case.
    """

    def step(self: torch.optim.Optimizer, closure: Any = None) -> None:
        """Move nothing."""

    step.hooked = True  # type: ignore[attr-defined]  # torch then leaves its profiling wrapper out
    cls = OPTIMIZERS[name][0]
    return type(cls.__name__, (cls,), {"step": step})


@dataclasses.dataclass(frozen=True)
class Setup:
    """How the scheduler is driven; with every default it is the plain loop."""

    groups: int = 1
    lists: bool = False  # per-group lists where torch takes them
    lr_type: str = "float"  # float | tensor | shared (one tensor in all groups)
    numbers: str = ""  # how numbers are given: a key of CONVERSIONS
    optimizer: str = "sgd"  # a key of OPTIMIZERS
    clock: str = "step"  # step | epoch (every third update) | micro (twice per update)
    reverse: bool = False  # construct the children last to first
    resume: str = ""  # order of the restore: see `loop.RESTORES`
    cuts: tuple[int, ...] = ()  # updates after which training stops and is restored
    saved: bool = False  # the states pass through torch.save
    jumps: tuple[int, ...] = ()  # step(epoch) is called with these after the first updates
    device: str = "cpu"
    actions: tuple[Action, ...] = ()  # what else the script does

    @property
    def marks(self) -> list[str]:
        """The axes off their default, in one fixed order, as parts of a test id."""
        marks = [f"{self.groups}groups"] if self.groups > 1 else []
        marks += ["lists"] if self.lists else []
        marks += [self.lr_type] if self.lr_type != "float" else []
        marks += [self.numbers] if self.numbers else []
        marks += [self.optimizer] if self.optimizer != "sgd" else []
        marks += [f"per{self.clock}"] if self.clock != "step" else []
        marks += ["reversed"] if self.reverse else []
        marks += [f"{self.resume}_at" + "x".join(map(str, self.cuts))] if self.resume else []
        marks += ["saved"] if self.saved else []
        marks += ["epoch" + "x".join(map(str, self.jumps))] if self.jumps else []
        marks += [action.mark for action in self.actions]
        marks += [self.device] if self.device != "cpu" else []
        return marks

    def scheduler_steps(self, update: int) -> int:
        """How often the clock steps the scheduler after this update."""
        return {"step": 1, "micro": 2, "epoch": 1 if update % 3 == 2 else 0}[self.clock]

    @property
    def has_betas(self) -> bool:
        """Whether the optimizer calls its momentum beta1."""
        return "betas" in inspect.signature(OPTIMIZERS[self.optimizer][0]).parameters

    @property
    def precision(self) -> str:
        """The key of `tolerances.UNIT` for the LRs of this setup."""
        units = [self.conversion.unit, "float" if self.lr_type == "float" else "float32"]
        return max(units, key=UNIT.__getitem__)

    @property
    def conversion(self) -> Conversion:
        """How the numbers of this setup are given."""
        return CONVERSIONS[self.numbers]

    @property
    def rules(self) -> tuple[Action | Conversion, ...]:
        """What may say that an exception is due."""
        return (*self.actions, self.conversion)

    def base_lrs(self) -> list[float]:
        """The base LR of each group, as the number that the optimizer stores."""
        rates = [BASE_LRS[0]] * self.groups if self.lr_type == "shared" else list(BASE_LRS[: self.groups])
        if self.conversion.kind == "lr":
            lrs = map(self.conversion.given, rates)
            return [float(lr.detach() if isinstance(lr, torch.Tensor) else lr) for lr in lrs]
        return rates if self.lr_type == "float" else [float(torch.tensor(r)) for r in rates]

    def make_optimizer(self) -> torch.optim.Optimizer:
        """A fresh optimizer with one parameter in each group."""
        shared = torch.tensor(BASE_LRS[0], device=self.device)
        cls, options = OPTIMIZERS[self.optimizer]
        shape = MATRICES.get(cls.__name__, (1,))
        dtype = torch.float32 if self.optimizer in USUAL else torch.float64
        groups = []
        for i, rate in enumerate(self.base_lrs()):
            lr: Any = {"float": rate, "tensor": torch.tensor(rate, device=self.device), "shared": shared}[self.lr_type]
            lr = self.conversion.given(BASE_LRS[i]) if self.conversion.kind == "lr" else lr
            parameter = torch.zeros(*shape, device=self.device, dtype=dtype)
            groups.append({"params": [parameter], "lr": lr})
        made = cls if self.actions or self.saved else still(self.optimizer)  # a made class cannot be pickled
        # One group is written as a user would, so that its LR is the optimizer's default too.
        optimizer: torch.optim.Optimizer = made(groups, **options) if self.groups > 1 else made(**groups[0], **options)
        return optimizer
