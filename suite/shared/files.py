"""Files that are there whole or not at all, and worker processes that do not outlive their parent."""

from __future__ import annotations

import multiprocessing
import os
import re
import secrets
import threading
from pathlib import Path

#: Tells this process from an earlier one that had the same number.
TOKEN = secrets.token_hex(4)
_PART = re.compile(r"\..+\.(\d+)-([0-9a-f]+)\.part")


def in_use(pid: int, token: str) -> bool:
    """Whether the process that left its number and token in a name still runs."""
    if pid == os.getpid():
        return token == TOKEN
    if os.name == "nt":  # no way to ask without a further package, but folders with open files cannot be removed
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, as another user
        return True
    return True


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, whenever the process is killed."""
    for left in path.parent.glob(f".{path.name}.*.part"):
        match = _PART.fullmatch(left.name)
        if match and not in_use(int(match[1]), match[2]):
            left.unlink(missing_ok=True)  # of a process that was killed while it wrote
    part = path.with_name(f".{path.name}.{os.getpid()}-{TOKEN}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)  # of a full disk, half the file would stay
        raise


def end_with_parent() -> None:
    """End this worker when the process that started it is killed; otherwise it would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
