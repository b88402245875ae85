"""Loads any `lr_scheduler.py` beside the installed torch, such as a maintainer's working copy."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import torch

from .subject import Subject, installed

#: The package that the file believes to be in: its relative imports find the installed torch.
NAME = "torch.optim._lr_scheduler_under_test"


class BadModule(Exception):
    """The file is no scheduler module; the text is the one line that says why."""


def load(path: Path) -> Subject:
    """The schedulers that the file defines; raises BadModule with one clear line."""
    shown = f"module={path}"
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadModule(f"{shown} must be a readable Python file: {reason}") from None
    if not source.strip():
        raise BadModule(f"{shown} must define torch's schedulers, but it is empty")
    spec = importlib.util.spec_from_loader(NAME, loader=None, origin=str(path))
    if spec is None:
        raise BadModule(f"{shown} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    module.__package__ = "torch.optim"
    module.__file__ = str(path)
    _old_names()
    sys.modules[NAME] = module
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 - running the given file is the job
    except SyntaxError as error:
        raise BadModule(f"{shown} must be a Python file: line {error.lineno}: {error.msg}") from None
    except Exception as error:  # noqa: BLE001 - whatever the file raises is the user's news, in one line
        raise BadModule(f"{shown} cannot be imported: {type(error).__name__}: {error}".splitlines()[0]) from None
    subject = Subject(f"module {path.name} on torch {torch.__version__}", installed().release, module)
    if len(missing(subject)) == len(installed().schedulers.__all__):
        raise BadModule(f"{shown} must define torch's schedulers, but it has none of them (no LinearLR, no SequentialLR)")
    return subject


def missing(subject: Subject) -> list[str]:
    """The public schedulers of the installed torch that the subject does not define as classes."""
    names = installed().schedulers.__all__
    return sorted(n for n in names if not isinstance(subject.scheduler_class(n), type))


def _old_names() -> None:
    """Releases up to 1.13 import `inf` from a module that later ones no longer have."""
    if "torch._six" not in sys.modules:
        six = types.ModuleType("torch._six")
        six.__dict__["inf"] = float("inf")
        sys.modules["torch._six"] = six
