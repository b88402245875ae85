"""The plan that a test names: a slug, a schedule, a call of a library, or a function that builds a scheduler."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from bench.diagnose.plan.construction import Constructions
from bench.diagnose.plan.plan import read_plan
from reference import ReduceLROnPlateau, Schedule, parse
from reference.check import Rates, Steps
from reference.schedule import arg, schedule
from suite.engine.user_factory import optimizer_of, required, schedulers_in, short_repr

#: What a test may give as its plan.
AnyPlan = str | Schedule | Callable[..., Any]


@schedule
class MeasuredSchedule(Schedule):
    """The LRs that a scheduler without a closed form gives when it is stepped once for each update.

    `name`: what a failure calls it.
    """

    name: str = arg()
    lrs: tuple[float, ...] = arg("l")

    def _render(self) -> str:
        return self.name

    def _values(self, t: Steps, base: float) -> Rates:
        return np.asarray(self.lrs)[np.minimum(t, len(self.lrs) - 1)]


@dataclasses.dataclass(frozen=True)
class PlannedGroup:
    """The schedule that one parameter group is to follow, and its base LR."""

    schedule: Schedule
    base_lr: float


def planned_groups(plan: AnyPlan, base_lrs: Sequence[float] | None, groups: int, steps: int) -> list[PlannedGroup]:
    """What each of `groups` parameter groups is to do in `steps` updates; raises ValueError for an unusable plan.

    `base_lrs`: one for each group; None only for a function that builds its own optimizer.
    """
    if callable(plan) and not isinstance(plan, Schedule):
        return _built(plan, base_lrs, groups, steps)
    if base_lrs is None:
        raise ValueError("base_lr=None must be the learning rate that the plan is a factor of")
    one = plan if isinstance(plan, Schedule) else _read(plan, base_lrs[0], steps)
    return [PlannedGroup(one, base) for base in base_lrs]


def _read(text: object, base_lr: float, steps: int) -> Schedule:
    """The schedule of a slug or of a call."""
    if not isinstance(text, str):
        what = "a slug, a schedule, a call of a library as text, or a function that builds a scheduler"
        raise ValueError(f"plan={short_repr(text)} must be {what}")
    if "(" in text:
        return called_schedule(text, base_lr, steps)
    return parse(text)


def called_schedule(call: str, base_lr: float, steps: int) -> Schedule:
    """What a library documents for a call, as `python -m suite translate` reads it.

    The library's files are read from the cache, or fetched once by pip. Raises InputError.
    """
    from suite.libraries.translate.opened import Shelf
    from suite.libraries.translate.source import source_of
    from suite.libraries.translate.translation import run_source

    with Shelf() as shelf:
        source = source_of(call, shelf, base_lr=base_lr, total=steps)
        try:
            return source.schedule.reference(source.numbers)
        except ValueError:  # the closed form excludes the arguments: what the library does decides
            values, _ = run_source(source)
            return MeasuredSchedule(call, tuple(values.tolist()))


def _built(
    factory: Callable[..., Any], base_lrs: Sequence[float] | None, groups: int, steps: int
) -> list[PlannedGroup]:
    with Constructions() as seen, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's remarks about the training loop, which is ours
        if required(factory) or isinstance(factory, type):
            if base_lrs is None:
                raise ValueError("base_lr=None must be the learning rate of the optimizer that the plan is built on")
            parameters = [{"params": [torch.zeros(1)], "lr": base} for base in base_lrs]
            built = factory(torch.optim.SGD(parameters, lr=base_lrs[0], momentum=0.9))
        else:
            built = factory()
        if isinstance(built, Schedule):
            return planned_groups(built, base_lrs, groups, steps)
        schedulers = [one for one in schedulers_in(built) if optimizer_of(one) is not None]
        if len(schedulers) != 1:
            raise ValueError(f"plan={short_repr(factory)} must give one scheduler, but gave {short_repr(built)}")
        plan = read_plan(schedulers[0], max(steps, 1), seen=seen, step_it=True)
    if len(plan.groups) != groups:
        raise ValueError(f"plan={short_repr(factory)} has {len(plan.groups)} parameter groups, the run has {groups}")
    result = []
    for group in plan.groups:
        if isinstance(group.schedule, ReduceLROnPlateau):
            raise ValueError(f"plan={short_repr(factory)} must not depend on a metric: a test has none to give it")
        if group.schedule is not None and group.base_lr is not None:
            result.append(PlannedGroup(group.schedule, group.base_lr))
        else:
            lrs = () if group.lrs is None else tuple(group.lrs.tolist())
            if not lrs:
                raise ValueError(f"plan={short_repr(factory)} must be readable, but: {group.why_not}")
            result.append(PlannedGroup(MeasuredSchedule(f"{plan.scheduler}, stepped once for each update", lrs), 1.0))
    return result
