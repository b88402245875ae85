"""The measurements as one table, and what changed from release to release, with intervals over paired rounds."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bench.toy.measures import Estimate, mean

from .plan import MEASURED, Tracked
from .rounds import FEWEST, QUIET

#: The level of the intervals: there are some hundred of them.
CONFIDENCE = 0.99
#: A change is reported where its whole interval is beyond this ratio, either way.
MARGIN = 1.05

#: A benchmark and a combination of its parameters.
Key = tuple[str, tuple[object, ...]]


@dataclasses.dataclass(frozen=True)
class HistoryTable:
    """Values [arms, rounds] by benchmark and combination; NaN where one was not measured."""

    arms: tuple[str, ...]
    values: Mapping[Key, np.ndarray]

    def medians(self, key: Key) -> list[float | None]:
        """The median over the rounds, for each arm; None where nothing was measured."""
        return [None if np.isnan(row).all() else float(np.nanmedian(row)) for row in self.values[key]]


@dataclasses.dataclass(frozen=True)
class ReleaseChange:
    """How much the later of two releases takes of what the earlier took: ratio, and its interval over the rounds."""

    key: Key
    before: str
    after: str
    ratio: Estimate

    @property
    def is_clear(self) -> bool:
        """Whether the whole interval is beyond the margin."""
        return self.ratio.low > MARGIN or self.ratio.high < 1 / MARGIN


def disturbed(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records whose times count for nothing: other programs had a part of their core.

    None of a release of which fewer than `FEWEST` undisturbed rounds would remain.
    """
    quiet = Counter(record["arm"] for record in records if record["core"] >= QUIET)
    return [record for record in records if record["core"] < QUIET and quiet[record["arm"]] >= FEWEST]


def tabulate(records: Iterable[Mapping[str, Any]], arms: Sequence[str]) -> HistoryTable:
    """The table of the records of all rounds, without the times of those that were disturbed."""
    rows = list(records)
    rounds = max(row["round"] for row in rows) + 1
    without = {id(row) for row in disturbed(rows)}
    once = {measured.name for measured in MEASURED if measured.once}
    values: dict[Key, np.ndarray] = {}
    for row in rows:
        for name, result in row["values"].items():
            for params, value in zip(result["params"], result["values"], strict=True):
                cells = values.setdefault((name, tuple(params)), np.full((len(arms), rounds), math.nan))
                if value is not None and (name in once or id(row) not in without):
                    cells[arms.index(row["arm"]), row["round"]] = value
    return HistoryTable(tuple(arms), values)


def change(table: HistoryTable, key: Key, before: str, after: str) -> ReleaseChange | None:
    """The ratio of two arms: the geometric mean over the rounds, paired, with Student's interval of its logarithm.

    None where fewer than `FEWEST` rounds have both.
    """
    rows = table.values[key]
    logs = np.log(rows[table.arms.index(after)]) - np.log(rows[table.arms.index(before)])
    logs = logs[np.isfinite(logs)]
    if len(logs) < FEWEST:
        return None
    return ReleaseChange(key, before, after, Estimate(*(math.exp(x) for x in mean(logs, CONFIDENCE))))


def changes(table: HistoryTable, releases: Sequence[str]) -> list[ReleaseChange]:
    """Every release against the one before it, for all that was measured in rounds."""
    once = {m.name for m in MEASURED if m.once}
    pairs = list(itertools.pairwise(releases))
    found = (change(table, key, *pair) for key in table.values if key[0] not in once for pair in pairs)
    return [one for one in found if one is not None]


def control(table: HistoryTable, release: str) -> list[ReleaseChange]:
    """The last release against its second copy: what the method itself reports where nothing changed."""
    found = (change(table, key, release, f"{release} again") for key in table.values)
    return [one for one in found if one is not None]


def words(one: ReleaseChange) -> str:
    """A change in words, with its interval.

    >>> words(ReleaseChange(("a.B.time_c", ()), "2.9.1", "2.10.0", Estimate(1.4, 1.3, 1.5)))
    '40 % more [30, 50] in 2.10.0 than in 2.9.1'
    """
    value, low, high = (100 * (x - 1) for x in one.ratio)
    kind = "more" if value >= 0 else "less"
    ends = (low, high) if value >= 0 else (-high, -low)
    return f"{abs(value):.0f} % {kind} [{ends[0]:.0f}, {ends[1]:.0f}] in {one.after} than in {one.before}"


def label(key: Key) -> str:
    """A benchmark and its combination, as the tables name it.

    >>> label(("training.WayStep.time_step", ("closed", "small16", "cpu")))
    'WayStep closed, small16'
    """
    name, params = key
    shown = ", ".join(str(param) for param in params if param != "cpu")
    return f"{name.split('.')[1]} {shown}".strip()


def measured_of(name: str) -> Tracked:
    """The entry of the plan for a benchmark."""
    return next(m for m in MEASURED if m.name == name)


def answer(table: HistoryTable, before: str, after: str, claimed: float = 0.40) -> str:
    """Says or denies that a release made SequentialLR.step slower by the claimed share.

    One group with a float LR; 40 % slower is a ratio of 1.4.
    """
    key = ("scheduler_step.SchedulerStep.time_step", ("sequential", 1, "float"))
    claim = f"torch {after} made SequentialLR.step {100 * claimed:.0f} % slower"
    one = change(table, key, before, after) if {before, after} <= set(table.arms) and key in table.values else None
    if one is None:
        return f'"{claim}": not measured.'
    low, high = one.ratio.low, one.ratio.high
    if low <= 1 + claimed <= high:
        verdict = "is confirmed" if low > 1 else "is undecided"
    elif low > 1:
        verdict = f"is half right, it is slower but by {'less' if high < 1 + claimed else 'more'}"
    else:
        verdict = "is denied"
    return f'"{claim}" {verdict}: a step takes {words(one)}.'
