"""The recorded trace as a CSV file: one line per optimizer step and parameter group."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, NamedTuple


class StepRow(NamedTuple):
    """One parameter group at one optimizer step.

    * `step`: 0 for the first update of this optimizer; steps that updated nothing are not numbered;
    * `lr`, `momentum` (or Adam's β1), `weight_decay`: in force at that step, NaN where the optimizer has none;
    * `backwards`: backward passes that gave this optimizer gradients since its previous step;
    * `scheduler_steps`: calls of ``scheduler.step()`` since then, by the optimizer's most active scheduler;
    * `skipped`: steps that a gradient scaler skipped since then;
    * `built_with`: the LR that the group was built with, before any scheduler (``initial_lr``), else NaN;
    * `schedulers`: how many of torch's schedulers this optimizer has had so far, without the parts of others;
    * `scheduler_at`: the ``last_epoch`` of the scheduler that moved last, NaN without one;
    * `scheduler_length`: the steps of its schedule, infinite without an end, NaN where it does not say;
    * `state_step`: at the first row, the updates in the optimizer's own state: 0, or those before a resume; else NaN;
    * `idle_schedulers`: how many schedulers have moved an optimizer that has made no update so far.
    """

    step: int
    optimizer: str
    group: int
    lr: float
    momentum: float
    weight_decay: float
    backwards: int
    scheduler_steps: int
    skipped: int
    built_with: float = math.nan
    schedulers: int = 0
    scheduler_at: float = math.nan
    scheduler_length: float = math.nan
    state_step: float = math.nan
    idle_schedulers: int = 0

    def line(self) -> str:
        r"""The row as a line of CSV, with numbers in full precision.

        >>> StepRow(7, "SGD", 0, 0.1, math.nan, 0.0, 1, 1, 0, built_with=0.1, schedulers=1, scheduler_at=7.0).line()
        '7,SGD,0,0.1,,0.0,1,1,0,0.1,1,7,,,0\n'
        """
        numbers = ",".join("" if math.isnan(x) else repr(x) for x in (self.momentum, self.weight_decay))
        counts = f"{self.backwards},{self.scheduler_steps},{self.skipped}"
        built = "" if math.isnan(self.built_with) else repr(self.built_with)
        clocks = (self.scheduler_at, self.scheduler_length, self.state_step)
        clock = ",".join("" if math.isnan(x) else f"{x:.15g}" for x in clocks)
        names = f"{self.step},{self.optimizer},{self.group},{self.lr!r}"
        return f"{names},{numbers},{counts},{built},{self.schedulers},{clock},{self.idle_schedulers}\n"


HEAD = ",".join(StepRow._fields) + "\n"


class CsvJournal:
    """A CSV file that is extended by whole lines during the run, so that a kill keeps everything written before it.

    The constructor raises ValueError for a path that cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._process = path, os.getpid()
        try:
            self._file: IO[str] = path.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise ValueError(f"out={path} must be a writable file ({error.strerror})") from error
        self.add([])

    def add(self, rows: Iterable[StepRow]) -> None:
        """Append rows and flush them to the operating system; a forked child writes nothing."""
        if os.getpid() == self._process:
            head = "" if self._file.tell() else HEAD
            self._file.write(head + "".join(row.line() for row in rows))
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
