"""The user's cache folder: where it is, and temporary folders in it that do not outlive a kill."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from .files import TOKEN, in_use

VARIABLE = "WARMUP_BENCH_CACHE"

_WORK = re.compile(r"\.work-(\d+)-([0-9a-f]+)-.*")


def root() -> Path:
    """The folder of the cache: the platform's user cache folder, or WARMUP_BENCH_CACHE."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("warmup-bench", appauthor=False))


@contextlib.contextmanager
def workspace(release: str) -> Iterator[Path]:
    """A temporary folder of this process inside the cache; `sweep` removes it after a kill."""
    root().mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix=f".work-{os.getpid()}-{TOKEN}-{release}-", dir=root()))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def sweep() -> None:
    """Remove what killed processes left behind."""
    if not root().is_dir():
        return
    for path in root().iterdir():
        match = _WORK.fullmatch(path.name)
        if match and not in_use(int(match[1]), match[2]):
            shutil.rmtree(path, ignore_errors=True)
