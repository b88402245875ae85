"""A user's own scheduler, built and stepped under the schedulers of a release."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from suite.shared.cli import InputError

from .loop import Run
from .subject import Subject

_ABSENT = object()


class BadSpec(InputError):
    """The text names no function; it is the one line that says why."""


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
def _fresh_imports(module: str) -> Iterator[None]:
    """Import the module from the current folder on, and anew for each release, with all that it imports."""
    path, top = list(sys.path), module.split(".")[0]
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == top}
    before = set(sys.modules)
    sys.path.insert(0, str(Path.cwd()))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - before:
            if name.split(".")[0] != "torch":
                del sys.modules[name]
        sys.modules.update(kept)


def _names(spec: str) -> tuple[str, str]:
    module, colon, name = spec.partition(":")
    if not colon or not module or not name:
        raise BadSpec(f"factory={spec!r} must be module:factory, a function that takes an optimizer")
    return module, name


def _factory(spec: str) -> Callable[[torch.optim.Optimizer], Any]:
    """The function that the spec names; raises BadSpec where there is none, else what its module raises."""
    module, name = _names(spec)
    try:
        home = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise BadSpec(f"factory={spec!r} must name a module, but there is no {error.name}") from None
        raise
    found: Callable[[torch.optim.Optimizer], Any] | None = getattr(home, name, None)
    if not callable(found):
        raise BadSpec(f"factory={spec!r} must name a function of {module}, but it has no function {name}")
    return found


def run_mine(spec: str, side: Subject, lr: float, steps: int) -> Run:
    """Step the scheduler that the user's factory builds under a release; raises BadSpec for a bad spec."""
    module, _ = _names(spec)
    run = Run()
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr, momentum=0.9)
    with _fresh_imports(module), as_installed(side):
        try:
            scheduler = _factory(spec)(optimizer)
            if not hasattr(scheduler, "step"):
                raise BadSpec(f"factory={spec!r} must return a scheduler, but returned {scheduler!r}")
            run.built = True
            for _ in range(steps):
                run.lrs.append([float(g["lr"]) for g in optimizer.param_groups])
                optimizer.step()
                scheduler.step()
        except BadSpec:
            raise
        except Exception as error:  # noqa: BLE001 - what the user's code raises under a release is the answer
            run.error = error
    return run
