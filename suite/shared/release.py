"""The names of torch releases, and the error of one that cannot be fetched or used."""

from __future__ import annotations

import re

from .cli import InputError

OLDEST = (1, 11)


class ReleaseError(InputError):
    """A release cannot be fetched or used; the text is the one line that says why."""


def numbers(release: str) -> tuple[int, ...]:
    """The release as numbers, for sorting.

    >>> numbers("2.10.0") > numbers("2.9.1")
    True
    """
    return tuple(int(part) for part in release.split("."))


def canonical(text: str) -> str:
    """The release as the cache spells it; raises ReleaseError unless it is a final release from 1.11 on.

    >>> canonical("2.8"), canonical("2.8.0+cpu")
    ('2.8.0', '2.8.0')
    """
    match = re.fullmatch(r"(\d+)\.(\d+)(?:\.(\d+))?(?:\+\w+)?", text.strip(), re.ASCII)
    if match is None:
        raise ReleaseError(f"release={text!r} must be a final torch release such as 2.8.0")
    parts = tuple(int(part or 0) for part in match.groups())
    if parts < OLDEST:
        raise ReleaseError(f"release={text} must be 1.11.0 or newer")
    return ".".join(map(str, parts))
