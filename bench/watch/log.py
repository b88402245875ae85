"""What is known of the optimizers that were seen, and the numbers noted at each of their steps."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim import Optimizer

from .deferred import Noted, noted, settled
from .journal import Journal, Row

#: Steps that are kept as they were noted; then their numbers are read, with one wait for the device.
BLOCK_STEPS = 2000
#: With a journal, also when this many seconds have gone by: so much a kill may lose.
BLOCK_SECONDS = 5.0
#: What is noted of a parameter group: LR, momentum, weight decay.
PER_GROUP = 3


@dataclasses.dataclass(eq=False)
class Watched:
    """One optimizer: its number and name, its calls so far, and what is counted since the last of them."""

    number: int
    name: str
    calls: int = 0
    updates: int = 0
    skipped: int = 0
    single: bool = False  # whether an LR was a float32 tensor
    backwards_before: int = 0
    scheduler_steps: Counter[int] = dataclasses.field(default_factory=Counter)  # by the id of the scheduler
    has_scheduler: bool = False
    carried: tuple[int, int, int] = (0, 0, 0)  # counted at steps that updated nothing, since the last update


@dataclasses.dataclass(eq=False)
class Call:
    """One step of an optimizer; `found_inf` > 0 where it updated nothing."""

    watched: Watched
    numbers: list[Noted]
    found_inf: Noted
    inner: bool = False  # whether a step inside this one was recorded in its place
    backwards: int = 0
    scheduler_steps: int = 0


def read_groups(optimizer: Optimizer) -> list[Noted]:
    """LR, momentum (or β1) and weight decay of each parameter group, one after the other."""
    numbers: list[Noted] = []
    for group in optimizer.param_groups:
        betas = group.get("betas")
        numbers += (noted(group.get("lr")), noted(betas[0] if betas else group.get("momentum")))
        numbers.append(noted(group.get("weight_decay")))
    return numbers


def has_single(optimizer: Optimizer) -> bool:
    """Whether an LR is a float32 tensor: then it holds 7 digits."""
    rates = (group.get("lr") for group in optimizer.param_groups)
    return any(isinstance(lr, torch.Tensor) and lr.dtype is torch.float32 for lr in rates)


class Log:
    """The calls in the order of time; rows are made of them block by block."""

    def __init__(self, journal: Journal | None) -> None:
        self.journal = journal
        self.optimizers: list[Watched] = []
        self._waiting: list[Call] = []
        self._blocks: list[NDArray[np.float64]] = []
        self._written = time.monotonic()

    def add(self, call: Call) -> None:
        """Keep a call; now and then turn what was kept into rows."""
        self._waiting.append(call)
        if len(self._waiting) >= BLOCK_STEPS or (self.journal and time.monotonic() - self._written > BLOCK_SECONDS):
            self.settle()

    def settle(self) -> None:
        """Read the numbers of the calls that wait, and hand their rows to the journal."""
        calls, self._waiting = self._waiting, []
        self._written = time.monotonic()
        if not calls:
            return
        numbers = iter(settled([number for call in calls for number in (call.found_inf, *call.numbers)]))
        block: list[tuple[float, ...]] = []
        for call in calls:
            block += self._rows_of(call, next(numbers), [next(numbers) for _ in call.numbers])
        self._blocks.append(np.array(block, dtype=np.float64).reshape(-1, len(Row._fields)))
        if self.journal is not None:
            self.journal.add(self._named(self._blocks[-1]))

    @staticmethod
    def _rows_of(call: Call, found_inf: float, numbers: list[float]) -> list[tuple[float, ...]]:
        """One row for each group; none where nothing was updated: then what was counted goes to the next update."""
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
        return [(step, watched.number, i, *group, *counted) for i, group in enumerate(groups)]

    def _named(self, block: NDArray[np.float64]) -> Iterator[Row]:
        for step, number, group, lr, momentum, decay, *counted in block.tolist():
            name = self.optimizers[int(number)].name
            yield Row(int(step), name, int(group), lr, momentum, decay, *(int(count) for count in counted))

    def table(self) -> NDArray[np.float64]:
        """All rows so far: float64 [n, 9], the columns of `Row` with the optimizer's number for its name."""
        self.settle()
        return np.concatenate([np.empty((0, len(Row._fields))), *self._blocks])

    def rows(self) -> Iterator[Row]:
        """All rows so far, in the order of time."""
        return self._named(self.table())


def column(table: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """One column of a table of rows."""
    values: NDArray[np.float64] = table[:, Row._fields.index(name)]
    return values


def chosen(watched: Sequence[Watched], name: str | None) -> list[Watched]:
    """The optimizers of a name, or all; ValueError for a name that none has."""
    found = [one for one in watched if name in (None, one.name)]
    if not found and name is not None:
        raise ValueError(
            f"optimizer={name!r} must be one of {', '.join(one.name for one in watched) or 'none: no step'}"
        )
    return found
