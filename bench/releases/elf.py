"""What a shared library of Linux needs and defines, read from its file: ELF, 64 bits, little-endian.

Section headers are read rather than the dynamic table, because torch's build moves the latter's tables to the end.
"""

from __future__ import annotations

import dataclasses
import mmap
import struct
from pathlib import Path

import numpy as np

MAGIC = b"\x7fELF\x02\x01"
X86_64 = 62
#: Binding of a symbol that may stay undefined.
WEAK = 2
#: Types of sections, and the tag of a needed library.
_DYNAMIC, _DYNSYM, _VERNEED, _VERSYM = 6, 11, 0x6FFFFFFE, 0x6FFFFFFF
_NEEDED = 1
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
)


class BadLibrary(ValueError):
    """The file is not a shared library of this kind."""


@dataclasses.dataclass(frozen=True)
class Undefined:
    """A symbol that another library must define; `library`: the one that it was linked to, where that was recorded."""

    name: str
    library: str | None


@dataclasses.dataclass(frozen=True)
class SharedObject:
    """The libraries that one needs by name, the symbols that it lacks, weak ones left out, and those it defines."""

    needed: tuple[str, ...]
    undefined: tuple[Undefined, ...]
    defined: frozenset[str]


def read_library(path: Path) -> SharedObject:
    """Read the dynamic symbols of a library; BadLibrary where the file is damaged or of another kind."""
    with path.open("rb") as file:
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _read(content)
        except (ValueError, IndexError, StopIteration, struct.error) as error:
            raise BadLibrary(f"{path.name} cannot be read as a shared library for x86_64: {error}") from error


def _read(content: mmap.mmap) -> SharedObject:
    if content[:6] != MAGIC or struct.unpack_from("<H", content, 18)[0] != X86_64:
        raise ValueError("another format")
    (start,) = struct.unpack_from("<Q", content, 40)
    size, count = struct.unpack_from("<HH", content, 58)
    sections = [_SECTION.unpack_from(content, start + k * size) for k in range(count)]
    by_kind = {section[1]: section for section in sections}

    def part(section: tuple[int, ...]) -> bytes:
        return content[section[4] : section[4] + section[5]]

    symbols = np.frombuffer(part(by_kind[_DYNSYM]) if _DYNSYM in by_kind else b"", dtype=_SYMBOL)
    names = part(sections[by_kind[_DYNSYM][6]])

    def text(offset: int) -> str:
        return names[offset : names.index(b"\0", offset)].decode()

    files = _version_files(part(by_kind[_VERNEED]), text) if _VERNEED in by_kind else {}
    versions = np.frombuffer(part(by_kind[_VERSYM]), dtype="<u2") if _VERSYM in by_kind else np.ones(len(symbols))
    dynamic = np.frombuffer(part(by_kind[_DYNAMIC]), dtype="<i8").reshape(-1, 2).tolist()
    absent = (symbols["section"] == 0) & (symbols["name"] > 0)
    lacking = [
        Undefined(text(int(symbols["name"][k])), files.get(int(versions[k]) & 0x7FFF))
        for k in np.flatnonzero(absent & (symbols["info"] >> 4 != WEAK))
    ]
    return SharedObject(
        tuple(text(value) for tag, value in dynamic if tag == _NEEDED),
        tuple(lacking),
        frozenset(text(int(offset)) for offset in symbols["name"][symbols["section"] != 0]),
    )


def _version_files(table: bytes, text: object) -> dict[int, str]:
    """The library that each version index belongs to, from the table of needed versions."""
    assert callable(text)
    files, place = {}, 0
    while True:
        _, count, library, first, following = struct.unpack_from("<HHIII", table, place)
        entry = place + first
        for _ in range(count):
            _, _, index, _, step = struct.unpack_from("<IHHII", table, entry)
            files[index & 0x7FFF] = str(text(library))
            entry += step
        if not following:
            return files
        place += following
