"""Loads any `lr_scheduler.py` beside the installed torch, such as a maintainer's working copy."""

from __future__ import annotations

import builtins
import importlib.util
import sys
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from suite.shared.cli import InputError

from .subject import Subject, installed

#: The package of the file: its relative imports find the installed torch.
PACKAGE = "torch.optim"
NAME = f"{PACKAGE}._lr_scheduler_under_test"


class BadModule(InputError):
    """The file is not a usable scheduler module; the text is the one line that says why."""


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
    module = execute(source, path, NAME, shown)
    subject = Subject(f"module {path.name} on torch {torch.__version__}", installed().release, module)
    if len(missing(subject)) == len(installed().schedulers.__all__):
        raise BadModule(
            f"{shown} must define torch's schedulers, but it has none of them (no LinearLR, no SequentialLR)"
        )
    return subject


def execute(
    source: str, path: Path, name: str, shown: str, own: dict[str, types.ModuleType] | None = None
) -> types.ModuleType:
    """Run a source text as a module of torch.optim; its imports of a name in `own` find that module instead.

    Imports inside functions also find what is added to `own` later.
    """
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    if spec is None:
        raise BadModule(f"{shown} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    module.__package__ = PACKAGE
    module.__file__ = str(path)
    # Not by replacing entries of sys.modules: this also covers imports inside functions, and affects nobody else.
    own = {} if own is None else own
    own.setdefault("torch._six", _six())
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _importer(own)}
    sys.modules[name] = module
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", (SyntaxWarning, DeprecationWarning))  # old escapes in old docstrings
            code = compile(source, str(path), "exec", dont_inherit=True)
        exec(code, module.__dict__)
    except SyntaxError as error:
        raise BadModule(f"{shown} must be a Python file: line {error.lineno}: {error.msg}") from None
    except Exception as error:  # noqa: BLE001 - whatever the file raises is reported in one line
        raise BadModule(f"{shown} cannot be imported: {type(error).__name__}: {error}".splitlines()[0]) from None
    return module


def missing(subject: Subject) -> list[str]:
    """The public schedulers of the installed torch that the subject does not define as classes."""
    names = installed().schedulers.__all__
    return sorted(n for n in names if not isinstance(subject.scheduler_class(n), type))


def _six() -> types.ModuleType:
    """Releases up to 1.13 import `inf` from a module that later ones no longer have."""
    six = types.ModuleType("torch._six")
    six.__dict__["inf"] = float("inf")
    return six


def _importer(own: Mapping[str, types.ModuleType]) -> Callable[..., Any]:
    """An `__import__` that prefers the modules of `own`, by their full names."""

    def imported(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        full = importlib.util.resolve_name("." * level + name, PACKAGE)
        if full in own:
            if not fromlist:  # `import a.b` binds `a`, which is shared
                raise ImportError(f"import {full} must be written as from {full} import ...")
            return own[full]
        module = builtins.__import__(name, globals, locals, tuple(fromlist or ()), level)
        parts = {part: own[f"{full}.{part}"] for part in fromlist or () if f"{full}.{part}" in own}
        if not parts:
            return module
        merged = types.ModuleType(full)
        merged.__dict__.update({**vars(module), **parts})
        return merged

    return imported
