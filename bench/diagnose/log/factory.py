"""The trace of a scheduler that the user's own code builds, named as module:factory."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.diagnose.core.trace import Trace
from reference import Schedule
from reference.check import integer, real
from suite.engine.loop import TrainingLoop, dummy_optimizer
from suite.engine.user_factory import BadSpec, current_folder_first, load_named, short_repr

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
    optimizer = dummy_optimizer(real("base_lr", base_lr, low=0.0))
    with current_folder_first():
        subject = _guarded(spec, lambda: load_named(spec, "trace", "a file, or module:factory"))
        if callable(subject) and not _is_scheduler(subject) and not isinstance(subject, Schedule):
            subject = _guarded(spec, lambda: subject(optimizer))
        if isinstance(subject, Schedule):
            lrs = _guarded(spec, lambda: subject.trace(total_steps, base_lr))
            return Log((Trace(np.arange(total_steps), lrs),))
        if not _is_scheduler(subject):
            raise ValueError(f"trace={spec!r} must give a scheduler, but gave {short_repr(subject)}")
        groups = np.array(_guarded(spec, lambda: list(TrainingLoop(subject.optimizer, subject).lrs(total_steps)))).T
    names = ["lr"] if len(groups) == 1 else [f"lr of group {i}" for i in range(len(groups))]
    return Log(tuple(Trace(np.arange(total_steps), lrs, name=name) for name, lrs in zip(names, groups, strict=True)))


def _is_scheduler(subject: Any) -> bool:
    return not isinstance(subject, type) and hasattr(subject, "step") and hasattr(subject, "optimizer")


def _guarded(spec: str, call: Callable[[], Any]) -> Any:
    """What the user's code returns; what it raises becomes the one line that says so."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):  # the user's prints are not our output
            warnings.simplefilter("ignore")  # torch's remarks about the training loop, which is ours
            return call()
    except BadSpec:
        raise
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        text = " ".join(str(error).split())
        raise ValueError(f"trace={spec!r} raised {type(error).__name__}{': ' if text else ''}{text}") from error
