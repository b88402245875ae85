"""Wheels and source archives: the wanted files in them, at the paths where they are installed."""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

#: Where a wheel may keep a part of what it installs.
_DATA = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")
#: What reading a damaged archive may raise, beside what `zipfile` does.
DAMAGED = (tarfile.TarError, EOFError, zlib.error)

Matches = Callable[[str], bool]


def files_in_wheel(wheel: Path | io.BufferedIOBase, matches: Matches) -> dict[str, bytes]:
    """The files of a wheel whose path matches, their checksums verified."""
    with zipfile.ZipFile(wheel) as archive:
        return _in_zip(archive, lambda name: _DATA.sub("", name, count=1), matches)


def files_in_sdist(content: bytes, matches: Matches) -> dict[str, bytes]:
    """The files of a source archive, compressed by tar or zip, whose path below its top folder matches."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _in_zip(archive, _below_top, matches)
    files = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:*") as archive:
        for member in archive:
            path = _below_top(member.name)
            file = archive.extractfile(member) if member.isfile() and matches(path) else None
            if file is not None:
                files[path] = file.read()
    return files


def _in_zip(archive: zipfile.ZipFile, path_of: Callable[[str], str], matches: Matches) -> dict[str, bytes]:
    paths = {name: path_of(name) for name in archive.namelist() if not name.endswith("/")}
    return {path: archive.read(name) for name, path in paths.items() if matches(path)}


def _below_top(name: str) -> str:
    return name.removeprefix("./").partition("/")[2]
