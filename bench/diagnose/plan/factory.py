"""What the user's own code builds, named as module:factory: the plan of every scheduler, and the traces of its LRs."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.diagnose.core.trace import Trace
from bench.diagnose.log.read_log import Log
from reference import Schedule
from reference.check import integer, real
from suite.engine.loop import dummy_optimizer
from suite.engine.user_factory import (
    BadSpec,
    current_folder_first,
    load_named,
    optimizer_of,
    optimizers_in,
    required,
    schedulers_in,
    short_repr,
)

from .all_plans import read_plans
from .construction import Constructions
from .fact import PlanFact
from .plan import SchedulerPlan

#: A peak this many steps from the end of the warmup that was asked for is only another convention.
CONVENTION_STEPS = 1


@dataclasses.dataclass(frozen=True, eq=False)
class FactoryReading:
    """What a factory gives.

    `log`: the LR before every update; without traces where the LRs depend on a metric. `plans`: one for each scheduler,
    none for a schedule of the reference; `facts`: about all of them.
    """

    log: Log
    plans: tuple[SchedulerPlan, ...] = ()
    facts: tuple[PlanFact, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether nothing in any plan should be changed."""
        return all(plan.healthy for plan in self.plans) and not any(fact.wrong for fact in self.facts)


def read_factory(
    spec: str,
    total_steps: int,
    base_lr: float = 1.0,
    warmup_steps: int | None = None,
    metrics: Sequence[float] = (),
) -> FactoryReading:
    """Build what `module:factory` names on a dummy optimizer, and read its plan for `total_steps` updates.

    `spec`: a function that takes an optimizer or nothing and returns a torch scheduler, several of them, each alone or
    with its optimizer, or a schedule of the reference; or such an object itself. The module is looked for in the
    current folder first. `base_lr`: of the dummy optimizer, one SGD with a momentum;
    `warmup_steps`: the warmup that was asked for, to compare the plans with; `metrics`: what ReduceLROnPlateau is
    given, one number for each step.
    Raises ValueError, in one line, for all that the user's code raises before the first step.

    >>> read_factory("torch.optim.lr_scheduler:LRScheduler", 0)
    Traceback (most recent call last):
    ValueError: steps=0 must be >= 2
    """
    integer("steps", total_steps, 2)
    optimizer = dummy_optimizer(real("base_lr", base_lr, low=0.0))
    with current_folder_first():
        with Constructions() as seen:
            subject = _guarded(spec, lambda: load_named(spec, "trace", "a file, or module:factory"))
            if callable(subject) and not schedulers_in(subject) and not isinstance(subject, Schedule):
                subject = _guarded(spec, lambda: _called(subject, optimizer))
        if isinstance(subject, Schedule):
            lrs = _guarded(spec, lambda: subject.trace(total_steps, base_lr))
            return FactoryReading(Log((Trace(np.arange(total_steps), lrs),)))
        schedulers = [s for s in schedulers_in(subject) if not isinstance(s, type) and optimizer_of(s) is not None]
        if not schedulers:
            raise ValueError(f"trace={spec!r} must give a scheduler, but gave {short_repr(subject)}")
        optimizers = list({id(o): o for o in [*map(optimizer_of, schedulers), *optimizers_in(subject)]}.values())
        plans, facts = _guarded(
            spec,
            lambda: read_plans(schedulers, optimizers, total_steps, seen=seen, metrics=metrics, step_it=True),
        )
    plans = [dataclasses.replace(plan, facts=(*plan.facts, *_told(plan, warmup_steps))) for plan in plans]
    return FactoryReading(Log(tuple(_traces(plans))), tuple(plans), tuple(facts))


def _called(subject: Any, optimizer: Any) -> Any:
    return subject(optimizer) if required(subject) or isinstance(subject, type) else subject()


def _traces(plans: list[SchedulerPlan]) -> list[Trace]:
    traces = []
    for i, plan in enumerate(plans):
        owner = f" of {plan.optimizer} {i + 1}" if len(plans) > 1 else ""
        for group in plan.groups:
            lrs = group.lrs
            if lrs is not None and lrs.size >= 2 and np.isfinite(lrs).all():
                name = "lr" if len(plan.groups) == 1 else f"lr of group {group.index}"
                traces.append(Trace(np.arange(lrs.size) + plan.position, lrs, name=name + owner))
    return traces


def _guarded(spec: str, call: Callable[[], Any]) -> Any:
    """What the user's code returns; what it raises becomes the one line that says so."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):  # the user's prints are not our output
            warnings.simplefilter("ignore")  # torch's remarks about the training loop, which is ours
            return call()
    except BadSpec:
        raise
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        text = " ".join(str(error).split())
        raise ValueError(f"trace={spec!r} raised {type(error).__name__}{': ' if text else ''}{text}") from error


def _told(plan: SchedulerPlan, warmup_steps: int | None) -> list[PlanFact]:
    """Where the first peak of a plan is not at the end of the warmup that the user asked for."""
    lrs = plan.groups[0].lrs
    if warmup_steps is None or lrs is None or not lrs.size or not np.isfinite(lrs).all() or plan.position:
        return []
    peak = int(np.argmax(lrs >= lrs.max() * (1 - 1e-9)))
    if abs(peak - warmup_steps) <= CONVENTION_STEPS or peak == lrs.size - 1:
        return []
    text = f"The LR reaches its peak at step {peak}, not at the end of the {warmup_steps} warmup steps asked for."
    return [PlanFact("told-warmup", text, True, "give the scheduler that number of warmup steps", peak)]
