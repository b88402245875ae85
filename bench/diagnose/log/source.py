"""The content of a log: a file, a compressed file, or standard input."""

from __future__ import annotations

import dataclasses
import sys
import zlib
from pathlib import Path
from typing import BinaryIO

#: A log of 1e7 steps is about 300 MB; larger files are rejected unread.
MOST_BYTES = 512 * 2**20
#: Bytes of a file that are inspected to tell text from other data.
HEAD_BYTES = 2**16
#: What names standard input, as in most command-line tools.
STANDARD_INPUT = Path("-")
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
WANDB = b":W&B"


@dataclasses.dataclass(frozen=True)
class Source:
    """The bytes of a log.

    `name`: as the user wrote it; `notes`: remarks on how it was read.
    """

    name: str
    data: bytes
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The start of a message about this log."""
        return f"trace={self.name!r}"

    @property
    def is_events(self) -> bool:
        """Whether it is an event file of TensorBoard: its first record holds the version of the format."""
        return b"brain.Event:" in self.data[:64]

    @property
    def is_wandb(self) -> bool:
        """Whether it is the file in which Weights & Biases keeps a run."""
        return self.data.startswith(WANDB)

    @property
    def is_parquet(self) -> bool:
        """Whether it is a Parquet file."""
        return self.data.startswith(PARQUET)

    def text(self) -> str:
        """The decoded text; raises ValueError for binary data, UnicodeDecodeError for another encoding."""
        if self.data.startswith((b"\xff\xfe", b"\xfe\xff")):  # what `>` of the Windows PowerShell writes
            return self.data.decode("utf-16")
        if b"\0" in self.data[:HEAD_BYTES]:
            raise ValueError(f"{self.shown} must be UTF-8 text (CSV or JSON), but it contains zero bytes")
        return self.data.decode("utf-8-sig")


def read_source(path: Path) -> Source:
    """Read a file, a pipe or, for the path ``-``, standard input; gzip is unpacked.

    Raises ValueError for anything but a file, one that is empty or is too large, OSError for what cannot be read.
    """
    name = str(path)
    shown = f"trace={name!r}"
    if path == STANDARD_INPUT:
        return _unpacked(name, _limited(sys.stdin.buffer, shown))
    if not path.exists():
        raise ValueError(f"{shown} must be an existing file or folder, - for standard input, or module:factory")
    if not (path.is_file() or path.is_fifo()):
        raise ValueError(f"{shown} must be a file, not a {'folder' if path.is_dir() else 'device'}")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(_too_large(shown, f"{size / 1e9:.1f} GB"))
    with path.open("rb") as file:
        return _unpacked(name, _limited(file, shown))


def _limited(file: BinaryIO, shown: str) -> bytes:
    start = file.read(HEAD_BYTES)
    if not start.strip():
        raise ValueError(f"{shown} must have rows, but the file is empty")
    data = start + file.read(MOST_BYTES - len(start) + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(_too_large(shown, "more"))
    return data


def _unpacked(name: str, data: bytes) -> Source:
    if not data.startswith(GZIP):
        return Source(name, data)
    shown = f"trace={name!r}"
    unpacked, rest, whole = bytearray(), data, True
    while rest.startswith(GZIP):  # a rotated log may have several parts
        part = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            unpacked += part.decompress(rest, MOST_BYTES - len(unpacked) + 1)
        except zlib.error as error:
            raise ValueError(f"{shown} must be a gzip file: {error}") from None
        if len(unpacked) > MOST_BYTES:
            raise ValueError(_too_large(shown, "more, unpacked"))
        whole, rest = part.eof, part.unused_data
    if not unpacked.strip():
        raise ValueError(f"{shown} must have rows, but the file is empty")
    notes = () if whole else ("The compressed file is cut off; the part before the cut is read.",)
    return Source(name, bytes(unpacked), notes)


def _too_large(shown: str, size: str) -> str:
    return f"{shown} must have at most {MOST_BYTES / 1e9:.1f} GB, not {size}: log every n steps"
