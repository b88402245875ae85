"""The child process: runs scripts with a library's files, and may do little else.

The code is a stranger's, fetched at run time.  It gets no network, starts no process and writes no file; this guards
against accidents, not against malice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import warnings
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from suite.shared.words import without_addresses

from .stubs import SCRIPT, LibraryFinder, Stub

#: Events of `sys.audit` that a schedule has no reason for.
FORBIDDEN = (
    *("socket.", "subprocess.", "ftplib.", "smtplib.", "urllib.", "webbrowser."),
    *("os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "os.kill"),
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "shutil."),
)


@dataclasses.dataclass(frozen=True)
class Load:
    """What a child is given first: the files of the library (None: import the installed one), and what is real."""

    files: Mapping[str, bytes] | None
    real: tuple[str, ...] = ()
    stand_ins: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class LibraryRun:
    """What a script did: the LRs of the updates that were reached, and the exception that ended it.

    `stage`: ``absent`` (this release has no such schedule), ``import`` (its file cannot be loaded), ``construction``
    or ``update`` (where the exception came), ``done``.
    """

    stage: str
    lrs: tuple[tuple[float, ...], ...] = ()
    error: str = ""
    message: str = ""


def _forbid(event: str, args: tuple[Any, ...]) -> None:
    if event == "open":
        path, mode, flags = args
        writes = isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        if (writes or set(str(mode or "")) & set("wax+")) and path != os.devnull:
            raise PermissionError(f"a library's schedule must not write files, but opens {path!r}")
    elif event.startswith(FORBIDDEN):
        raise PermissionError(f"a library's schedule must compute LRs only, but asks for {event}")


def run_script(imports: str, body: str) -> LibraryRun:
    """Run one script; every exception of the library's is a part of the result."""
    scope: dict[str, Any] = {"__name__": SCRIPT}
    stage = "import"
    try:
        exec(compile(imports, "<imports>", "exec"), scope)
        missing = [name for name, value in scope.items() if isinstance(value, Stub)]
        if missing:
            return LibraryRun("absent", error="ImportError", message=f"{', '.join(missing)} does not exist")
        stage = "construction"
        exec(compile(body, "<script>", "exec"), scope)
        stage = "done"
    except ImportError as error:
        return LibraryRun("absent" if stage == "import" else stage, _rows(scope), *_words(error))
    except Exception as error:  # noqa: BLE001  # the library's own, whatever it is
        stage = "update" if "t" in scope else stage
        return LibraryRun(stage, _rows(scope), *_words(error))
    return LibraryRun(stage, _rows(scope))


def _words(error: Exception) -> tuple[str, str]:
    return type(error).__name__, without_addresses(" ".join(str(error).split()))[:300]


def _rows(scope: Mapping[str, Any]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(lr) for lr in row) for row in scope.get("lrs", ()))


def work(pipe: Connection) -> None:
    """Answer each script that comes through the pipe, until it is closed."""
    load: Load = pipe.recv()
    if load.files is not None:
        sys.meta_path.insert(0, LibraryFinder(load.files, load.real, load.stand_ins))
        for name in {path.partition("/")[0].removesuffix(".py") for path in load.files}:
            sys.modules.pop(name, None)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        import torch

        torch.set_num_threads(1)
        if load.files is not None:  # what the user installed may do as it does elsewhere
            sys.addaudithook(_forbid)
        warnings.simplefilter("ignore")
        pipe.send("started")
        with contextlib.suppress(EOFError):
            while True:
                pipe.send(run_script(*pipe.recv()))
