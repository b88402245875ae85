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
    * `backwards`: backward passes of the process since the previous step of this optimizer;
    * `scheduler_steps`: calls of ``scheduler.step()`` since then, by the optimizer's most active scheduler;
    * `skipped`: steps that a gradient scaler skipped since then.
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

    def line(self) -> str:
        r"""The row as a line of CSV, with numbers in full precision.

        >>> StepRow(7, "SGD", 0, 0.1, math.nan, 0.0, backwards=1, scheduler_steps=1, skipped=0).line()
        '7,SGD,0,0.1,,0.0,1,1,0\n'
        """
        momentum, decay = ("" if math.isnan(x) else repr(x) for x in (self.momentum, self.weight_decay))
        counts = f"{self.backwards},{self.scheduler_steps},{self.skipped}"
        return f"{self.step},{self.optimizer},{self.group},{self.lr!r},{momentum},{decay},{counts}\n"


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
