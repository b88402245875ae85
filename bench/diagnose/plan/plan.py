"""Read a live scheduler: what was built, whether torch keeps its promise, what is wrong with the plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from reference import ReduceLROnPlateau
from reference.check import integer
from suite.engine.user_factory import optimizer_of

from .construction import SeenConstructions
from .curve_facts import curve_facts
from .deviation import TorchDeviation, deviation_of, precision_of
from .fact import PlanFact
from .group import (
    GroupPlan,
    curve_of,
    different,
    documented_group,
    unmoved_groups,
    with_group_names,
    words_of,
)
from .observe import Observation, copy_of, observed
from .structure_facts import structure_facts
from .twin import class_name, lost_arguments, position_of, unwrapped
from .words import lr

#: Updates after the run for which a scheduler without a closed form is followed.
FURTHER = 20_000


@dataclasses.dataclass(frozen=True, eq=False)
class SchedulerPlan:
    """What a scheduler object will do to its optimizer.

    `scheduler` and `optimizer`: their classes; `position`: the steps that the scheduler has taken before the first
    update of this run; `steps`: the updates of this run; `groups`: one for each parameter group; `words`: what was
    built; `deviation`: where torch leaves its documentation, if it does; `facts`: what else a reader should know.
    """

    scheduler: str
    optimizer: str
    position: int
    steps: int
    groups: tuple[GroupPlan, ...]
    words: str
    deviation: TorchDeviation | None
    facts: tuple[PlanFact, ...]

    @property
    def healthy(self) -> bool:
        """Whether torch does what is documented, and nothing in the plan should be changed."""
        return self.deviation is None and not any(fact.wrong for fact in self.facts)

    @property
    def sentences(self) -> list[str]:
        """The plan in words, one sentence after the other: what was built, then what is wrong, then what to know."""
        resumed = f" It has taken {self.position} steps: this run continues at step {self.position}."
        texts = [f"{self.words}.{resumed if self.position else ''}"]
        texts += [] if self.deviation is None else [self.deviation.sentence]
        return texts + [fact.sentence for fact in sorted(self.facts, key=lambda fact: not fact.wrong)]

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data for JSON, without its LRs."""
        return {
            "scheduler": self.scheduler,
            "optimizer": self.optimizer,
            "position": self.position,
            "steps": self.steps,
            "healthy": self.healthy,
            "words": self.words,
            "groups": [
                {"slug": g.schedule.slug if g.schedule is not None else None, "base_lr": g.base_lr} for g in self.groups
            ],
            "deviation": None if self.deviation is None else self.deviation.to_json(),
            "facts": [fact.to_json() for fact in self.facts],
        }


def read_plan(
    scheduler: Any,
    steps: int,
    *,
    seen: SeenConstructions | None = None,
    metrics: Sequence[float] = (),
    step_it: bool = False,
) -> SchedulerPlan:
    """Read what a live scheduler will do in the next `steps` updates, without changing it or its optimizer.

    `seen`: what its construction showed, which knows arguments that OneCycleLR and SWALR do not keep; `metrics`: for
    ReduceLROnPlateau, the arguments of its step(); `step_it`: step the object itself where it cannot be copied.
    Raises ValueError unless steps >= 1.

    >>> import torch
    >>> from torch.optim.lr_scheduler import CosineAnnealingLR
    >>> scheduler = CosineAnnealingLR(torch.optim.SGD([torch.zeros(1)], lr=0.1), 760)
    >>> plan = read_plan(scheduler, 200)
    >>> plan.words, [fact.kind for fact in plan.facts]
    ('CosineAnnealingLR from 0.1 to 0 over 760 steps', ['decay-too-long'])
    """
    integer("steps", steps, 1)
    scheduler = unwrapped(scheduler)
    metrics = metrics if class_name(scheduler) == "ReduceLROnPlateau" else ()
    optimizer, position = optimizer_of(scheduler), position_of(scheduler)
    precisions = [precision_of(group["lr"]) for group in optimizer.param_groups]
    groups = [documented_group(scheduler, g, seen, metrics, position, steps) for g in range(len(precisions))]
    observation, unread = _observe(scheduler, groups, steps, metrics, step_it)
    if observation is not None:
        groups = [dataclasses.replace(g, lrs=observation.lrs[:steps, g.index]) for g in groups]
    deviations = (_deviation(group, position, precisions[group.index]) for group in groups)
    deviation = next((found for found in deviations if found is not None), None)
    facts = [*plan_facts(groups, observation, position, steps, deviation), *unread]
    lost = lost_arguments(scheduler) if seen is None else ""
    facts += [PlanFact("lost-arguments", lost)] if lost else []
    if position and deviation is not None and deviation.step == position:
        facts.insert(0, not_in_force(deviation))
        deviation = None
    return SchedulerPlan(
        type(scheduler).__name__,
        type(optimizer).__name__,
        position,
        steps,
        tuple(groups),
        words_of(type(scheduler).__name__, groups),
        deviation,
        tuple(facts),
    )


def _observe(
    scheduler: Any, groups: Sequence[GroupPlan], steps: int, metrics: Sequence[float], step_it: bool
) -> tuple[Observation | None, list[PlanFact]]:
    """What torch makes of the scheduler, and a fact where that cannot be seen."""
    if not metrics and any(isinstance(group.schedule, ReduceLROnPlateau) for group in groups):
        return None, [
            PlanFact("metric", "The LR depends on the metric that step() is given, so its values are not known.")
        ]
    # Without a closed form, what comes after the run can only be seen by stepping on.
    further = 0 if all(group.documented is not None for group in groups) else min(9 * steps, FURTHER)
    try:
        copied = copy_of(scheduler)
    except Exception as error:  # noqa: BLE001 - an object of a user's may hold what cannot be copied
        if step_it:
            return observed(scheduler, steps, metrics), []
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return None, [PlanFact("not-observed", f"The scheduler cannot be copied, so it was not stepped ({text}).")]
    return observed(copied, steps + further, metrics), []


def plan_facts(
    groups: list[GroupPlan],
    observation: Observation | None,
    position: int,
    steps: int,
    deviation: TorchDeviation | None,
) -> list[PlanFact]:
    """The facts about every group that differs from the others; without an observation those of what is documented."""
    facts: list[PlanFact] = []
    for group in different(groups):
        lrs = None if observation is None else observation.lrs[:, group.index]
        # A resumed run that torch does not follow is a fact by itself: the plan is the documented one.
        curve = curve_of(group, None if position and deviation is not None else lrs, position, steps, deviation is None)
        if curve is not None:
            own = list(curve_facts(curve))
            if group.schedule is not None and group.base_lr is not None:
                own = [*structure_facts(group.schedule, group.base_lr, curve), *own]
            facts += with_group_names(own, group, groups)
    facts = _without_echo(facts)
    facts += unmoved_groups(groups)
    failed = observation is not None and observation.error is not None and observation.lrs.shape[0] <= steps
    if observation is not None and failed and not any(fact.kind == "past-end" for fact in facts):
        facts.append(_raised(observation, position))
    return facts


def _deviation(group: GroupPlan, position: int, kind: str) -> TorchDeviation | None:
    if group.schedule is None or group.documented is None or group.lrs is None:
        return None
    count = min(group.documented.size, group.lrs.size)
    if not count:
        return None
    return deviation_of(group.schedule, group.index, group.lrs[:count], group.documented[:count], position, kind)


def _without_echo(facts: list[PlanFact]) -> list[PlanFact]:
    """The facts without those that another one explains: a cut phase is why the LR jumps or restarts there."""
    cut = {fact.step for fact in facts if fact.kind == "cut"}
    return [fact for fact in facts if fact.kind not in ("restart", "jump") or fact.step not in cut]


def not_in_force(deviation: TorchDeviation) -> PlanFact:
    """The fact that the optimizer has another LR than the step of its scheduler."""
    text = (
        f"The optimizer is at another place than its scheduler: its LR is {lr(deviation.actual)}, but step"
        f" {deviation.step} of the schedule has {lr(deviation.documented)}; {deviation.shape}."
    )
    fix = "build both first, then load the optimizer's state, then the scheduler's"
    return PlanFact("not-in-force", text, True, fix, deviation.step)


def _raised(observation: Observation, position: int) -> PlanFact:
    error, row = observation.error, observation.lrs.shape[0]
    text = f"step() number {position + row} raises {type(error).__name__}: {' '.join(str(error).split())}."
    return PlanFact("raises", text, True, "correct the arguments of the scheduler", position + row)
