"""A difference between a docstring and its class, and what the rules share."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import io
import textwrap
import warnings
from typing import Any

import torch

from suite.engine.loop import dummy_optimizer
from suite.engine.statements import call
from suite.engine.subject import Subject

#: Public methods that a user of a scheduler calls.
METHODS = ("step", "get_last_lr", "get_lr", "state_dict", "load_state_dict", "print_lr")
STEPS = 8
BASE_LR = 0.3


@dataclasses.dataclass(frozen=True)
class DocFinding:
    """One difference: the rule that found it, the argument (or other subject), a sentence, and a script's last lines.

    `code` runs with torch alone after the imports of `script.script` and sets `deviates`.
    """

    rule: str
    argument: str
    sentence: str
    code: str = ""


def parameters(function: Any) -> list[inspect.Parameter]:
    """The parameters of a function or of a class's constructor, without self."""
    target = vars(function).get("__init__", function) if isinstance(function, type) else function
    return [p for p in inspect.signature(target).parameters.values() if p.name != "self"]


def _halve(epoch: int) -> float:
    return 0.5 ** min(epoch, 4)


#: Arguments that a class needs; composites get their parts in `arguments`.
NEEDED: dict[str, dict[str, Any]] = {
    "LambdaLR": {"lr_lambda": _halve},
    "MultiplicativeLR": {"lr_lambda": _halve},
    "StepLR": {"step_size": 3},
    "MultiStepLR": {"milestones": [3, 6]},
    "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingLR": {"T_max": 12},
    "CosineAnnealingWarmRestarts": {"T_0": 4},
    "CyclicLR": {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 3},
    "OneCycleLR": {"max_lr": 0.5, "total_steps": 20},
    "ReduceLROnPlateau": {"patience": 0},
    "SWALR": {"swa_lr": 0.05},
}
#: Arguments without which another one has no effect: class and argument → the arguments beside it.
BESIDE: dict[tuple[str, str], dict[str, Any]] = {
    ("OneCycleLR", "epochs"): {"total_steps": None, "steps_per_epoch": 5},
    ("OneCycleLR", "steps_per_epoch"): {"total_steps": None, "epochs": 4},
    ("CyclicLR", "gamma"): {"mode": "exp_range"},
    ("CyclicLR", "scale_mode"): {"scale_fn": _halve},
    ("ReduceLROnPlateau", "patience"): {},
}


def arguments(subject: Subject, name: str, optimizer: torch.optim.Optimizer, argument: str = "") -> dict[str, Any]:
    """Valid arguments of a class, in which `argument` has an effect."""
    needed = NEEDED.get(name, {}) | BESIDE.get((name, argument), {})
    if name in ("SequentialLR", "ChainedScheduler"):
        constant, exponential = subject.scheduler_class("ConstantLR"), subject.scheduler_class("ExponentialLR")
        needed["schedulers"] = [constant(optimizer, factor=0.5, total_iters=3), exponential(optimizer, gamma=0.9)]
        needed |= {"milestones": [3]} if name == "SequentialLR" else {}
    return needed


def make(subject: Subject, name: str, optimizer: torch.optim.Optimizer, argument: str = "", **changes: Any) -> Any:
    """A scheduler with valid arguments, apart from `changes`."""
    keywords = arguments(subject, name, optimizer, argument) | changes
    positional = [] if name == "ChainedScheduler" else [optimizer]
    cls = subject.scheduler_class(name)
    if name == "LRScheduler":  # abstract
        cls = type("ConstantScheduler", (cls,), {"get_lr": lambda self: [g["lr"] for g in self.optimizer.param_groups]})
    return cls(*positional, **keywords)


@dataclasses.dataclass(frozen=True)
class DocTrial:
    """A construction and a few steps: the LR of each step, and what was raised where (step 0 is the constructor)."""

    lrs: tuple[float, ...]
    error: Exception | None
    step: int = 0
    warned: tuple[str, ...] = ()


def trial(subject: Subject, name: str, argument: str = "", *, updates: int = STEPS, **changes: Any) -> DocTrial:
    """Build with valid arguments apart from `changes` and step; whatever the subject raises is part of the result."""
    lrs: list[float] = []
    step = 0
    error: Exception | None = None
    # Releases up to 2.6 print each step where `verbose` is true.
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        optimizer = dummy_optimizer(BASE_LR)
        if "last_epoch" in changes:  # the groups need what an earlier scheduler left there
            make(subject, name, optimizer)
        try:
            scheduler = make(subject, name, optimizer, argument, **changes)
            while step < updates:
                step += 1
                lrs.append(float(optimizer.param_groups[0]["lr"]))
                optimizer.step()
                scheduler.step(*[1.0] if name == "ReduceLROnPlateau" else [])
        except Exception as raised:  # noqa: BLE001 - whatever the subject raises is the finding
            error = raised
    return DocTrial(tuple(lrs), error, step, tuple(f"{w.category.__name__}: {w.message}" for w in caught))


def shown(value: Any) -> str:
    """A value as a script would write it."""
    if callable(value):
        return "lambda epoch: 0.5**epoch" if value is _halve else "lambda x: 2.0"
    return repr(value)


def construction(name: str, argument: str = "", **changes: Any) -> str:
    """The statements that build a scheduler of the class, for a script."""
    keywords = NEEDED.get(name, {}) | BESIDE.get((name, argument), {})
    composite = name in ("SequentialLR", "ChainedScheduler")
    keywords |= {"milestones": [3]} if name == "SequentialLR" else {}
    texts = {"schedulers": "parts"} if composite else {}
    texts |= {key: shown(value) for key, value in (keywords | changes).items()}
    first = [] if name == "ChainedScheduler" else ["optimizer"]
    given = [*first, *(f"{key}={text}" for key, text in texts.items())]
    indent = " " * 4  # as narrow as in a block
    code = textwrap.dedent(call(f"{indent}scheduler = ", name, given, indent))
    if name == "LRScheduler":  # abstract
        code = f"class Plain(LRScheduler):\n    get_lr = lambda self: [0.3]\n\n\n{code.replace(name, 'Plain')}"
    return f"{PARTS}\n{code}" if composite else code


#: The parts of a composite, for scripts.
PARTS = "parts = [ConstantLR(optimizer, 0.5, 3), ExponentialLR(optimizer, 0.9)]"


def attempt(statements: str, due: str, then: str = "") -> str:
    """Statements that should fail or not, for a script: `due` is what is documented, accepted or refused."""
    body = textwrap.indent("\n".join([statements, "accepted = True", *([then] if then else [])]), "    ")
    report = "except Exception as error:\n    print(type(error).__name__, error)"
    return f"accepted = False\ntry:\n{body}\n{report}\ndeviates = {'not ' if due == 'accepted' else ''}accepted"


def takes(label: str, argument: str) -> str:
    """Lines of a script that ask whether a class or function takes an argument, and whether its text lists it."""
    lines = [f"parameters = inspect.signature({label}).parameters", f'taken = "{argument}" in parameters']
    return "\n".join([*lines, f'documented = "{argument} (" in {label}.__doc__', "print(parameters)"])
