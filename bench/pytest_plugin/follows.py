"""Whether a training function applies its plan, and makes the updates that it should."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.watch.lr_series import LrSeries, first_mismatch
from bench.watch.plans.recorded import LENGTHS
from bench.watch.plans.verdict import diagnosed
from bench.watch.recorder import Recorder
from bench.watch.report import alike, failure, fix
from bench.watch.steps.step_log import chosen
from reference.check import integer, real
from suite.shared.words import counted

from .outcome import LrCheck
from .plans import AnyPlan, PlannedGroup, planned_groups

BaseLr = float | Sequence[float] | None
#: A plan for every optimizer, or one for each of them by its name.
Plans = AnyPlan | Mapping[str, AnyPlan]
BaseLrs = BaseLr | Mapping[str, BaseLr]


def recorded(train: Callable[[], Any]) -> Recorder:
    """A recording of what the training function does."""
    if not callable(train):
        raise ValueError(f"train={train!r} must be a function without arguments that trains")
    with Recorder() as recorder:
        train()
    return recorder


def check_follows(recorder: Recorder, plan: Plans, base_lr: BaseLrs, optimizer: str | None) -> LrCheck:
    """Compare every update of a recording with the plan."""
    if isinstance(plan, Mapping):
        bases = base_lr if isinstance(base_lr, Mapping) else dict.fromkeys(plan, base_lr)
        if optimizer is not None or set(bases) != set(plan):
            raise ValueError(f"plan={sorted(plan)} by optimizer must come with a base_lr for each, and no optimizer=…")
        parts = [check_follows(recorder, own, bases[name], name) for name, own in plan.items()]
        return LrCheck.together("assert_lr_follows", parts)
    if isinstance(base_lr, Mapping):
        raise ValueError("base_lr={…} by optimizer must come with a plan={…} by optimizer")
    series = recorder.series(optimizer)
    if not series:
        return LrCheck("assert_lr_follows", ["no optimizer step was recorded"])
    by_id = _planned(series, plan, base_lr, optimizer)
    failures = []
    for group in alike(series):
        for planned in dict.fromkeys(by_id[id(one)] for one in group):
            mismatch = first_mismatch(group[0], planned.schedule, planned.base_lr)
            if mismatch is not None:
                same = [one for one in group if by_id[id(one)] == planned]
                failures.append(_of_a_test(failure(same, planned.schedule, planned.base_lr, mismatch)))
    check = LrCheck("assert_lr_follows", failures)
    for one in series:
        planned = by_id[id(one)]
        check.add_curve(one.name, one.lrs, planned.schedule(one.steps, planned.base_lr))
    return check


def _of_a_test(text: str) -> str:
    """A failure in the words of a test, where the expected schedule is no option of a command."""
    return text.replace("--expect", "the plan").replace("--base-lr", "base_lr")


def _planned(
    series: Sequence[LrSeries], plan: AnyPlan, base_lr: BaseLr, optimizer: str | None
) -> dict[int, PlannedGroup]:
    """The plan of each series, by its id; each optimizer has groups of its own."""
    bases = None
    if base_lr is not None:
        bases = [base_lr] * len(series) if isinstance(base_lr, int | float) else list(base_lr)
        if len(bases) != len(series):
            rule = f"one number, or one for each of {len(series)} parameter groups"
            raise ValueError(f"base_lr={bases} must be {rule} ({', '.join(one.name for one in series)})")
        bases = [real("base_lr", base, low=0.0) for base in bases]
    result: dict[int, PlannedGroup] = {}
    for name in dict.fromkeys(one.optimizer for one in series):
        own = [(i, one) for i, one in enumerate(series) if one.optimizer == name]
        steps = max(int(one.steps[-1]) + 1 for _, one in own)
        groups = planned_groups(plan, None if bases is None else [bases[i] for i, _ in own], len(own), steps)
        result |= {id(one): group for (_, one), group in zip(own, groups, strict=True)}
    return result


def check_total_steps(recorder: Recorder, total: int, optimizer: str | None) -> LrCheck:
    """Whether each optimizer makes this number of updates, and its schedule is as long as the run."""
    integer("total_steps", total, 1)
    watched, rhythms = chosen(recorder.log.optimizers, optimizer), recorder.summary(notes=False)
    series = [one for one in recorder.planned() if any(one.optimizer == own.name for own in watched)]
    failures = [] if watched else ["no optimizer step was recorded"]
    for own in watched:
        if own.updates != total:
            rhythm = next(line for line in rhythms if line.startswith(f"{own.name}: "))
            failures.append(f"{own.name} made {counted(own.updates, 'update')} instead of {total}\n  {rhythm}")
    check = LrCheck("assert_total_steps", failures)
    for one in series:
        check.add_curve(one.name, one.lrs, None)
    if not failures:
        failures += _wrong_lengths(series, total)
    return check


def _wrong_lengths(series: Sequence[LrSeries], total: int) -> list[str]:
    """Where the number of updates is right, but the schedule was built for another."""
    lines: dict[str, None] = {}
    for one in series:
        if not one.can_be_traced or one.counts is None or one.counts.resumed_at:
            continue
        wrong = [fact for fact in one.plan.facts() if fact.wrong and fact.kind in LENGTHS] if one.plan else []
        length = one.counts.length
        if wrong:
            diagnosis = diagnosed(one.trace(), one.plan)
            lines[
                "\n".join([f"{one.optimizer} makes {total} updates, but: {diagnosis.sentence()}", *fix(diagnosis)])
            ] = None
        elif math.isfinite(length) and length < total and int(one.counts.moves.sum()) > length:
            text = f"{one.optimizer} makes {total} updates, but its schedule ends after {length:g}"
            lines[f"{text}\n  fix: give the scheduler the number of optimizer updates"] = None
    return list(lines)
