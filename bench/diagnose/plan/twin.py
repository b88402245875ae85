"""From a live torch scheduler to the schedule of the reference that its class, arguments and parts document.

Where torch keeps an argument: ``torch/optim/lr_scheduler.py`` and ``swa_utils.py``, releases 1.11 to 2.13.
Two classes keep some of theirs in the parameter groups, where a second scheduler overwrites them: OneCycleLR its peak
and its end, SWALR its target. `given` has the arguments as `construction.Constructions` saw them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR as TorchSWALR

import reference
from reference import Schedule

from .called import CalledFunction, plain

#: The arguments of each scheduler as they were given: id of the object → name → value.
Given = Mapping[int, Mapping[str, Any]]
#: The methods that make a scheduler what it is; a subclass that leaves them alone is its base class.
DEFINING = ("get_lr", "step", "_update_lr", "_get_closed_form_lr", "_initial_step")


class NoTwin(Exception):
    """There is no closed form for this object; the text says why, for a reader."""


def class_name(scheduler: Any) -> str:
    """The torch class that the object behaves as; empty for a class of somebody's own."""
    for cls in type(scheduler).__mro__:
        if cls.__name__ in reference.__all__ and cls.__module__.split(".")[0] == "torch":
            known = getattr(lr_scheduler, cls.__name__, TorchSWALR if cls.__name__ == "SWALR" else None)
            same = all(getattr(type(scheduler), m, None) is getattr(known, m, None) for m in DEFINING)
            return cls.__name__ if same and "optimizer" in vars(scheduler) else ""
    return ""


def unwrapped(scheduler: Any) -> Any:
    """The scheduler that accelerate steps where it updates; any other object as it is."""
    while type(scheduler).__module__.split(".")[0] == "accelerate" and hasattr(scheduler, "scheduler"):
        scheduler = scheduler.scheduler
    return scheduler


def parts_of(scheduler: Any) -> list[Any]:
    """The schedulers that a composite steps; empty for any other."""
    parts = getattr(scheduler, "_schedulers", None)
    return list(parts) if isinstance(parts, list | tuple) else []


def leaves_of(scheduler: Any) -> list[Any]:
    """The schedulers of a composition that are made of no others, in their order."""
    parts = parts_of(scheduler)
    return [leaf for part in parts for leaf in leaves_of(part)] if parts else [scheduler]


def position_of(scheduler: Any) -> int:
    """How many steps the scheduler has taken: the step of the schedule that the next update runs at."""
    epoch = getattr(scheduler, "last_epoch", None)
    parts = parts_of(scheduler)
    if parts and not isinstance(epoch, int | float):  # a ChainedScheduler does not count
        return position_of(parts[0])
    return max(int(epoch or 0), 0)


def base_lr_of(scheduler: Any, group: int) -> float:
    """The base LR of one parameter group, as the scheduler keeps it.

    In a composition that of a part that does not set it itself, as OneCycleLR and CyclicLR do, if there is one.
    Raises NoTwin for a group that was added after the scheduler was built.
    """
    leaves = leaves_of(scheduler)
    plain_ones = [leaf for leaf in leaves if class_name(leaf) not in ("OneCycleLR", "CyclicLR")]
    for leaf in [*plain_ones, *leaves]:
        bases = getattr(leaf, "base_lrs", None)
        if bases is not None and group >= len(bases):
            raise NoTwin(f"group {group} was added after the scheduler was built")
        if bases is not None:
            return max(float(plain(bases[group])), 0.0)  # that of a cycle may be negative, and is not used
    settings = scheduler.optimizer.param_groups[group]
    return float(plain(settings.get("initial_lr", settings["lr"])))


def lost_arguments(scheduler: Any) -> str:
    """What the objects of a composition no longer know, in a sentence; empty where they know everything."""
    names = [class_name(leaf) for leaf in leaves_of(scheduler)]
    if len(names) > 1 and ("OneCycleLR" in names or "CyclicLR" in names):
        cycle = "OneCycleLR" if "OneCycleLR" in names else "CyclicLR"
        return f"{cycle} overwrites the LR that the optimizer had, so the base LR of the other parts may be another."
    if names.count("SWALR") > 1:
        return "A second SWALR overwrites the target of the first, so that of the first may be another."
    return ""


def twin_of(scheduler: Any, group: int = 0, given: Given | None = None, metrics: Sequence[float] = ()) -> Schedule:
    """The schedule that the documentation promises for one parameter group.

    `metrics`: for ReduceLROnPlateau, the arguments of its step(). Raises NoTwin for a class of somebody's own and for
    arguments that the documentation rules out.
    """
    name = class_name(scheduler)
    if not name:
        raise NoTwin(f"{type(scheduler).__name__} is not a class of torch")
    cls: Any = getattr(reference, name)
    try:
        if name in ("SequentialLR", "ChainedScheduler"):
            parts = tuple(twin_of(part, group, given) for part in parts_of(scheduler))
            if name == "ChainedScheduler":
                return reference.ChainedScheduler(parts)
            return reference.SequentialLR(parts, tuple(_length(plain(m)) for m in _items(scheduler._milestones)))
        values = _arguments(name, scheduler, group, dict((given or {}).get(id(scheduler), {})))
        if name == "ReduceLROnPlateau":
            values["metrics"] = tuple(metrics)
        twin: Schedule = cls(**_converted(cls, values))
    except (TypeError, ValueError) as error:
        raise NoTwin(f"{name}: {error}") from error
    return twin


def _items(values: Any) -> list[Any]:
    return values.tolist() if isinstance(values, torch.Tensor) else list(values)


def _length(value: Any) -> Any:
    """A length as an int where it is one, whatever its type."""
    return int(value) if isinstance(value, bool | float) and float(value).is_integer() else value


def _converted(cls: type[Schedule], values: dict[str, Any]) -> dict[str, Any]:
    """The arguments with the types that the reference takes."""
    result = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # every Schedule is a dataclass
        if field.name in values:
            value = plain(values[field.name])
            result[field.name] = _length(value) if str(field.type) in ("int", "int | None") else value
    return result


def _arguments(name: str, scheduler: Any, group: int, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a class that is made of no others, for one group."""
    reader = READERS.get(name)
    if reader is not None:
        return reader(scheduler, group, given)
    fields = dataclasses.fields(getattr(reference, name))
    return {field.name: getattr(scheduler, field.name) for field in fields if hasattr(scheduler, field.name)}


def _of_group(value: Any, group: int) -> Any:
    return value[group] if isinstance(value, list | tuple) else value


def _function(scheduler: Any, group: int, first: int) -> dict[str, Any]:
    return {"lr_lambda": CalledFunction(scheduler.lr_lambdas[group], first)}


def _multi_step(scheduler: Any, group: int, given: dict[str, Any]) -> dict[str, Any]:
    milestones = sorted(_length(plain(m)) for m in scheduler.milestones.elements())
    return {"milestones": tuple(milestones), "gamma": scheduler.gamma}


def _one_cycle(scheduler: Any, group: int, given: dict[str, Any]) -> dict[str, Any]:
    settings = scheduler.optimizer.param_groups[group]
    total = scheduler.total_steps
    peak = float(plain(_of_group(given.get("max_lr", settings["max_lr"]), group)))
    start = float(plain(scheduler.base_lrs[group]))
    low = float(plain(settings["min_lr"]))
    phases = scheduler._schedule_phases
    values = {
        "max_lr": peak,
        "total_steps": total,
        "pct_start": given.get("pct_start", _share(phases[0]["end_step"], total)),
        "anneal_strategy": _strategy(getattr(scheduler, "_anneal_func_type", None), scheduler, "anneal_func"),
        "div_factor": given.get("div_factor", _ratio(peak, start, 25.0)),
        "final_div_factor": given.get("final_div_factor", _ratio(start, low, 1e4)),
        "three_phase": len(phases) == 3,
        "cycle_momentum": scheduler.cycle_momentum,
    }
    return values | _momenta(given, settings, group)


def _cyclic(scheduler: Any, group: int, given: dict[str, Any]) -> dict[str, Any]:
    up = round(scheduler.total_size * scheduler.step_ratio)
    down = round(scheduler.total_size) - up
    values = {
        "base_lr": scheduler.base_lrs[group],
        "max_lr": scheduler.max_lrs[group],
        "step_size_up": up,
        "step_size_down": None if down == up else down,
        "mode": scheduler.mode,
        "gamma": scheduler.gamma,
        "cycle_momentum": scheduler.cycle_momentum,
    }
    custom = getattr(scheduler, "_scale_fn_custom", None)
    if custom is not None:
        values |= {"scale_fn": CalledFunction(custom), "scale_mode": scheduler.scale_mode}
    if scheduler.cycle_momentum:
        values |= {"base_momentum": scheduler.base_momentums[group], "max_momentum": scheduler.max_momentums[group]}
    return values


def _momenta(given: dict[str, Any], settings: dict[str, Any], group: int) -> dict[str, Any]:
    names = ("base_momentum", "max_momentum")
    found = {name: given.get(name, settings.get(name)) for name in names}
    return {name: _of_group(value, group) for name, value in found.items() if value is not None}


def _swa(scheduler: Any, group: int, given: dict[str, Any]) -> dict[str, Any]:
    target = given.get("swa_lr", scheduler.optimizer.param_groups[group]["swa_lr"])
    return {
        "swa_lr": _of_group(target, group),
        "anneal_epochs": scheduler.anneal_epochs,
        "anneal_strategy": _strategy(getattr(scheduler, "_anneal_strategy", None), scheduler, "anneal_func"),
    }


def _plateau(scheduler: Any, group: int, given: dict[str, Any]) -> dict[str, Any]:
    names = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "eps")
    values = {name: getattr(scheduler, name) for name in names}
    if group >= len(scheduler.min_lrs):
        raise NoTwin(f"group {group} was added after the scheduler was built")
    return values | {"min_lr": scheduler.min_lrs[group]}


#: How to read the arguments that an attribute of the same name does not have.
READERS: dict[str, Callable[[Any, int, dict[str, Any]], dict[str, Any]]] = {
    "LambdaLR": lambda scheduler, group, given: _function(scheduler, group, 0),
    "MultiplicativeLR": lambda scheduler, group, given: _function(scheduler, group, 1),
    "MultiStepLR": _multi_step,
    "OneCycleLR": _one_cycle,
    "CyclicLR": _cyclic,
    "SWALR": _swa,
    "ReduceLROnPlateau": _plateau,
}


def _strategy(kept: str | None, scheduler: Any, function: str) -> str:
    """The annealing strategy; releases before 2.0 keep the function alone."""
    if kept is not None:
        return kept
    return "linear" if "linear" in getattr(scheduler, function).__name__ else "cos"


def _share(end: float, total: int) -> float:
    """The `pct_start` whose first phase ends at this step, pct_start·total − 1: the roundest number that does.

    >>> _share(0.3 * 17 - 1, 17)
    0.3
    """
    exact = min(max((end + 1) / total, 0.0), 1.0)
    near = [round(exact, digits) for digits in range(1, 17)]
    near += [exact, math.nextafter(exact, 0.0), math.nextafter(exact, 1.0)]
    return next((share for share in near if float(share * total) - 1 == end), exact)


def _ratio(upper: float, lower: float, usual: float) -> float:
    """The factor that was divided by, as the roundest number that gives the same quotient; `usual` where all are 0.

    >>> _ratio(0.23, 0.23 / 25.0, 10.0)
    25.0
    """
    if not lower:
        return usual
    exact = upper / lower
    return next((r for digits in range(1, 17) if (r := float(f"{exact:.{digits}g}")) and upper / r == lower), exact)
