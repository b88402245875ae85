"""Every composition of the suite's cases is described rightly from the object that torch builds of it."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from bench.diagnose.plan.construction import Constructions
from bench.diagnose.plan.plan import read_plan
from bench.diagnose.plan.twin import NoTwin, base_lr_of, class_name, twin_of
from reference import OneCycleLR, Schedule
from suite.cases.catalogue import all_cases
from suite.engine.build import MissingScheduler, build, for_group
from suite.engine.case import Case, Refused, expected, validated
from suite.engine.loop import REFUSALS, run_case
from suite.engine.subject import installed
from suite.engine.verdict import close

#: The fast tests read each 17th case; prime, so that every kind is among them.
STRIDE = 17
#: Numbers given as these are documented as wrong, or are other numbers than those of the case.
OTHER_NUMBERS = ("bool", "text", "typed")


def key(case: Case) -> tuple[Any, ...]:
    """What the object is built from: cases that differ in the loop alone build the same one."""
    setup = case.setup
    return case.schedule.slug, setup.groups, setup.lists, setup.lr_type, setup.numbers, setup.optimizer, setup.reverse


@functools.cache
def buildable() -> tuple[Case, ...]:
    """One case for every object that the documentation allows."""
    cases: dict[tuple[Any, ...], Case] = {}
    for case in all_cases():
        if any(word in case.setup.numbers for word in OTHER_NUMBERS):
            continue
        try:
            validated(case.schedule)
        except Refused:
            continue
        cases.setdefault(key(case), case)
    return tuple(cases.values())


def built(case: Case, optimizer: torch.optim.Optimizer) -> Any:
    """The scheduler of a case, None where torch refuses to build it."""
    setup = case.setup
    try:
        return build(
            case.schedule, optimizer, installed(), lists=setup.lists, reverse=setup.reverse, numbers=setup.numbers
        )
    except (MissingScheduler, RuntimeError, *REFUSALS):
        return None


def objects(cases: tuple[Case, ...]) -> Iterator[tuple[Case, Any, Constructions]]:
    """Each case with its scheduler and what its construction showed."""
    for case in cases:
        optimizer = case.setup.make_optimizer()
        with Constructions() as seen, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler = built(case, optimizer)
        if scheduler is not None:
            yield case, scheduler, seen


def last_step(schedule: Schedule, steps: int) -> int:
    """The steps that are compared: those of the case, up to the end of a OneCycleLR."""
    return min(steps, schedule.length) if isinstance(schedule, OneCycleLR) else steps


def difference(case: Case, scheduler: Any, seen: Constructions) -> str:
    """How the twins of all groups differ from the schedules of the case; empty where they do not."""
    metrics = getattr(case.schedule, "metrics", ())
    steps = last_step(case.schedule, len(metrics) if metrics else case.steps)
    for g, base in enumerate(case.setup.base_lrs()):
        right = for_group(case.schedule, g) if case.setup.lists else case.schedule
        try:
            twin = twin_of(scheduler, g, seen.given, metrics)
        except NoTwin as missing:
            return f"{case.id}: {missing}"
        read = seen.base_lrs[id(scheduler.optimizer)][g]
        ours, theirs = twin.trace(steps, read), right.trace(steps, base)
        if not close(ours, theirs, case.setup.precision, steps).all():
            return f"{case.id}: group {g}: {ours[:8]} instead of {theirs[:8]}"
    return ""


def differences(cases: tuple[Case, ...]) -> tuple[int, list[str]]:
    """How many objects were read, and what is wrong with some of them."""
    texts = [difference(*item) for item in objects(cases)]
    return len(texts), [text for text in texts if text]


def test_objects_are_described() -> None:
    """For a sample of the compositions the LRs of the twin are those of the reference."""
    count, wrong = differences(buildable()[::STRIDE])
    assert wrong == []
    assert count > len(buildable()) / STRIDE / 2


@pytest.mark.slow
def test_every_object_is_described() -> None:
    """So they are for every composition, group, type of LR and of number, optimizer and order of construction."""
    count, wrong = differences(buildable())
    assert wrong == []
    assert count > len(buildable()) / 2


def is_plain(case: Case) -> bool:
    """Whether nothing happens in the loop of the case beside stepping."""
    setup = case.setup
    return not (setup.resume or setup.jumps or setup.actions or setup.clock != "step")


def misread(case: Case, scheduler: Any, seen: Constructions) -> str:
    """Where the plan's verdict on torch, or the LRs that it read from a copy, are not those of a real run."""
    plan = read_plan(scheduler, case.steps, seen=seen, metrics=getattr(case.schedule, "metrics", ()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = run_case(case.schedule, case.setup, case.steps, installed())
    real = np.array(run.lrs)
    documented = expected(case, run.positions)
    follows = bool(close(real, documented, case.setup.precision, case.steps).all())
    columns = [group.lrs for group in plan.groups]
    if (plan.deviation is None) != follows:
        return f"{case.id}: follows is {follows}, but {plan.deviation}"
    if any(lrs is None or not np.array_equal(lrs[: len(real)], real[:, g]) for g, lrs in enumerate(columns)):
        return f"{case.id}: the copy gave other LRs than the run"
    return ""


def misreadings(cases: list[Case]) -> tuple[int, list[str]]:
    """How many plans were read, and which of them are wrong."""
    texts = [misread(*item) for item in objects(tuple(cases))]
    return len(texts), [text for text in texts if text]


def test_plans_judge_torch_as_the_suite_does() -> None:
    """A plan finds a deviation exactly where a real run of the case leaves the reference, for a sample of them."""
    cases = [case for case in buildable() if is_plain(case)][::STRIDE]
    count, wrong = misreadings(cases)
    assert wrong == []
    assert count > len(cases) / 2


@pytest.mark.slow
def test_every_plan_judges_torch_as_the_suite_does() -> None:
    """So it does for all of them."""
    cases = [case for case in buildable() if is_plain(case)]
    count, wrong = misreadings(cases)
    assert wrong == []
    assert count > len(cases) / 2


def test_arguments_that_objects_lose_are_read_from_the_construction() -> None:
    """A second OneCycleLR overwrites the peak of the first in the groups; the construction still knows it."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3, momentum=0.9)
    with Constructions() as seen:
        first = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, 40)
        torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.7, 40)
    assert twin_of(first, 0, seen.given) == OneCycleLR(0.2, 40)
    assert twin_of(first) != OneCycleLR(0.2, 40)
    assert seen.base_lrs[id(optimizer)] == [0.3]
    assert base_lr_of(first, 0) == pytest.approx(0.2 / 25, rel=1e-15)


def test_constructors_are_restored() -> None:
    """After the block torch's constructors are the original ones."""
    before = torch.optim.lr_scheduler.StepLR.__init__
    with Constructions():
        assert torch.optim.lr_scheduler.StepLR.__init__ is not before
        with pytest.raises(TypeError):
            torch.optim.lr_scheduler.StepLR()  # type: ignore[call-arg]  # this is the error that is tested
    assert torch.optim.lr_scheduler.StepLR.__init__ is before


class Renamed(torch.optim.lr_scheduler.StepLR):
    """A subclass that changes nothing."""


class Doubled(torch.optim.lr_scheduler.StepLR):
    """A subclass with other LRs."""

    def get_lr(self) -> Any:
        """Twice the LR."""
        return [2 * float(lr) for lr in super().get_lr()]


def test_a_subclass_that_changes_the_lrs_has_no_twin() -> None:
    """A subclass is its base class only while it overrides nothing that makes LRs."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    assert class_name(Renamed(optimizer, 3)) == "StepLR"
    assert class_name(Doubled(optimizer, 3)) == ""
    with pytest.raises(NoTwin, match="Doubled is not a class of torch"):
        twin_of(Doubled(optimizer, 3))


def test_arguments_against_the_documentation_have_no_twin() -> None:
    """What torch accepts and its documentation does not has no documented LRs; the rule is in the message."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    with pytest.raises(NoTwin, match=r"CosineAnnealingLR: T_max=4\.5 must be an integer"):
        twin_of(torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4.5))  # type: ignore[arg-type]  # it is tested
