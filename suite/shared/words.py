"""Words for people: a number with its noun, and text that is the same in every run."""

from __future__ import annotations

import re


def counted(count: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "step"), counted(2, "step")
    ('1 step', '2 steps')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def without_addresses(text: str) -> str:
    """The text without where objects lie in memory, which is another place in each run.

    >>> without_addresses("<LambdaLR object at 0x7f2a583df550> has no LR")
    '<LambdaLR object> has no LR'
    """
    return re.sub(r" at 0x[0-9a-f]+", "", text)
