"""Temporary environments: one real torch release in a folder that is removed afterwards, whatever happens."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import numpy as np

from suite.shared.cli import InputError
from suite.shared.console import printable
from suite.shared.user_pip import NEUTRAL, last_line

ROOT = Path(__file__).resolve().parents[2]
#: A Linux build of 2.8.0 with its CUDA packages takes 6.5 GB, and pip unpacks beside its downloads.
ROOM = 10 * 10**9
#: Seconds to wait before the second and the third attempt of an install.
PAUSES = (5.0, 30.0)
#: Seconds for one attempt, and for the cases (about 10 s on an idle machine).
INSTALL_PATIENCE, CASES_PATIENCE = 1800.0, 600.0

Call = Callable[[Sequence[str], float, Path], None]


class InstallError(InputError):
    """An environment cannot be made or used; the text is the one line that says why."""


def call(command: Sequence[str], patience: float, scratch: Path) -> None:
    """Run a command from the repository's root; raises InstallError with the last line of its output if it fails.

    The command's temporary files go to `scratch`: a killed pip leaves GBs of them behind.
    """
    # The user's PYTHONPATH could put another torch before the one just installed.
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    clean |= NEUTRAL | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    name = " ".join(Path(part).name if os.path.isabs(part) else part for part in command)
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=patience
        )
    except subprocess.TimeoutExpired:
        raise InstallError(f"command={name!r} must end within {patience:.0f} s") from None
    except OSError as error:
        raise InstallError(f"command={name!r} cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        raise InstallError(f"command={name!r} ended with code {done.returncode}: {last_line(done.stdout)}")


def requirements(release: str) -> list[str]:
    """What the run there imports; NumPy has the version used here, because it computes the tables of a LambdaLR."""
    return [f"torch=={release}", f"numpy=={np.__version__}"]


def _interpreter(home: Path) -> Path:
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(
    release: str,
    home: Path,
    run: Call = call,
    pause: Callable[[float], None] = time.sleep,
    needs: Sequence[str] = (),
) -> Path:
    """Make an environment with this torch, and with `needs`, in `home`; return its interpreter.

    Raises InstallError after three tries.
    """
    run([sys.executable, "-m", "venv", str(home)], INSTALL_PATIENCE, home.parent)
    python = _interpreter(home)
    command = [str(python), "-m", "pip", "install", "--no-cache-dir", "--quiet", *requirements(release), *needs]
    for wait in PAUSES:
        try:
            run(command, INSTALL_PATIENCE, home.parent)
        except InstallError as error:
            print(printable(f"{error}; next try in {wait:.0f} s"), file=sys.stderr)
            pause(wait)
        else:
            return python
    run(command, INSTALL_PATIENCE, home.parent)
    return python


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


@contextlib.contextmanager
def environment(release: str, run: Call = call, needs: Sequence[str] = ()) -> Iterator[Path]:
    """The interpreter of a new environment with this torch and `needs`; it is removed afterwards, whatever happens."""
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < ROOM:
        raise InstallError(f"free={free // 10**9} GB must be >= {ROOM // 10**9} GB in the temporary folder (TMPDIR)")
    before = signal.signal(signal.SIGTERM, _stop)  # so that a plain `kill` removes the folder as well
    try:
        with tempfile.TemporaryDirectory(prefix="warmup-bench-", ignore_cleanup_errors=True) as home:
            yield install(release, Path(home) / "env", run, needs=needs)
    finally:
        signal.signal(signal.SIGTERM, before)
