"""A user's own scheduler: what the factory returned, and which optimizer the scheduler drives."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from suite.engine.user_factory import BadSpec, short_repr

#: Where composites and wrappers keep the schedulers that they step.
PARTS = ("_schedulers", "schedulers", "scheduler", "lr_scheduler")
#: Lightning's configure_optimizers returns a dict with the first key, whose value may be a dict with the second.
KEYS = ("lr_scheduler", "scheduler")


def required(function: Callable[..., Any]) -> list[str]:
    """The arguments that a call must give; none where the signature cannot be read."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in variadic]


def call_factory(factory: Any, spec: str, optimizer: Any) -> tuple[Any, bool]:
    """What the factory returns, and whether it took the optimizer; a scheduler instead of a factory is returned."""
    if not callable(factory):
        if not schedulers_in(factory):
            raise BadSpec(f"factory={spec!r} must name a function, but names {short_repr(factory)}")
        return factory, False
    names = required(factory)
    if names == ["self"]:
        raise BadSpec(f"factory={spec!r} must name the method of an object, such as train:model.configure_optimizers")
    if len(names) > 1:
        rule = "must take an optimizer or nothing (functools.partial sets the rest)"
        raise BadSpec(f"factory={spec!r} {rule}, but takes {', '.join(names)}")
    return (factory(optimizer), True) if names else (factory(), False)


def schedulers_in(returned: Any) -> list[Any]:
    """The schedulers in what a factory returned: one, a tuple or list, or a dict as Lightning takes it."""
    if isinstance(returned, dict):
        return next((schedulers_in(returned[key]) for key in KEYS if key in returned), [])
    if isinstance(returned, list | tuple):
        return [scheduler for item in returned for scheduler in schedulers_in(item)]
    return [returned] if hasattr(returned, "step") and not _is_optimizer(returned) else []


def optimizers_in(returned: Any) -> list[Any]:
    """The optimizers beside the scheduler in what a factory returned."""
    if isinstance(returned, dict):
        return optimizers_in(returned.get("optimizer"))
    if isinstance(returned, list | tuple):
        return [optimizer for item in returned for optimizer in optimizers_in(item)]
    return [returned] if _is_optimizer(returned) else []


def _is_optimizer(value: Any) -> bool:
    return hasattr(value, "param_groups") and hasattr(value, "step")


def the_scheduler(returned: Any, spec: str) -> Any:
    """The one scheduler in what the factory returned; raises BadSpec where there is none, or another."""
    schedulers = schedulers_in(returned)
    if not schedulers:
        raise BadSpec(f"factory={spec!r} must return a scheduler, but returned {short_repr(returned)}")
    if len(schedulers) > 1:
        names = ", ".join(type(scheduler).__name__ for scheduler in schedulers)
        raise BadSpec(f"factory={spec!r} must return one scheduler, but returned {len(schedulers)}: {names}")
    return schedulers[0]


def optimizer_of(scheduler: Any) -> Any:
    """The optimizer that the scheduler drives: its own, or that of a part; None where there is none."""
    own = getattr(scheduler, "optimizer", None)
    if _is_optimizer(own):
        return own
    for name in PARTS:
        parts = getattr(scheduler, name, None) or ()
        for part in parts if isinstance(parts, list | tuple) else (parts,):
            optimizer = optimizer_of(part)
            if optimizer is not None:
                return optimizer
    return None


def driven_by(scheduler: Any, returned: Any, given: Any, spec: str) -> Any:
    """The optimizer to step: the scheduler's, else the returned one, else the one that the factory took, if any."""
    candidates = [optimizer_of(scheduler), *optimizers_in(returned), given]
    optimizer = next((candidate for candidate in candidates if candidate is not None), None)
    if optimizer is None:
        rule = "must return (optimizer, scheduler), because the scheduler has no attribute 'optimizer'"
        raise BadSpec(f"factory={spec!r} {rule}")
    return optimizer


def check_step(scheduler: Any, spec: str, with_metrics: bool) -> None:
    """Raise BadSpec unless step() takes nothing, or one number per step where metrics are given."""
    names, name = required(scheduler.step), type(scheduler).__name__
    if names == ["metrics"] and not with_metrics:
        raise BadSpec(f"factory={spec!r} must have metrics, because {name}.step() needs them: give --metrics FILE")
    if names != (["metrics"] if with_metrics else []):
        takes = f"takes {', '.join(names)}" if names else "takes nothing"
        rule = "metrics" if with_metrics else "no argument"
        raise BadSpec(f"factory={spec!r} must return a scheduler whose step() takes {rule}, but {name}.step() {takes}")
