"""Every declared schedule, written in every library and back again."""

from __future__ import annotations

import pytest

from suite.libraries.catalogue import libraries
from suite.libraries.core.arguments import Arguments
from suite.libraries.translate.opened import Shelf
from suite.libraries.translate.pairs import all_pairs, pair_counts
from suite.libraries.translate.source import source_of
from suite.releases.cache import ReleaseError
from suite.shared.cli import InputError

#: Schedules that are not equal to themselves: the library does otherwise than the closed form that they are found by.
UNLIKE_THEMSELVES = 60
#: Of a hundred declared calls, at least this many are recognised, and their lengths found: the others are lists of
#: schedulers, have their lengths in the lines before the call, or build on functions of other modules.
RECOGNISED = 90
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


@pytest.mark.slow
def test_every_declared_call_is_recognised() -> None:
    """The call of a schedule, given as a person's, is that schedule, with its lengths."""
    warmup, total = 40, 1000
    right, calls = 0, 0
    names = cached()
    with Shelf(offline=True) as shelf:
        for name in names:
            for schedule in libraries()[name].schedules:
                numbers = Arguments(warmup_steps=warmup, total_steps=total, base_lr=0.5, **schedule.fields)
                calls += 1
                try:
                    source = source_of(numbers.filled(schedule.call), shelf, name)
                except InputError:
                    continue
                same = source.schedule.name == schedule.name or f"{name}/{schedule.name}" in source.also
                lengths = source.numbers.warmup_steps == warmup or "warmup_steps" not in schedule.takes
                right += same and lengths
    assert 100 * right >= RECOGNISED * calls
