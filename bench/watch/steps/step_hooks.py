"""Hooks on one optimizer's step, also for optimizers that were not built as torch builds them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from torch.optim import Optimizer

#: An optimizer, the arguments and the keyword arguments of its step.
StepHook = Callable[[Optimizer, Any, Any], None]


def add_step_hook(optimizer: Optimizer, hook: StepHook, *, before: bool) -> Callable[[], None]:
    """Add a hook as the last one before the step, or the first one after it; returns what removes it.

    Optimizers that do not call ``super().__init__()`` have no hooks, and nothing is added; those that set a plain
    dict cannot be given to ``register_step_pre_hook``, which needs a weak reference to it.
    """
    name = "_optimizer_step_pre_hooks" if before else "_optimizer_step_post_hooks"
    hooks: Any = getattr(optimizer, name, None)
    if not isinstance(hooks, dict):
        return lambda: None
    if not isinstance(hooks, OrderedDict):
        key = object()
        hooks[key] = hook
        return lambda: _forget(hooks, key)
    handle = (optimizer.register_step_pre_hook if before else optimizer.register_step_post_hook)(hook)
    if not before:
        hooks.move_to_end(next(reversed(hooks)), last=False)
    return handle.remove


def _forget(hooks: dict[object, Any], key: object) -> None:
    hooks.pop(key, None)


def step_classes(optimizer: Optimizer) -> Iterator[type[Any]]:
    """The classes whose `step` runs without torch's hooks: base classes that a subclass calls, unhooked classes."""
    for cls in type(optimizer).__mro__:
        own = vars(cls).get("step") if issubclass(cls, Optimizer) and cls is not Optimizer else None
        if own is not None and not getattr(own, "hooked", False):
            yield cls


def has_own_step(optimizer: Optimizer) -> bool:
    """Whether the step is not one of torch's, so that it may set the LR itself."""
    return not getattr(type(optimizer).step, "__module__", "").startswith("torch.optim.")
