"""The schedulers of any torch release, loaded beside the installed torch, and which releases share their code."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import threading
import types
import warnings
from collections.abc import Iterable
from typing import Any

import torch

from suite.engine.loader import PACKAGE, execute
from suite.engine.subject import Subject

from . import cache
from .cache import ReleaseError, canonical, numbers
from .fetch import altered, fetch

SCHEDULERS, AVERAGING, OPTIMIZER = (f"{PACKAGE}.{name}" for name in ("lr_scheduler", "swa_utils", "optimizer"))

_loaded: dict[tuple[str, str], Subject] = {}
_lock = threading.Lock()


def subject(version: str, offline: bool = False) -> Subject:
    """The schedulers of a release, fetched if necessary; raises ReleaseError or BadModule with one clear line."""
    release = canonical(version)
    failed = fetch([release], offline=offline)
    if failed:
        raise ReleaseError(failed[release])
    return load_release(release)


def load_release(version: str) -> Subject:
    """The schedulers of a release whose files are cached; raises ReleaseError where they are not.

    Each release is loaded under module names that contain its number, so any number of releases coexist.
    """
    release = canonical(version)
    files = _files(release)
    key = (release, hashlib.sha256(b"".join(files[name] for name in cache.FILES)).hexdigest())
    with _lock:  # isinstance checks need one module per release, so two threads must not each load one
        if key not in _loaded:
            _loaded[key] = _load(release, files)
        return _loaded[key]


def _files(release: str) -> dict[str, bytes]:
    files = cache.read(release)
    if files is None:
        fault = cache.fault(release)
        absent = f"release={release} must be in the cache: python -m suite fetch {release}"
        raise ReleaseError(altered(release, fault) if fault else absent)
    return files


def _load(release: str, files: dict[str, bytes]) -> Subject:
    own: dict[str, types.ModuleType] = {}

    def run(full: str) -> types.ModuleType:
        file = full.removeprefix(f"{PACKAGE}.") + ".py"
        path = cache.folder(release) / file
        name = f"{PACKAGE}._torch_{release.replace('.', '_')}_{path.stem}"
        return execute(files[file].decode(), path, name, f"release={release} {file}", own)

    optimizer = importlib.import_module(OPTIMIZER)  # not an attribute: torch.optim deletes it
    missing = _optimizer_names(files) - set(dir(optimizer))
    if missing:  # helpers that are newer than the installed torch; everything else must stay the installed one's
        donor = run(OPTIMIZER)
        patched = types.ModuleType(OPTIMIZER)
        patched.__dict__.update(vars(optimizer))
        patched.__dict__.update({name: vars(donor)[name] for name in missing if name in vars(donor)})
        own[OPTIMIZER] = patched
    schedulers = own[SCHEDULERS] = run(SCHEDULERS)
    if not hasattr(schedulers, "__all__"):  # releases before 2.0 do not list their public classes
        schedulers.__dict__["__all__"] = _public(schedulers)
    averaging = own[AVERAGING] = run(AVERAGING)
    return Subject(f"torch {release}'s schedulers on torch {torch.__version__}", release, schedulers, averaging)


def _optimizer_names(files: dict[str, bytes]) -> set[str]:
    """The names that the schedulers import from torch.optim.optimizer."""
    nodes = (node for name in ("lr_scheduler.py", "swa_utils.py") for node in ast.walk(_parse(files[name])))
    imports = (node for node in nodes if isinstance(node, ast.ImportFrom))
    return {alias.name for node in imports if node.module in ("optimizer", OPTIMIZER) for alias in node.names}


def _public(module: types.ModuleType) -> list[str]:
    own: Iterable[tuple[str, Any]] = ((n, v) for n, v in vars(module).items() if isinstance(v, type))
    return [n for n, v in own if v.__module__ == module.__name__ and hasattr(v, "step") and not n.startswith("_")]


def distinct(releases: Iterable[str], *, by_text: bool = False) -> list[tuple[str, ...]]:
    """The releases in groups of equal schedulers, groups and members oldest first; all must be cached.

    Equal means the same syntax tree of lr_scheduler.py and of SWALR, with the docstrings of classes and functions,
    which are checked too.  Comments change nothing that is checked, and nothing else in swa_utils.py schedules a
    learning rate, so checking two such releases would give the same answer twice.
    `by_text` groups by equal bytes of lr_scheduler.py instead.
    """
    groups: dict[bytes, list[str]] = {}
    for release in sorted(dict.fromkeys(map(canonical, releases)), key=numbers):
        files = _files(release)
        text = files["lr_scheduler.py"]
        key = text if by_text else code_of(text, files["swa_utils.py"])
        groups.setdefault(hashlib.sha256(key).digest(), []).append(release)
    return [tuple(group) for group in groups.values()]


@functools.cache  # patch releases share their texts
def code_of(schedulers: bytes, averaging: bytes) -> bytes:
    """The code and the docstrings that are checked, in a form that is equal for texts of equal meaning.

    It depends on the version of Python: compare within one run only.
    """
    swalr = [n for n in _parse(averaging).body if isinstance(n, ast.ClassDef) and n.name == "SWALR"]
    module = _parse(schedulers)
    if ast.get_docstring(module) is not None:  # says nothing about a scheduler
        module.body = module.body[1:]
    return "\n".join(map(ast.dump, [module, *swalr])).encode()


def _parse(source: bytes) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (SyntaxWarning, DeprecationWarning))  # old escapes in old docstrings
        return ast.parse(source)
