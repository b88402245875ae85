"""Whether a committed file of the atlas has the same content as a new one, even if another machine made it.

Another CPU, zlib or matplotlib writes different bytes for the same result: the last bits of a cosine,
other compression, other letter shapes.  So texts are compared number by number, and the picture by what it shows.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from pathlib import Path

#: Decimals in the files have at least six digits, and the sixth may round either way.
REL_DECIMAL = 1e-5
#: Hex floats are exact; both sides are sums of a few thousand roundings of 1e-16 at most.
REL_HEX = 1e-11
#: The base LRs are at most 0.3, so a rate below this is 0 after rounding.
ABS = 1e-15
#: The key under which the picture stores a hash of what it shows.
SHOWN = "Description"

_NUMBER = re.compile(r"(-?0x[01]\.[0-9a-f]+p[+-]\d+|-?\d+\.\d+(?:e[+-]\d+)?|-?\d+e[+-]\d+)")
#: The last part of every PNG.
_END = b"\0\0\0\0IEND\xaeB`\x82"


def same(path: Path, made: bytes) -> bool:
    """Whether the file exists, is undamaged, and has the same content as `made`."""
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
    """The hash that the picture stores of what it shows; raises ValueError for a damaged PNG or one without it."""
    from PIL import Image, UnidentifiedImageError  # it comes with matplotlib, which only the atlas needs

    if picture.find(_END) != len(picture) - len(_END):
        raise ValueError("picture must end where the PNG ends")
    try:
        with Image.open(io.BytesIO(picture), formats=["PNG"]) as image:
            digest = image.info.get(SHOWN)
            image.verify()  # the checksum of every part
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"picture must be an intact PNG: {error}") from None
    if not isinstance(digest, str):
        raise ValueError(f"picture must have a text {SHOWN!r} with the hash of what it shows")
    return digest.encode()
