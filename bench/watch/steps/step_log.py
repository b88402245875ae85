"""The log of optimizer steps: the optimizers observed, and the numbers captured at each of their steps."""

from __future__ import annotations

import dataclasses
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim import Optimizer

from .csv_journal import CsvJournal, StepRow
from .lazy_numbers import LazyNumber, capture, read_all
from .live_scheduler import LiveScheduler

#: After this many steps the captured numbers are read, with one synchronisation of the device.
BLOCK_STEPS = 2000
#: With a journal, also after this many seconds: a kill loses at most this much.
BLOCK_SECONDS = 5.0
#: Numbers captured per parameter group: LR, momentum, weight decay, the LR it was built with.
PER_GROUP = 4
#: Columns of integers.
INTEGERS = ("step", "group", "backwards", "scheduler_steps", "skipped", "schedulers", "idle_schedulers")


@dataclasses.dataclass(eq=False)
class WatchedOptimizer:
    """One optimizer: its number and name, its calls so far, and the counts since the last call."""

    number: int
    name: str
    calls: int = 0
    updates: int = 0
    skipped: int = 0
    single: bool = False  # whether any LR was a float32 tensor
    backwards_before: int = 0
    scheduler_steps: Counter[int] = dataclasses.field(default_factory=Counter)  # by the number of the scheduler
    schedulers: list[LiveScheduler] = dataclasses.field(default_factory=list)  # all that it has had
    moved: bool = False  # whether any of them was stepped
    scheduler: LiveScheduler | None = None  # the one that was built or stepped last
    base_lrs: list[float] | None = None  # the LRs that it had before its first scheduler
    state_step: float | None = None  # the updates in its own state before the first recorded step
    carried: tuple[int, int, int] = (0, 0, 0)  # counts of the skipped steps since the last update


@dataclasses.dataclass(eq=False)
class StepCall:
    """One call of an optimizer's step; `found_inf` > 0 where it updated nothing."""

    watched: WatchedOptimizer
    numbers: list[LazyNumber]
    found_inf: LazyNumber
    inner: bool = False  # whether a nested step was recorded instead of this one
    backwards: int = 0
    scheduler_steps: int = 0
    schedulers: int = 0
    scheduler_at: float = math.nan
    scheduler_length: float = math.nan
    idle_schedulers: int = 0
    sure: bool = False  # whether the LR was read where the update is made
    moved_before: int = 0  # scheduler steps since the last update when this call started


def read_groups(optimizer: Optimizer) -> list[LazyNumber]:
    """LR, momentum (or β1) and weight decay of each parameter group, concatenated."""
    numbers: list[LazyNumber] = []
    for group in optimizer.param_groups:
        betas = group.get("betas")
        numbers += (capture(group.get("lr")), capture(betas[0] if betas else group.get("momentum")))
        numbers += (capture(group.get("weight_decay")), capture(group.get("initial_lr")))
    return numbers


def updates_in_state(optimizer: Optimizer) -> float:
    """The updates that the optimizer's own state counts: 0 without a state, NaN where the state has no count."""
    states = getattr(optimizer, "state", None)
    if not states:
        return 0.0
    state = next(iter(states.values()))
    return float(capture(state.get("step"))) if isinstance(state, dict) else math.nan


def has_single(optimizer: Optimizer) -> bool:
    """Whether any LR is a float32 tensor, which has 7 digits."""
    rates = (group.get("lr") for group in optimizer.param_groups)
    return any(isinstance(lr, torch.Tensor) and lr.dtype is torch.float32 for lr in rates)


class StepLog:
    """The calls in chronological order, converted to rows block by block."""

    def __init__(self, journal: CsvJournal | None) -> None:
        self.journal = journal
        self.optimizers: list[WatchedOptimizer] = []
        self._waiting: list[StepCall] = []
        self._blocks: list[NDArray[np.float64]] = []
        self._written = time.monotonic()

    def add(self, call: StepCall) -> None:
        """Add a call; every `BLOCK_STEPS` calls or `BLOCK_SECONDS` seconds, convert the pending ones to rows."""
        self._waiting.append(call)
        if len(self._waiting) >= BLOCK_STEPS or (self.journal and time.monotonic() - self._written > BLOCK_SECONDS):
            self.flush()

    def flush(self) -> None:
        """Read the numbers of the pending calls and write their rows to the journal."""
        calls, self._waiting = self._waiting, []
        self._written = time.monotonic()
        if not calls:
            return
        numbers = iter(read_all([number for call in calls for number in (call.found_inf, *call.numbers)]))
        block: list[tuple[float, ...]] = []
        for call in calls:
            block += self._rows_of(call, next(numbers), [next(numbers) for _ in call.numbers])
        self._blocks.append(np.array(block, dtype=np.float64).reshape(-1, len(StepRow._fields)))
        if self.journal is not None:
            self.journal.add(self._named(self._blocks[-1]))

    @staticmethod
    def _rows_of(call: StepCall, found_inf: float, numbers: list[float]) -> list[tuple[float, ...]]:
        """One row per group; none for a step that updated nothing: its counts are carried over to the next update."""
        watched = call.watched
        backwards, scheduler_steps, skipped = watched.carried
        counted = (backwards + call.backwards, scheduler_steps + call.scheduler_steps, skipped)
        if found_inf:
            watched.carried = (*counted[:2], skipped + 1)
            watched.skipped += 1
            return []
        step, watched.carried = watched.updates, (0, 0, 0)
        watched.updates += 1
        groups = [numbers[i : i + PER_GROUP] for i in range(0, len(numbers), PER_GROUP)]
        before = math.nan if step or watched.state_step is None else watched.state_step
        clock = (call.schedulers, call.scheduler_at, call.scheduler_length, before, call.idle_schedulers)
        return [(step, watched.number, i, *group[:-1], *counted, group[-1], *clock) for i, group in enumerate(groups)]

    def _named(self, block: NDArray[np.float64]) -> Iterator[StepRow]:
        for values in block.tolist():
            named = dict(zip(StepRow._fields, values, strict=True))
            counts = {name: int(named[name]) for name in INTEGERS}
            yield StepRow(**(named | counts | {"optimizer": self.optimizers[int(named["optimizer"])].name}))

    def table(self) -> NDArray[np.float64]:
        """All rows so far: float64, the columns of `StepRow` with the optimizer's number instead of its name."""
        self.flush()
        return np.concatenate([np.empty((0, len(StepRow._fields))), *self._blocks])

    def rows(self) -> Iterator[StepRow]:
        """All rows so far, in chronological order."""
        return self._named(self.table())


def column(table: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """One column of a table of rows."""
    values: NDArray[np.float64] = table[:, StepRow._fields.index(name)]
    return values


def chosen(watched: Sequence[WatchedOptimizer], name: str | None) -> list[WatchedOptimizer]:
    """The optimizers with this name, or all; ValueError for an unknown name."""
    matches = [optimizer for optimizer in watched if name in (None, optimizer.name)]
    if not matches and name is not None:
        known = ", ".join(optimizer.name for optimizer in watched)
        expected = f"one of {known}" if known else "omitted: no optimizer step was recorded"
        raise ValueError(f"optimizer={name!r} must be {expected}")
    return matches
