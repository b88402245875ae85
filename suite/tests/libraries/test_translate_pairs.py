"""Every declared schedule, written in every library and back again."""

from __future__ import annotations

import pytest

from suite.libraries.catalogue import libraries
from suite.libraries.translate.opened import Shelf
from suite.libraries.translate.pairs import all_pairs, pair_counts
from suite.releases.cache import ReleaseError

#: Schedules that are not equal to themselves: the library does otherwise than the closed form that they are found by.
UNLIKE_THEMSELVES = 60
#: Of a hundred equal pairs, at least this many come back equal.
BACK = 90


def cached() -> list[str]:
    """The libraries whose files can be read without a network."""
    names = []
    with Shelf(offline=True) as shelf:
        for name in libraries():
            try:
                names.append(shelf.open(name).library.name)
            except ReleaseError:
                continue
    return names


@pytest.mark.slow
def test_round_trips() -> None:
    """An equal call comes back equal, or with a stated difference; what is not equal has a difference in words."""
    names = cached()
    if len(names) < 2:
        pytest.skip("no library's files are cached: `python -m suite fetch` brings them")
    with Shelf(offline=True) as shelf:
        pairs, failed = all_pairs(shelf, names)
    assert failed == {}
    counts = pair_counts(pairs)
    assert counts["pairs"] == counts["schedules"] * (len(names) - 1)
    assert counts["equal"] > counts["schedules"]  # each in more than one other library, on average
    assert 100 * counts["back"] >= BACK * counts["equal"]
    for pair in pairs:
        assert pair.row()["difference"]
        assert not pair.equal or pair.row()["back"]
    own = [pair for pair in pairs if pair.source.opened.library.name == pair.to]
    assert sum(not pair.equal for pair in own) <= UNLIKE_THEMSELVES
