"""A user's own code, named as module:name, under the schedulers of a release."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import operator
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from suite.shared.cli import InputError

from .subject import Subject

_ABSENT = object()
#: Where composites and wrappers keep the schedulers that they step.
PARTS = ("_schedulers", "schedulers", "scheduler", "lr_scheduler")
#: Lightning's configure_optimizers returns a dict with the first key, whose value may be a dict with the second.
KEYS = ("lr_scheduler", "scheduler")


class BadSpec(InputError):
    """The spec does not name a usable factory; the text is the one line that says why."""


@contextlib.contextmanager
def as_installed(side: Subject) -> Iterator[None]:
    """Let `torch.optim.lr_scheduler` and `swa_utils` be those of a release while a user's module runs."""
    own = {"lr_scheduler": side.schedulers, "swa_utils": side.averaging}
    kept = {name: (sys.modules[f"torch.optim.{name}"], getattr(torch.optim, name, _ABSENT)) for name in own}
    try:
        for name, module in own.items():
            sys.modules[f"torch.optim.{name}"] = module
            setattr(torch.optim, name, module)
        yield
    finally:
        for name, (module, attribute) in kept.items():
            sys.modules[f"torch.optim.{name}"] = module
            if attribute is _ABSENT:
                delattr(torch.optim, name)
            else:
                setattr(torch.optim, name, attribute)


@contextlib.contextmanager
def current_folder_first() -> Iterator[None]:
    """Look for modules in the current folder first, as a script there would."""
    path = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = path


def split_spec(spec: str, option: str, form: str = "module:factory") -> tuple[str, str]:
    """The module and the name in it; raises BadSpec, which names the option, unless both are there."""
    module, colon, name = spec.partition(":")
    if not colon or not module or not name:
        raise BadSpec(f"{option}={spec!r} must be {form}, a function that builds a scheduler")
    return module, name


def load_named(spec: str, option: str, form: str = "module:factory") -> Any:
    """The object that `module:name` names; raises BadSpec if there is none, or whatever the module raises."""
    module, name = split_spec(spec, option, form)
    try:
        home = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise BadSpec(f"{option}={spec!r} must name a module, but there is no {error.name}") from None
        raise
    try:
        return operator.attrgetter(name)(home)  # dotted names too: model.configure_optimizers
    except AttributeError:
        raise BadSpec(f"{option}={spec!r} must name something in {module}, but it has no {name}") from None


def short_repr(value: object) -> str:
    """The value in one line of at most 80 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def required(function: Callable[..., Any]) -> list[str]:
    """The arguments that a call must give; none where the signature cannot be read."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in variadic]


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
