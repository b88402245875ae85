"""Whether a committed file of the atlas says what a new one says, also when another machine made it.

Another CPU, zlib or matplotlib gives other bytes for the same result: the last bits of a cosine, other
compression, another shape of a letter.  So texts are compared number by number, and the picture by what it shows.
"""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

#: Decimals in the files have six digits or more, so the sixth may be rounded the other way: half of 1e-5.
REL_DECIMAL = 1e-5
#: Hex floats are exact; both sides are sums of a few thousand roundings of 1e-16 at most.
REL_HEX = 1e-11
#: The base LRs are 0.3 and less, so a rate below this is the rounding of 0.
ABS = 1e-15
#: The key under which the picture holds a hash of what it shows.
SHOWN = "Description"

_NUMBER = re.compile(r"(-?0x[01]\.[0-9a-f]+p[+-]\d+|-?\d+\.\d+(?:e[+-]\d+)?|-?\d+e[+-]\d+)")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def same(path: Path, made: bytes) -> bool:
    """Whether the file is there, undamaged, and says the same as `made`."""
    if not path.exists():
        return False
    stored = path.read_bytes()
    if stored == made:
        return True
    try:
        if path.suffix == ".gz":
            return _same_text(gzip.decompress(stored).decode(), gzip.decompress(made).decode())
        if path.suffix == ".html":
            return _same_text(stored.decode(), made.decode())
        return path.suffix == ".png" and shown(stored) == shown(made)
    except (OSError, EOFError, ValueError, zlib.error):
        return False


def _same_text(stored: str, made: str) -> bool:
    old, new = stored.split("\n"), made.split("\n")
    return len(old) == len(new) and all(a == b or _same_line(a, b) for a, b in zip(old, new, strict=True))


def _same_line(stored: str, made: str) -> bool:
    old, new = _NUMBER.split(stored), _NUMBER.split(made)  # every second part is a number
    if len(old) != len(new) or old[::2] != new[::2]:
        return False
    return all(a == b or _same_number(a, b) for a, b in zip(old[1::2], new[1::2], strict=True))


def _same_number(stored: str, made: str) -> bool:
    exact = "0x" in stored and "0x" in made
    a, b = (float.fromhex(text) if "0x" in text else float(text) for text in (stored, made))
    return abs(a - b) <= max((REL_HEX if exact else REL_DECIMAL) * abs(b), ABS)


def shown(picture: bytes) -> bytes:
    """The hash that the picture holds of what it shows; raises ValueError for a damaged or a foreign PNG."""
    if not picture.startswith(_SIGNATURE):
        raise ValueError("picture must begin as a PNG does")
    at, found = len(_SIGNATURE), b""
    while at < len(picture):
        size = int.from_bytes(picture[at : at + 4], "big")
        kind, body = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + size]
        if int.from_bytes(picture[at + 8 + size : at + 12 + size], "big") != zlib.crc32(kind + body):
            raise ValueError(f"picture must have intact parts, but {kind!r} is damaged")
        if kind == b"tEXt" and body.startswith(f"{SHOWN}\0".encode()):
            found = body
        at += 12 + size
        if kind == b"IEND":
            break
    else:
        raise ValueError("picture must have an end")
    if not found or at != len(picture):
        raise ValueError("picture must hold the hash of what it shows, and nothing after its end")
    return found
