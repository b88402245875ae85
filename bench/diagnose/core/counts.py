"""What a recorder counted beside the learning rates, one number for each update of one optimizer."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference.check import Rates, Steps

#: The columns of a recording that hold counts; a log with all of them is a recording.
COLUMNS = (
    *("backwards", "scheduler_steps", "skipped", "built_with", "schedulers", "scheduler_at", "scheduler_length"),
    *("state_step", "idle_schedulers"),
)


@dataclasses.dataclass(frozen=True, eq=False)
class Counts:
    """What the loop did between the updates of one optimizer.

    * `backwards`, `moves`, `skipped`: backward passes, scheduler steps, and steps left out by a gradient scaler, since
      the previous update;
    * `at`: the scheduler's ``last_epoch`` at each update, NaN without one;
    * `built_with`: the LR that the group was built with, NaN if no scheduler noted it;
    * `schedulers`: how many the optimizer had in the end;
    * `length`: the steps of the schedule, infinite without an end, NaN where it does not say;
    * `state_step`: updates in the optimizer's own state before the first one, NaN where it counts none;
    * `idle`: whether a scheduler moves an optimizer that never makes an update;
    * `beside`: the optimizer that trains at the same time and has a scheduler, "" if there is none;
    * `beside_schedulers`: how many that one has.
    """

    backwards: Steps
    moves: Steps
    skipped: Steps
    at: Rates
    built_with: float = math.nan
    schedulers: int = 0
    length: float = math.nan
    state_step: float = math.nan
    idle: bool = False
    beside: str = ""
    beside_schedulers: int = 0

    @property
    def pace(self) -> int:
        """The most common number of scheduler steps between two updates; 0 where there is only one update."""
        after = self.moves[1:]
        return int(np.bincount(after).argmax()) if after.size else 0

    @property
    def resumed_at(self) -> int:
        """The step of the schedule at which a resumed run starts, 0 for one that starts at its first step.

        The scheduler must be past its first step without having been stepped here, or stepped ahead to the count in
        the optimizer's own state, and then move once per update.
        """
        start = self.at[0] if self.at.size else math.nan
        if math.isnan(start) or start < 1 or self.pace != 1 or self.skipped.any():
            return 0
        loaded = self.moves[0] == 0 or self.state_step == start
        return int(start) if loaded and (self.moves[1:] == 1).all() else 0

    def alike(self, other: Counts) -> bool:
        """Whether two optimizers were treated in the same way."""
        ours, theirs = ((c.moves, c.skipped, c.backwards) for c in (self, other))
        same = all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
        return same and (self.schedulers, self.idle, self.beside) == (other.schedulers, other.idle, other.beside)


def read_counts(load: Callable[[str], NDArray[Any]], owners: Sequence[tuple[str, Steps]]) -> list[Counts]:
    """The counts of each owner of rows: the optimizer's name, and its rows in order of time.

    `load` gives a column of the recording, in which empty cells are NaN.
    """
    columns = {name: np.asarray(load(name), dtype=np.float64) for name in COLUMNS}
    moved = [(name, rows) for name, rows in owners if columns["scheduler_steps"][rows].any()]
    result = []
    for name, rows in owners:
        own = {column: values[rows] for column, values in columns.items()}
        beside = [(other, theirs) for other, theirs in moved if other != name and _overlap(rows, theirs)]
        backwards, moves, skipped = (own[column].astype(np.int64) for column in COLUMNS[:3])
        built_with, schedulers, at, length, state_step, idle = (own[column] for column in COLUMNS[3:])
        result.append(
            Counts(
                backwards,
                moves,
                skipped,
                at,
                built_with=_last(built_with),
                schedulers=int(schedulers[-1]),
                length=_last(length),
                state_step=float(state_step[0]),
                idle=bool(idle[-1]),
                beside=beside[0][0] if beside else "",
                beside_schedulers=int(columns["schedulers"][beside[0][1]].max()) if beside else 0,
            )
        )
    return result


def _last(values: Rates) -> float:
    known = values[~np.isnan(values)]
    return float(known[-1]) if known.size else math.nan


def _overlap(rows: Steps, others: Steps) -> bool:
    """Whether two optimizers train at the same time, for more than half of the shorter one's updates."""
    first, last = max(int(rows[0]), int(others[0])), min(int(rows[-1]), int(others[-1]))
    return 2 * (last - first) > min(int(rows[-1] - rows[0]), int(others[-1] - others[0]))
