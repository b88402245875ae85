"""Builds the torch scheduler that a schedule of the reference describes."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from reference import ChainedScheduler, ExponentialLR, Schedule

from .numbers import CONVERSIONS, Conversion
from .subject import Subject

#: Per-group values are the plain value times these; distinct, and exact in binary.
GROUP_SCALE = (1.0, 0.5, 0.25)


class MissingScheduler(Exception):
    """This release has no scheduler of that name."""


class EpochFunction:
    """A schedule as the function of the epoch that torch's `lr_lambda` and `scale_fn` take, from a table that grows."""

    def __init__(self, schedule: Schedule, steps: int = 256) -> None:
        self.schedule, self.table = schedule, schedule.trace(steps).tolist()

    def __call__(self, epoch: float) -> float:
        step = max(int(epoch), 0)  # releases up to 2.5 also ask for -1 while a SequentialLR undoes its construction
        if step >= len(self.table):
            self.table = self.schedule.trace(2 * step).tolist()
        return float(self.table[step])


def unvalidated_copy(schedule: Schedule, **changes: Any) -> Any:
    """A copy with other field values and no validation, to pass torch what the reference refuses."""
    copy = object.__new__(type(schedule))
    for field in dataclasses.fields(schedule):  # type: ignore[arg-type]  # every Schedule is a dataclass
        object.__setattr__(copy, field.name, changes.get(field.name, getattr(schedule, field.name)))
    return copy


def unvalidated(cls: type[Schedule], **values: Any) -> Any:
    """A schedule without validation: anything that a user could type, valid or not."""
    schedule = object.__new__(cls)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # every Schedule is a dataclass
        object.__setattr__(schedule, field.name, values.get(field.name, field.default))
    return schedule


def for_group(schedule: Schedule, group: int) -> Schedule:
    """The schedule of one parameter group when per-group lists are given."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(schedule):  # type: ignore[arg-type]  # every Schedule is a dataclass
        value = getattr(schedule, field.name)
        if field.metadata.get("per_group"):
            changes[field.name] = value * GROUP_SCALE[group]
        elif field.name == "lr_lambda":
            changes[field.name] = ChainedScheduler((value, ExponentialLR(1.0 - 0.125 * group)))
        elif field.name == "schedulers":
            changes[field.name] = tuple(for_group(part, group) for part in value)
    return unvalidated_copy(schedule, **changes) if changes else schedule


def _given(field: dataclasses.Field[Any], value: Any, conversion: Conversion) -> Any:
    """An argument as torch gets it, in the way that its numbers are given."""
    listed = isinstance(value, list)
    items = [_function(item, conversion) for item in value] if listed else _function(value, conversion)
    return conversion.given_argument(field, items)


def _function(value: Any, conversion: Conversion) -> Any:
    if not isinstance(value, Schedule):
        return value
    function = conversion.given_function(EpochFunction(value))
    # A function, as in the script: of another callable torch would save the attributes.
    return lambda epoch: function(epoch)


def arguments(schedule: Schedule, groups: int, lists: bool, numbers: str = "") -> dict[str, Any]:
    """Keyword arguments of the torch class: what differs from the default, so that torch's defaults are tested."""
    of_groups = [for_group(schedule, g) for g in range(groups)] if lists else [schedule]
    keywords: dict[str, Any] = {}
    conversion = CONVERSIONS[numbers]
    for field in dataclasses.fields(schedule):  # type: ignore[arg-type]  # every Schedule is a dataclass
        value = getattr(schedule, field.name)
        listed = lists and (field.metadata.get("per_group") or field.name == "lr_lambda")
        if field.name in ("schedulers", "metrics") or (value == field.default and not listed):
            continue
        if listed:
            value = [getattr(s, field.name) for s in of_groups]
        value = list(value) if isinstance(value, tuple) else value
        keywords[field.name] = _given(field, value, conversion)
    return keywords


def build(
    schedule: Schedule,
    optimizer: torch.optim.Optimizer,
    subject: Subject,
    *,
    last_epoch: int = -1,
    fresh_parts: bool = False,
    lists: bool = False,
    reverse: bool = False,
    numbers: str = "",
) -> Any:
    """The torch scheduler; raises MissingScheduler, or whatever torch raises.

    With `fresh_parts` the parts of a composite are built without `last_epoch`.
    """
    name = type(schedule).__name__
    cls = subject.scheduler_class(name)
    if cls is None:
        raise MissingScheduler(name)
    again: dict[str, Any] = {} if last_epoch == -1 else {"last_epoch": last_epoch}
    kwargs = arguments(schedule, len(optimizer.param_groups), lists, numbers)
    children = getattr(schedule, "schedulers", None)
    if children is None:
        return cls(optimizer, **kwargs, **again)
    epoch = -1 if fresh_parts else last_epoch
    order = list(enumerate(children))
    built = {
        i: build(part, optimizer, subject, last_epoch=epoch, lists=lists, reverse=reverse, numbers=numbers)
        for i, part in (reversed(order) if reverse else order)
    }
    parts: Any = [built[i] for i in range(len(children))]
    if CONVERSIONS[numbers].kind == "parts":
        parts = CONVERSIONS[numbers].given(parts)
    if name == "ChainedScheduler":
        return cls(parts)
    return cls(optimizer, parts, kwargs.get("milestones", []), **again)
