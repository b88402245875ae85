"""The order of releases."""

from __future__ import annotations

import re


def version_key(release: str) -> tuple[int, ...]:
    """The numbers in a final release, for sorting.

    >>> version_key("4.46.3") < version_key("5.10.1"), version_key("0.1.5.post20221221") > version_key("0.1.5")
    (True, True)
    """
    return tuple(map(int, re.findall(r"\d+", release.partition("+")[0])))
