"""Speeds of several functions, measured in turns: what slows the machine down for a while slows all of them down."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bench.toy.devices import settle

#: Calls before anything is timed: the first ones allocate, compile and capture.
FIRST_CALLS = 3
#: Timed calls that estimate the length of a round.
PILOT_CALLS = 3


class Rate(NamedTuple):
    """Calls per second: the median over rounds, the lowest and the highest."""

    median: float
    low: float
    high: float


def timed(function: Callable[[], object], calls: int, device: str) -> float:
    """Seconds for a number of calls, including the work that they queue on the device."""
    settle(device)
    start = time.perf_counter()
    for _ in range(calls):
        function()
    settle(device)
    return time.perf_counter() - start


def calls_at_most(rounds: int, most: int) -> int:
    """Calls in a round, so that all calls of one function are at most `most`.

    >>> calls_at_most(5, 106)
    20
    """
    return max(1, (most - FIRST_CALLS - PILOT_CALLS) // rounds)


def in_turns(
    functions: Mapping[str, Callable[[], object]], rounds: int, seconds: float, device: str, most: int
) -> dict[str, Rate]:
    """The rate of each function, called for about `seconds` in each round and at most `most` times in all."""
    counts = {}
    for name, function in functions.items():
        timed(function, FIRST_CALLS, device)
        per_call = timed(function, PILOT_CALLS, device) / PILOT_CALLS
        counts[name] = max(1, min(round(seconds / max(per_call, 1e-9)), calls_at_most(rounds, most)))
    rates: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            rates[name].append(counts[name] / timed(function, counts[name], device))
    return {name: Rate(statistics.median(each), min(each), max(each)) for name, each in rates.items()}
