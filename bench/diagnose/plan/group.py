"""The plan of one parameter group, and which groups are alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from reference import ReduceLROnPlateau, Schedule
from reference.check import Rates
from suite.engine.user_factory import optimizer_of

from .construction import SeenConstructions
from .fact import PlanFact, PlannedCurve
from .phases import end_of
from .structure_facts import planned_curve
from .twin import NoTwin, base_lr_of, twin_of
from .words import in_words, lr


@dataclasses.dataclass(frozen=True, eq=False)
class GroupPlan:
    """The plan of one parameter group.

    `schedule`: what the documentation promises, None where there is no closed form (`why_not` says why); `base_lr`:
    its base LR; `documented`: the LRs that it gives to the updates of this run, None without it; `lrs`: those that
    torch gives, None where they depend on metrics or could not be read.
    """

    index: int
    schedule: Schedule | None
    base_lr: float | None
    documented: Rates | None
    lrs: Rates | None
    why_not: str = ""


def documented_schedule(
    scheduler: Any, g: int, seen: SeenConstructions | None, metrics: Sequence[float] = ()
) -> tuple[Schedule | None, float, str]:
    """The schedule of group `g` and its base LR; None without a closed form, with the reason."""
    try:
        schedule = twin_of(scheduler, g, None if seen is None else seen.given, metrics)
        bases = [] if seen is None else seen.base_lrs.get(id(optimizer_of(scheduler)), [])
        return schedule, bases[g] if g < len(bases) else base_lr_of(scheduler, g), ""
    except NoTwin as missing:
        return None, 0.0, str(missing)


def documented_group(
    scheduler: Any, g: int, seen: SeenConstructions | None, metrics: Sequence[float], position: int, steps: int
) -> GroupPlan:
    """The documented part of the plan of group `g`: its schedule, base LR and LRs."""
    schedule, base, why_not = documented_schedule(scheduler, g, seen, metrics)
    if schedule is None:
        return GroupPlan(g, None, None, None, None, why_not)
    if isinstance(schedule, ReduceLROnPlateau) and not metrics:
        return GroupPlan(g, schedule, base, None, None)
    try:
        last = len(metrics) if isinstance(schedule, ReduceLROnPlateau) else min(end_of(schedule), position + steps) - 1
        documented = schedule(np.arange(position, int(min(position + steps, last + 1))), base)
    except (ValueError, ArithmeticError) as error:
        return GroupPlan(g, None, base, None, None, str(error))
    return GroupPlan(g, schedule, base, documented, None)


def different(groups: list[GroupPlan]) -> list[GroupPlan]:
    """The groups without those whose LRs are those of an earlier one times a constant."""
    kept: list[GroupPlan] = []
    for group in groups:
        if not any(alike(group, other) for other in kept):
            kept.append(group)
    return kept


def alike(group: GroupPlan, other: GroupPlan) -> bool:
    """Whether the LRs of two groups are the same up to a constant factor."""
    ours, theirs = group.lrs, other.lrs
    if ours is None or theirs is None:
        return group.schedule is not None and group.schedule == other.schedule
    if ours.shape != theirs.shape or not np.isfinite(ours).all() or not np.isfinite(theirs).all():
        return False
    tops = float(np.abs(ours).max(initial=0.0)), float(np.abs(theirs).max(initial=0.0))
    if not all(tops):
        return tops[0] == tops[1]
    return bool(np.allclose(ours / tops[0], theirs / tops[1], rtol=1e-6, atol=1e-9))


def curve_of(group: GroupPlan, lrs: Rates | None, position: int, steps: int, follows: bool) -> PlannedCurve | None:
    """The LRs of the whole run, from step 0 of the schedule: those before this run as documented; None without LRs.

    `lrs`: of this run and further, None to take the documented ones; `follows`: whether both are the same.
    """
    schedule, documented = group.schedule, group.documented
    if schedule is None or documented is None or group.base_lr is None:
        return None if lrs is None or lrs.size < 2 else PlannedCurve(lrs[:steps], lrs, resumed=position > 0)
    follows = follows or lrs is None
    past = schedule(np.arange(position), group.base_lr)
    whole = np.concatenate([past, documented if follows or lrs is None else lrs[:steps]])
    if whole.size < 2:
        return None
    curve = planned_curve(schedule, group.base_lr, whole, position > 0, follows)
    return dataclasses.replace(curve, updates=position + steps)  # more than it has LRs where a OneCycleLR ends


def with_group_names(facts: list[PlanFact], group: GroupPlan, groups: list[GroupPlan]) -> list[PlanFact]:
    """The facts with the group that they are about, where there are several that differ.

    That one of them is constant is left to `unmoved_groups`.
    """
    same = [other for other in groups if other is group or alike(other, group)]
    if len(groups) == len(same):
        return facts
    name = f"Group {group.index}" if len(same) == 1 else f"Groups {', '.join(str(g.index) for g in same)}"
    about = [fact for fact in facts if fact.kind != "constant"]
    return [
        dataclasses.replace(fact, sentence=f"{name}: {fact.sentence[0].lower()}{fact.sentence[1:]}") for fact in about
    ]


def unmoved_groups(groups: list[GroupPlan]) -> Iterator[PlanFact]:
    """Groups whose LR stays while that of others moves."""
    traces = [group.lrs for group in groups if group.lrs is not None and group.lrs.size > 1]
    still = [bool(np.ptp(lrs) <= 1e-12 * np.abs(lrs).max(initial=0.0)) for lrs in traces]
    if len(traces) == len(groups) and any(still) and not all(still):
        for group, stays in zip(groups, still, strict=True):
            if stays and group.lrs is not None:
                text = (
                    f"No scheduler moves group {group.index}: its LR stays at {lr(group.lrs[0])} while others change."
                )
                yield PlanFact(
                    "group-unmoved", text, True, "give that group its own function, or leave it out on purpose"
                )


def words_of(name: str, groups: list[GroupPlan]) -> str:
    """What was built: for the first group, and for every other whose LRs are not those times a constant."""
    kept = different(groups)
    texts = []
    for group in kept:
        text = _group_words(name, group)
        same = [other for other in groups if other is not group and alike(other, group)]
        shares = [_share(other, group) for other in same]
        if any(share is not None and abs(share - 1) > 1e-9 for share in shares):
            numbers = sorted({lr(share) for share in shares if share is not None})
            many = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 2 else " and ".join(numbers)
            plural = "another group" if len(same) == 1 else f"{len(same)} other groups"
            text += f"; in {plural} {many} times as high"
        texts.append(text if len(kept) == 1 else f"group {group.index}: {text}")
    return "; ".join(texts)


def _group_words(name: str, group: GroupPlan) -> str:
    if group.schedule is not None and group.base_lr is not None:
        return in_words(group.schedule, group.base_lr)
    start = "" if group.lrs is None or not group.lrs.size else f"; its first LR is {lr(group.lrs[0])}"
    return f"{name}, described by its LRs alone ({group.why_not}){start}"


def _share(group: GroupPlan, other: GroupPlan) -> float | None:
    """How many times as high the LRs of a group are as those of another one; None where nothing shows it."""
    pairs = [(group.lrs, other.lrs), (group.documented, other.documented)]
    for ours, theirs in pairs:
        if ours is not None and theirs is not None and np.abs(theirs).max(initial=0.0):
            return float(np.abs(ours).max(initial=0.0) / np.abs(theirs).max())
    return None if not group.base_lr or not other.base_lr else group.base_lr / other.base_lr
