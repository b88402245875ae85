"""Tables and helpers that the conformance tests share: every class with arguments, on a fresh optimizer."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import torch

import reference
from reference import Schedule
from suite.cases.schedules import compositions
from suite.engine.axes import Setup
from suite.engine.build import arguments
from suite.engine.subject import installed


def falling(epoch: int) -> float:
    """A plain function of the epoch: torch never stores it in a state."""
    return float(0.9**epoch)


def wavy(epoch: int) -> float:
    """A factor that differs at every epoch, so that a lost or repeated call is noticed."""
    return 1.0 - 0.01 * (epoch % 7)


class Power:
    """A callable object: only its attributes belong to the state."""

    def __init__(self, rate: float = 0.9) -> None:
        self.rate = rate

    def __call__(self, epoch: float) -> float:
        return float(self.rate**epoch)


#: Every class that takes an optimizer and steps without arguments, with its required arguments.
#: A class that is not listed here takes its arguments from `compositions.singles`: see `from_cases`.
MINIMAL: dict[str, dict[str, Any]] = {
    "LambdaLR": {"lr_lambda": falling},
    "MultiplicativeLR": {"lr_lambda": wavy},
    "StepLR": {"step_size": 3},
    "MultiStepLR": {"milestones": [2, 5]},
    "ConstantLR": {},
    "LinearLR": {},
    "ExponentialLR": {"gamma": 0.89},
    "PolynomialLR": {},
    "CosineAnnealingLR": {"T_max": 7},
    "CosineAnnealingWarmRestarts": {"T_0": 3},
    "OneCycleLR": {"max_lr": 0.23, "total_steps": 40},
    "CyclicLR": {"base_lr": 0.017, "max_lr": 0.19},
    "SWALR": {"swa_lr": 0.023},
}

#: The same with every argument off its default, or as many of them as one object can have.
FULL: dict[str, dict[str, Any]] = {
    "LambdaLR": {"lr_lambda": wavy},
    "MultiplicativeLR": {"lr_lambda": falling},
    "StepLR": {"step_size": 2, "gamma": 0.7},
    "MultiStepLR": {"milestones": [3, 3, 9], "gamma": 0.7},
    "ConstantLR": {"factor": 0.37, "total_iters": 7},
    "LinearLR": {"start_factor": 0.13, "end_factor": 0.97, "total_iters": 11},
    "ExponentialLR": {"gamma": 0.83},
    "PolynomialLR": {"total_iters": 19, "power": 1.7},
    "CosineAnnealingLR": {"T_max": 11, "eta_min": 1e-3},
    "CosineAnnealingWarmRestarts": {"T_0": 2, "T_mult": 3, "eta_min": 1e-3},
    "OneCycleLR": {
        "max_lr": 0.31,
        "epochs": 5,
        "steps_per_epoch": 7,
        "pct_start": 0.4,
        "anneal_strategy": "linear",
        "base_momentum": 0.81,
        "max_momentum": 0.93,
        "div_factor": 7.0,
        "final_div_factor": 30.0,
        "three_phase": True,
    },
    "CyclicLR": {
        "base_lr": 0.011,
        "max_lr": 0.23,
        "step_size_up": 3,
        "step_size_down": 4,
        "mode": "exp_range",
        "gamma": 0.93,
        "base_momentum": 0.71,
        "max_momentum": 0.83,
    },
    "SWALR": {"swa_lr": 0.5, "anneal_epochs": 7, "anneal_strategy": "linear"},
}

COMPOSITES = ["ChainedScheduler", "SequentialLR"]

#: Every twin of a torch class by its name.
TWINS: dict[str, type[Schedule]] = {
    name: value
    for name, value in sorted(vars(reference).items())
    if isinstance(value, type) and value.__module__.startswith(("reference.torch_", "reference.compose"))
}


def optional(name: str) -> dict[str, Any]:
    """The optional arguments of a twin, with their defaults."""
    fields = dataclasses.fields(TWINS[name])  # type: ignore[arg-type]  # every Schedule is a dataclass
    return {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}


def from_cases(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The required arguments of a class, and the largest set of arguments that a case gives it."""
    examples = [arguments(s, 1, False) for s in compositions.singles() if type(s).__name__ == name]
    full = max(examples, key=len, default={})
    return {key: value for key, value in full.items() if key not in optional(name)}, full


for unlisted in TWINS.keys() - MINIMAL.keys() - {*COMPOSITES, "ReduceLROnPlateau", "LRScheduler"}:
    MINIMAL[unlisted], FULL[unlisted] = from_cases(unlisted)

#: The same classes and the three that need something else, in one fixed order.
SIMPLE = sorted(MINIMAL)
EVERY = [*SIMPLE, *COMPOSITES, "ReduceLROnPlateau"]

#: Arguments that take a list with one value for each group; the lists fit three groups.
PER_GROUP: list[tuple[str, str, list[Any]]] = [
    ("LambdaLR", "lr_lambda", [falling, wavy, Power(0.7)]),
    ("MultiplicativeLR", "lr_lambda", [falling, wavy, Power(0.7)]),
    ("OneCycleLR", "max_lr", [0.3, 0.2, 0.05]),
    ("OneCycleLR", "base_momentum", [0.85, 0.8, 0.7]),
    ("OneCycleLR", "max_momentum", [0.95, 0.9, 0.93]),
    ("CyclicLR", "base_lr", [0.01, 0.02, 0.03]),
    ("CyclicLR", "max_lr", [0.3, 0.2, 0.05]),
    ("CyclicLR", "base_momentum", [0.85, 0.8, 0.7]),
    ("CyclicLR", "max_momentum", [0.95, 0.9, 0.93]),
    ("SWALR", "swa_lr", [0.3, 0.2, 0.05]),
    ("ReduceLROnPlateau", "min_lr", [0.25, 0.05, 0.001]),
]
PER_GROUP_IDS = [f"{name}-{argument}" for name, argument, _ in PER_GROUP]

#: The metric of every step: it never improves, so ReduceLROnPlateau reduces the LR.
METRIC = 1.0


def scheduler_class(name: str) -> Any:
    """The class of the installed torch."""
    cls = installed().scheduler_class(name)
    assert cls is not None, f"this torch has no {name}"
    return cls


def parameters(name: str) -> list[inspect.Parameter]:
    """The constructor's parameters, without self."""
    return list(inspect.signature(scheduler_class(name)).parameters.values())


def make(name: str, optimizer: Any, *, full: Any = False, **changes: Any) -> Any:
    """A scheduler of this class with the arguments of its table, or `changes` where they differ."""
    cls = scheduler_class(name)
    if name == "ReduceLROnPlateau":
        plateau = {"factor": 0.7, "patience": 2, "cooldown": 1, "min_lr": 0.001} if full else {"patience": 1}
        return cls(optimizer, **{**plateau, **changes})
    if name in COMPOSITES:
        parts = [make(part, optimizer, full=full) for part in ("LinearLR", "CosineAnnealingLR")]
        if name == "SequentialLR":
            return cls(optimizer, parts, [6 if full else 4], **changes)
        return cls(parts, **changes)
    return cls(optimizer, **((FULL if full else MINIMAL)[name] | changes))


def fresh(groups: int = 1, lr_type: str = "float", optimizer: str = "sgd") -> torch.optim.Optimizer:
    """The optimizer of the cases, with momentum."""
    return Setup(groups=groups, lr_type=lr_type, optimizer=optimizer).make_optimizer()


def step(scheduler: Any, steps: int = 1) -> None:
    """A correct training loop: the optimizer first."""
    for _ in range(steps):
        scheduler.optimizer.step()
        if type(scheduler).__name__ == "ReduceLROnPlateau":
            scheduler.step(METRIC)
        else:
            scheduler.step()


def snapshot(optimizer: Any) -> list[dict[str, Any]]:
    """Every hyperparameter of every group, as plain numbers."""
    return [
        {k: v.item() if isinstance(v, torch.Tensor) else v for k, v in group.items() if k != "params"}
        for group in optimizer.param_groups
    ]


def future(scheduler: Any, steps: int = 12) -> list[list[dict[str, Any]]]:
    """Every hyperparameter after each of the next steps, and get_last_lr()."""
    history = []
    for _ in range(steps):
        step(scheduler)
        last = [float(lr) for lr in scheduler.get_last_lr()]
        history.append([*snapshot(scheduler.optimizer), {"last": last}])
    return history


def rates(optimizer: Any) -> list[float]:
    """The LR of every group."""
    return [float(group["lr"]) for group in optimizer.param_groups]
