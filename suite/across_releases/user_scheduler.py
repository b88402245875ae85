"""A user's own scheduler: what the factory returned, and which optimizer the scheduler drives."""

from __future__ import annotations

from typing import Any

from suite.engine.user_factory import BadSpec, optimizer_of, optimizers_in, required, schedulers_in, short_repr


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


def the_scheduler(returned: Any, spec: str) -> Any:
    """The one scheduler in what the factory returned; raises BadSpec where there is none, or another."""
    schedulers = schedulers_in(returned)
    if not schedulers:
        raise BadSpec(f"factory={spec!r} must return a scheduler, but returned {short_repr(returned)}")
    if len(schedulers) > 1:
        names = ", ".join(type(scheduler).__name__ for scheduler in schedulers)
        raise BadSpec(f"factory={spec!r} must return one scheduler, but returned {len(schedulers)}: {names}")
    return schedulers[0]


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
