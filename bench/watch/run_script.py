"""Run a user's script in this process as Python itself would."""

from __future__ import annotations

import contextlib
import importlib.util
import runpy
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

#: Our packages in a clone; a script may have its own modules with these names.
OURS = ("bench", "reference", "suite") if __name__.startswith("bench.") else ()


def check_target(target: str, *, module: bool) -> None:
    """Raise ValueError unless the script (with ``-m``: the module) exists."""
    if not module:
        if not Path(target).exists():
            raise ValueError(f"script={target} must be an existing Python file (or -m and a module name)")
        return
    try:
        spec = importlib.util.find_spec(target)
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        raise ValueError(f"module={target} must be importable from the current folder")


@contextlib.contextmanager
def _own_modules_hidden() -> Iterator[None]:
    """Let the script import its own modules with the names of ours."""
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
    """Set `sys.argv` and the first entry of `sys.path` as the script expects them."""
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
    """Start the traceback of an uncaught error in the script, as if it ran without us."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        shorter = traceback
        while shorter is not None and shorter.tb_frame.f_code is not run_target.__code__:
            shorter = shorter.tb_next
        while shorter is not None and shorter.tb_frame.f_code.co_filename in (
            __file__,
            runpy.__file__,
            "<frozen runpy>",
        ):
            shorter = shorter.tb_next
        before(kind, error.with_traceback(shorter or traceback), shorter or traceback)

    sys.excepthook = hook


#: What finished scripts leave behind, kept until the process ends, as Python keeps it: to free a model of
#: DistributedDataParallel before can hang: it waits for a thread of gloo, which waits for the interpreter.
_left_behind: list[dict[str, Any]] = []


def run_target(target: str, arguments: Sequence[str], *, module: bool = False) -> None:
    """Run a script, or a module by its name, as ``__main__``; its exceptions propagate.

    `sys.argv`, ``sys.path[0]`` and ``__main__`` are set as by ``python target …`` or ``python -m target …``.
    """
    _shorten_traceback()
    first = None if module else str(Path(target).resolve().parent)
    with _command_line(first, arguments, target), _own_modules_hidden():
        if module:
            _left_behind.append(runpy.run_module(target, run_name="__main__", alter_sys=True))
        else:
            _left_behind.append(runpy.run_path(target, run_name="__main__"))
