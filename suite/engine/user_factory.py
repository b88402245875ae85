"""A user's own scheduler, named as module:factory, built and stepped under the schedulers of a release."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from suite.shared.cli import InputError

from .loop import TrainingLoop, dummy_optimizer
from .run import CaseRun
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


@contextlib.contextmanager
def _fresh_imports(module: str) -> Iterator[None]:
    """Import the user's module, and all that it imports, again for each release."""
    top = module.split(".")[0]
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == top}
    before = set(sys.modules)
    try:
        with current_folder_first():
            yield
    finally:
        for name in set(sys.modules) - before:
            if name.split(".")[0] != "torch":
                del sys.modules[name]
        sys.modules.update(kept)


def split_spec(spec: str, option: str, form: str = "module:factory") -> tuple[str, str]:
    """The module and the name in it; raises BadSpec, which names the option, unless both are there."""
    module, colon, name = spec.partition(":")
    if not colon or not module or not name:
        raise BadSpec(f"{option}={spec!r} must be {form}, a function that takes an optimizer")
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
    if not hasattr(home, name):
        raise BadSpec(f"{option}={spec!r} must name something in {module}, but it has no {name}")
    return getattr(home, name)


def short_repr(value: object) -> str:
    """The value in one line of at most 80 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def run_factory(spec: str, side: Subject, lr: float, steps: int) -> CaseRun:
    """Step the scheduler that the user's factory builds under a release; raises BadSpec for a bad spec."""
    module, _ = split_spec(spec, "factory")
    run = CaseRun()
    optimizer = dummy_optimizer(lr)
    with _fresh_imports(module), as_installed(side):
        try:
            factory = load_named(spec, "factory")
            if not callable(factory):
                raise BadSpec(f"factory={spec!r} must name a function, but names {short_repr(factory)}")
            scheduler = factory(optimizer)
            if not hasattr(scheduler, "step"):
                raise BadSpec(f"factory={spec!r} must return a scheduler, but returned {short_repr(scheduler)}")
            run.built = True
            for lrs in TrainingLoop(optimizer, scheduler).lrs(steps):
                run.lrs.append(lrs)
        except BadSpec:
            raise
        except Exception as error:  # noqa: BLE001 - what the user's code raises under a release is the answer
            run.error = error
    return run
