"""Atomic file writes, and worker processes that end with their parent."""

from __future__ import annotations

import multiprocessing
import os
import re
import secrets
import threading
from pathlib import Path

#: Distinguishes this process from an earlier one with the same process id.
TOKEN = secrets.token_hex(4)
_PART = re.compile(r"\..+\.(\d+)-([0-9a-f]+)\.part")


def in_use(pid: int, token: str) -> bool:
    """Whether the process whose id and token are part of a file name is still running."""
    if pid == os.getpid():
        return token == TOKEN
    if os.name == "nt":  # cannot be asked without another package, but folders with open files cannot be removed
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, as another user
        return True
    return True


def write_whole(path: Path, data: bytes) -> None:
    """Write a file atomically: it is complete or unchanged, whenever the process is killed."""
    for left in path.parent.glob(f".{path.name}.*.part"):
        match = _PART.fullmatch(left.name)
        if match and not in_use(int(match[1]), match[2]):
            left.unlink(missing_ok=True)  # from a process that was killed while writing
    part = path.with_name(f".{path.name}.{os.getpid()}-{TOKEN}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)  # on a full disk half the file would remain
        raise


def end_with_parent() -> None:
    """End this worker when the process that started it is killed; otherwise it would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
