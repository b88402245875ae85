"""The trace of a scheduler that the user's own code builds, named as module:factory."""

from __future__ import annotations

import contextlib
import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.diagnose.core.trace import Trace
from reference import Schedule
from reference.check import integer, real

from .read_log import Log


def read_factory(spec: str, total_steps: int, base_lr: float = 1.0) -> Log:
    """Step what `module:factory` names on a dummy optimizer, and log the LR before every update.

    `spec`: a function that takes an optimizer and returns a torch scheduler or a schedule of the reference, or such
    an object itself (a scheduler is stepped with its own optimizer); the module is looked for in the current folder
    first. `total_steps`: updates; `base_lr`: of the dummy optimizer, one SGD with a momentum.
    Raises ValueError, in one line, for all that the user's code raises.

    >>> read_factory("torch.optim.lr_scheduler:LRScheduler", 0)
    Traceback (most recent call last):
    ValueError: steps=0 must be >= 2
    """
    integer("steps", total_steps, 2)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=real("base_lr", base_lr, low=0.0), momentum=0.9)
    with _current_folder_first():
        subject = _subject(spec)
        if callable(subject) and not _is_scheduler(subject) and not isinstance(subject, Schedule):
            subject = _run(spec, lambda: subject(optimizer))
        if isinstance(subject, Schedule):
            lrs = _run(spec, lambda: subject.trace(total_steps, base_lr))
            return Log((Trace(np.arange(total_steps), lrs),))
        if not _is_scheduler(subject):
            raise ValueError(f"trace={spec!r} must give a scheduler, but gave {_shown(subject)}")
        groups = np.array(_run(spec, lambda: _stepped(subject, total_steps))).T
    names = ["lr"] if len(groups) == 1 else [f"lr of group {i}" for i in range(len(groups))]
    return Log(tuple(Trace(np.arange(total_steps), lrs, name=name) for name, lrs in zip(names, groups, strict=True)))


def _is_scheduler(subject: Any) -> bool:
    return not isinstance(subject, type) and hasattr(subject, "step") and hasattr(subject, "optimizer")


@contextlib.contextmanager
def _current_folder_first() -> Iterator[None]:
    kept = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = kept


def _stepped(scheduler: Any, total_steps: int) -> list[list[float]]:
    lrs = []
    for _ in range(total_steps):
        lrs.append([float(group["lr"]) for group in scheduler.optimizer.param_groups])
        scheduler.optimizer.step()
        scheduler.step()
    return lrs


def _subject(spec: str) -> Any:
    module, colon, name = spec.partition(":")
    if not colon or not module or not name:
        raise ValueError(f"trace={spec!r} must be a file, or module:factory")
    home = _run(spec, lambda: importlib.import_module(module))
    if not hasattr(home, name):
        raise ValueError(f"trace={spec!r} must name something in {module}, but it has no {name}")
    return getattr(home, name)


def _run(spec: str, what: Callable[[], Any]) -> Any:
    """What the user's code gives; what it raises becomes the one line that says so."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):  # what is printed is no output of ours
            warnings.simplefilter("ignore")  # torch's own remarks on steps, which no training loop is here to heed
            return what()
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        text = " ".join(str(error).split())
        raise ValueError(f"trace={spec!r} raised {type(error).__name__}{': ' if text else ''}{text}") from error


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
