"""What torch itself does with a composition: built from its reference, stepped, resumed.

Where the documentation and torch disagree, this is how a trace is recognised as torch's.
"""

from __future__ import annotations

import copy
import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.optim import swa_utils

from reference import Schedule
from reference.check import Rates

#: What torch raises for compositions that it cannot build, step or resume.
REFUSALS = (TypeError, ValueError, AttributeError, KeyError, IndexError, ZeroDivisionError, NotImplementedError)
#: Orders of bringing a run back: the optimizer's state before the scheduler is built, or last_epoch in place of
#: states, told to every part or to the outermost scheduler alone.
ORDERS = ("optimizer first", "last_epoch", "last_epoch outside")


def _factor(schedule: Schedule) -> Callable[[int], float]:
    return lambda t: float(schedule(t))


def build(
    schedule: Schedule,
    optimizer: torch.optim.Optimizer,
    last: int = -1,
    *,
    parts_too: bool = True,
    backwards: bool = False,
) -> Any:
    """The torch scheduler of the same name and arguments; raises LookupError where there is none."""
    name = type(schedule).__name__
    home: Any = swa_utils if name == "SWALR" else torch.optim.lr_scheduler
    if not hasattr(home, name) or name == "ReduceLROnPlateau":
        raise LookupError(f"schedule={schedule!r} has no torch scheduler of its name")
    again: dict[str, Any] = {} if last == -1 else {"last_epoch": last}
    children = getattr(schedule, "schedulers", None)
    if children is not None:
        inner = last if parts_too else -1
        order = list(range(len(children)))
        made = {
            i: build(children[i], optimizer, inner, parts_too=parts_too, backwards=backwards)
            for i in (reversed(order) if backwards else order)
        }
        parts = [made[i] for i in order]
        if name == "ChainedScheduler":
            return torch.optim.lr_scheduler.ChainedScheduler(parts)
        milestones = list(getattr(schedule, "milestones", ()))
        return torch.optim.lr_scheduler.SequentialLR(optimizer, parts, milestones, **again)
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(schedule):  # type: ignore[arg-type]  # every Schedule is a dataclass
        value = getattr(schedule, field.name)
        if value is None:
            continue
        if isinstance(value, Schedule):
            value = _factor(value)
        arguments[field.name] = list(value) if isinstance(value, tuple) else value
    return getattr(home, name)(optimizer, **arguments, **again)


def optimizer_at(base: float) -> torch.optim.Optimizer:
    """SGD over one number, with a momentum that schedulers may cycle."""
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base, momentum=0.9)


def run(
    schedule: Schedule,
    base: float,
    steps: int,
    *,
    resume: tuple[str, int] | None = None,
    backwards: bool = False,
    epochs: dict[int, int] | None = None,
) -> Rates | None:
    """The LRs in force under torch, up to where it fails; None where it has no such scheduler or refuses it.

    `resume`: an order of `ORDERS` and the update before which the run is brought back;
    `epochs`: the calls that are told an epoch.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _run(schedule, base, steps, resume, backwards, epochs or {})
        except (LookupError, *REFUSALS):
            return None


def _run(
    schedule: Schedule,
    base: float,
    steps: int,
    resume: tuple[str, int] | None,
    backwards: bool,
    epochs: dict[int, int],
) -> Rates:
    optimizer = optimizer_at(base)
    scheduler = build(schedule, optimizer, backwards=backwards)
    seen = np.empty(steps)
    for t in range(steps):
        if resume is not None and t == resume[1]:
            states = copy.deepcopy(optimizer.state_dict()), copy.deepcopy(scheduler.state_dict())
            optimizer = optimizer_at(base)
            optimizer.load_state_dict(states[0])
            if resume[0] == "optimizer first":
                scheduler = build(schedule, optimizer)
                scheduler.load_state_dict(states[1])
            else:
                scheduler = build(schedule, optimizer, t - 1, parts_too=resume[0] == "last_epoch")
        seen[t] = float(optimizer.param_groups[0]["lr"])
        optimizer.step()
        try:
            if t in epochs:
                scheduler.step(epochs[t])
            else:
                scheduler.step()
        except REFUSALS:
            return seen[: t + 1]  # the run ends here
    return seen
