"""The releases of a project in their order, however it numbers them."""

from __future__ import annotations

import re

#: Epoch, numbers, and what was corrected after the release; an alpha, a beta, a candidate and a local build are none.
_POST = r"[-_.]?(?:post|rev|r)[-_.]?(\d*)|-(\d+)"
_FINAL = re.compile(rf"v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:{_POST})?", re.ASCII | re.IGNORECASE)

Order = tuple[int, tuple[int, ...], int]


def order(release: str) -> Order | None:
    """What final releases are sorted by, equal for two spellings of one release; None for anything else.

    >>> sorted(["2022.3", "0.10.0", "0.9", "0.1.5.post20221221", "0.1.5"], key=order)
    ['0.1.5', '0.1.5.post20221221', '0.9', '0.10.0', '2022.3']
    >>> order("0.6") == order("0.6.0"), order("1.0rc1"), order("2.0.dev3"), order("2.1+cpu")
    (True, None, None, None)
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


def normal(project: str) -> str:
    """The name of a project as an index spells it.

    >>> normal("Pytorch_Optimizer"), normal("OpenNMT.py")
    ('pytorch-optimizer', 'opennmt-py')
    """
    return re.sub(r"[-_.]+", "-", project).lower()
