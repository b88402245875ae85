"""The schedulers that a recorder meets: what each was built with, when it moved, and what it promised at that time."""

from __future__ import annotations

import array
import copy
import dataclasses
import inspect
import math
import weakref
from collections.abc import Mapping
from typing import Any

from torch.optim.lr_scheduler import ReduceLROnPlateau

from bench.diagnose.plan.construction import arguments_of
from bench.diagnose.plan.deviation import precision_of
from bench.diagnose.plan.group import documented_schedule
from bench.diagnose.plan.observe import copy_of
from bench.diagnose.plan.phases import length_of
from bench.diagnose.plan.twin import leaves_of, parts_of, position_of
from reference import Schedule
from suite.engine.user_factory import optimizer_of

from .lazy_numbers import LazyNumber, capture

#: A scheduler whose position changes otherwise than by its steps more often is set by hand, and its plan is not read.
MOST_READINGS = 8


@dataclasses.dataclass(frozen=True, eq=False)
class PromisedGroup:
    """What a scheduler documents for one parameter group; `kind`: the precision of its LR (see `precision_of`)."""

    index: int
    schedule: Schedule | None
    base_lr: float
    why_not: str
    kind: str


@dataclasses.dataclass(frozen=True, eq=False)
class PlanReading:
    """A scheduler as it was when an update was made.

    `call`: the number of the call of the optimizer's step; `position`: the step of the schedule that the update ran at;
    `moved`: how often the scheduler had been stepped; `replaced`: the numbers that it was built with and that are
    others now, by name; `copied`: a copy of it, None where torch's class is not known.
    """

    call: int
    position: int
    moved: int
    groups: tuple[PromisedGroup, ...]
    replaced: dict[str, tuple[float, float]]
    copied: Any


class LiveScheduler:
    """A scheduler of a run; it is not kept alive.

    `number`: its place among all that were built; `is_part`: whether a composite steps it; `moved_at`: for each step of
    it, how many calls of the optimizer's step had been made; `metrics`: what ReduceLROnPlateau was given;
    `built_lrs`: the LRs of the optimizer when it had been built; `loaded`: whether those before were loaded.
    """

    def __init__(self, scheduler: Any, number: int) -> None:
        self.reference = weakref.ref(scheduler)
        self.name, self.number = type(scheduler).__name__, number
        self.is_part = self.loaded = False
        self.given: dict[str, Any] = {}
        self.built_lrs: list[float] = []
        self.moved_at: array.array[int] = array.array("q")
        self.metrics: list[LazyNumber] | None = [] if isinstance(scheduler, ReduceLROnPlateau) else None
        self.readings: list[PlanReading] = []
        self.length = math.nan
        self._offset: int | None = None

    def built(self, scheduler: Any, args: Any, kwargs: Any) -> None:
        """Note the arguments of its constructor, where that is torch's."""
        constructor: Any = type(scheduler).__init__
        if constructor.__module__.split(".")[0] == "torch":
            given = arguments_of(inspect.signature(constructor), (scheduler, *args), kwargs) or {}
            self.given = {name: value for name, value in given.items() if name != "optimizer"}

    def moved(self, calls: int, args: Any, kwargs: Any) -> None:
        """Note a step."""
        self.moved_at.append(calls)
        if self.metrics is not None:
            self.metrics.append(capture(args[0] if args else kwargs.get("metrics")))

    def look(self, call: int, others: Mapping[int, LiveScheduler], base_lrs: list[float] | None) -> float:
        """Its position at an update, NaN if it is gone; read it if that is not where its steps have brought it."""
        scheduler = self.reference()
        if scheduler is None:
            return math.nan
        try:
            position = position_of(scheduler)
        except (TypeError, ValueError):  # its last_epoch is anything
            return math.nan
        if position - len(self.moved_at) != self._offset:
            self._offset = position - len(self.moved_at)
            if len(self.readings) <= MOST_READINGS:
                self._read(scheduler, call, position, others, base_lrs)
        return float(position)

    def _read(
        self,
        scheduler: Any,
        call: int,
        position: int,
        others: Mapping[int, LiveScheduler],
        base_lrs: list[float] | None,
    ) -> None:
        seen = Seen({key: other.given for key, other in others.items()}, {})
        if base_lrs is not None:
            seen.base_lrs[id(optimizer_of(scheduler))] = base_lrs
        groups = []
        for g, settings in enumerate(optimizer_of(scheduler).param_groups):
            try:
                schedule, base, why_not = documented_schedule(scheduler, g, seen)
            except Exception as error:  # noqa: BLE001 - an object of anybody's: the run needs no plan
                schedule, base, why_not = None, 0.0, f"{type(error).__name__}: {error}"
            groups.append(PromisedGroup(g, schedule, base, why_not, precision_of(settings["lr"])))
        first = groups[0].schedule
        self.length = math.nan if first is None else length_of(first)
        replaced = _replaced(scheduler, others) if position else {}
        twin = None if first is None else copied(scheduler)
        self.readings.append(PlanReading(call, position, len(self.moved_at), tuple(groups), replaced, twin))


@dataclasses.dataclass(frozen=True)
class Seen:
    """What is known of the constructions: see `construction.SeenConstructions`."""

    given: dict[int, dict[str, Any]]
    base_lrs: dict[int, list[float]]


def _replaced(scheduler: Any, others: Mapping[int, LiveScheduler]) -> dict[str, tuple[float, float]]:
    """The numbers that its constructor was given, or those of its parts, and that are others now."""
    found: dict[str, tuple[float, float]] = {}
    for leaf in leaves_of(scheduler):
        given = others[id(leaf)].given if id(leaf) in others else {}
        for name, was in given.items():
            now = vars(leaf).get(name)
            numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (was, now))
            if numbers and was != now and name != "last_epoch":
                found[f"{type(leaf).__name__}'s {name}"] = (was, now)
    return found


def copied(scheduler: Any) -> Any:
    """A copy on a stand-in for its optimizer; it shares the user's functions, which may hold a model."""
    leaves = leaves_of(scheduler)
    if not all(type(leaf).__module__.split(".")[0] == "torch" for leaf in leaves):
        return None
    functions = [function for leaf in leaves for function in getattr(leaf, "lr_lambdas", ())]
    try:
        return copy_of(scheduler, shared=functions)
    except (TypeError, ValueError, AttributeError, RuntimeError, copy.Error):  # an object that cannot be copied
        return None


def mark_parts(scheduler: Any, others: Mapping[int, LiveScheduler]) -> None:
    """Mark the schedulers that a composite steps."""
    for part in parts_of(scheduler):
        if id(part) in others:
            others[id(part)].is_part = True
