"""A user's own code, named as module:name, under the schedulers of a release."""

from __future__ import annotations

import contextlib
import importlib
import operator
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from suite.shared.cli import InputError

from .subject import Subject

_ABSENT = object()


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
