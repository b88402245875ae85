"""The order of releases, however a library numbers them."""

from __future__ import annotations

import re

_POST = r"[-_.]?(?:post|rev|r)[-_.]?(\d*)|-(\d+)"
_FINAL = re.compile(rf"v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:{_POST})?", re.ASCII | re.IGNORECASE)

#: Epoch, numbers without zeros at their end, and the number of a correction that came after the release.
Version = tuple[int, tuple[int, ...], int]


def final_version(release: str) -> Version | None:
    """What final releases are sorted by, equal for two spellings of one; None for a candidate or a local build.

    >>> final_version("0.6") == final_version("0.6.0"), final_version("1.0rc1"), final_version("2.1+cpu")
    (True, None, None)
    """
    match = _FINAL.fullmatch(release.strip())
    if match is None:
        return None
    epoch, numbers, post, plain_post = match.groups()
    parts = [int(part) for part in numbers.split(".")]
    while parts[1:] and not parts[-1]:
        parts.pop()
    corrected = -1 if post is None and plain_post is None else int(post or plain_post or 0)
    return int(epoch or 0), tuple(parts), corrected


def version_key(release: str) -> Version:
    """What releases are sorted by; anything that is built before or after a release, such as 2.1+cpu, is that release.

    >>> sorted(["2022.3", "0.10.0", "0.9", "0.1.5.post20221221", "0.1.5"], key=version_key)
    ['0.1.5', '0.1.5.post20221221', '0.9', '0.10.0', '2022.3']
    >>> version_key("5.0.0.dev0") == version_key("5.0.0+cpu") == version_key("5")
    True
    """
    numbers = re.match(r"[0-9]+(\.[0-9]+)*", release)
    return final_version(release) or final_version(numbers[0] if numbers else "0") or (0, (0,), -1)
