"""Runs somebody's script as Python itself would, in this process."""

from __future__ import annotations

import contextlib
import importlib.util
import runpy
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

#: Our packages: a script may have modules of these names of its own.
OURS = ("bench", "reference", "suite")


def checked(target: str, *, module: bool) -> None:
    """Raise ValueError unless there is such a script, or such a module with ``-m``."""
    if not module:
        if not Path(target).exists():
            raise ValueError(f"script={target} must be a Python file (or -m and the name of a module)")
        return
    try:
        found = importlib.util.find_spec(target)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise ValueError(f"module={target} must be a module that Python finds from here")


@contextlib.contextmanager
def _own_modules_hidden() -> Iterator[None]:
    """Let the script import modules that are called like ours."""
    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in OURS}
    for name in ours:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
            del sys.modules[name]
        sys.modules.update(ours)


@contextlib.contextmanager
def _command_line(first: str | None, arguments: Sequence[str], target: str) -> Iterator[None]:
    """`sys.argv` and the first place that modules are searched in, as the script expects them."""
    argv, path = sys.argv, list(sys.path)
    sys.argv = [target, *arguments]
    if first is not None:
        sys.path[0] = first
    try:
        yield
    finally:
        sys.argv = argv
        sys.path[:] = path


def _shorten_traceback() -> None:
    """From now on the traceback of an uncaught error begins in the script, as without us."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        shorter = traceback
        while shorter is not None and shorter.tb_frame.f_code is not run.__code__:
            shorter = shorter.tb_next
        while shorter is not None and shorter.tb_frame.f_code.co_filename in (
            __file__,
            runpy.__file__,
            "<frozen runpy>",
        ):
            shorter = shorter.tb_next
        before(kind, error.with_traceback(shorter or traceback), shorter or traceback)

    sys.excepthook = hook


def run(target: str, arguments: Sequence[str], *, module: bool = False) -> None:
    """Run a script, or a module by its name, as ``__main__``; what it raises is raised here.

    `sys.argv`, ``sys.path[0]`` and ``__main__`` are what ``python target …`` or ``python -m target …`` make them.
    """
    _shorten_traceback()
    first = None if module else str(Path(target).resolve().parent)
    with _command_line(first, arguments, target), _own_modules_hidden():
        if module:
            runpy.run_module(target, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(target, run_name="__main__")
