"""Parameter groups: added, removed, reordered, changed by hand, frozen, and with lists of arguments."""

from collections.abc import Iterator

from suite.engine.case import Case

from . import added, altered, listed


def cases() -> Iterator[Case]:
    """Every experiment on groups."""
    yield from added.cases()
    yield from altered.cases()
    yield from listed.cases()
