"""A schedule with one argument changed, or with other parts: what a run may be resumed with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from reference import ChainedScheduler, ConstantLR, ExponentialLR, Schedule, SequentialLR

#: Fields that no resumed run changes: the metrics belong to the loop, and momentum is a channel of another axis.
KEPT = ("metrics", "cycle_momentum", "base_momentum", "max_momentum", "epochs", "steps_per_epoch")
#: The other value of an argument that takes one of two words.
OTHER_WORD = {
    "cos": "linear",
    "triangular": "triangular2",
    "exp_range": "triangular",
    "cycle": "iterations",
    "min": "max",
    "rel": "abs",
}
#: A factor for numbers, and one for the function of LambdaLR: neither makes any two steps equal.
FACTOR, FUNCTION = 0.7, ExponentialLR(0.77)
#: What replaces a float of 0.
SMALL = 0.003


def _other_value(value: Any) -> Any:
    """Another value of the same type, or None where there is none to choose."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return 2 * value + 1
    if isinstance(value, float):
        return value * FACTOR or SMALL
    if isinstance(value, str):
        return OTHER_WORD.get(value)
    if isinstance(value, Schedule):
        return FUNCTION
    if isinstance(value, tuple) and value and all(isinstance(item, int) for item in value):
        return tuple(item + 2 for item in value)
    return None


def with_other_argument(schedule: Schedule) -> Iterator[tuple[str, Schedule]]:
    """A name and the schedule, for each argument that can be changed; for composites, those of each part too."""
    for field in dataclasses.fields(schedule):  # type: ignore[arg-type]  # every Schedule is a dataclass
        other = None if field.name in KEPT else _other_value(getattr(schedule, field.name))
        if other is not None:
            changes: dict[str, Any] = {field.name: other}
            yield field.name.lower(), dataclasses.replace(schedule, **changes)  # type: ignore[type-var]
    parts: tuple[Schedule, ...] = getattr(schedule, "schedulers", ())
    for i, part in enumerate(parts):
        # One argument of each part: the others are changed where the class stands alone.
        for name, other in list(with_other_argument(part))[:1]:
            changes = {"schedulers": (*parts[:i], other, *parts[i + 1 :])}
            yield f"{i}.{name}", dataclasses.replace(schedule, **changes)  # type: ignore[type-var]


def with_other_parts(schedule: Schedule) -> Iterator[tuple[str, Schedule]]:
    """A name and a composite of one part more, one part fewer, or the same parts in another order."""
    hold = ConstantLR(1.0, 4)
    if isinstance(schedule, SequentialLR):
        parts, places = schedule.schedulers, schedule.milestones
        yield "more", SequentialLR((*parts, hold), (*places, places[-1] + 5))
        yield "fewer", SequentialLR(parts[:-1], places[:-1])
        if type(parts[0]) is not type(parts[1]):
            yield "swapped", SequentialLR((parts[1], parts[0], *parts[2:]), places)
    if isinstance(schedule, ChainedScheduler):
        parts = schedule.schedulers
        yield "more", ChainedScheduler((*parts, hold))
        yield "fewer", ChainedScheduler(parts[:-1])
        yield "swapped", ChainedScheduler((parts[1], parts[0], *parts[2:]))
