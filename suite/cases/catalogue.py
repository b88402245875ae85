"""All cases: compositions crossed with axes, by code rather than by hand."""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Iterator

from reference import CosineAnnealingWarmRestarts, OneCycleLR, ReduceLROnPlateau, Schedule
from suite.engine.axes import Setup
from suite.engine.build import for_group
from suite.engine.case import Case, is_composite
from suite.engine.loop import restores
from suite.tutorials import outcomes

from .experiments import CASES
from .schedules import compositions, momenta, plateau
from .schedules.sample import crossed

#: Cuts before, at and after step 6, where the compositions below have a milestone, and two in one run.
CUTS = ((3,), (6,), (7,), (3, 9))


def _setups(schedule: Schedule) -> Iterator[Setup]:
    """Every value of every axis, one axis off its default at a time, plus the pairs that interact."""
    yield Setup(groups=3)
    yield Setup(groups=3, lists=True)
    yield Setup(lr_type="tensor")
    yield Setup(groups=3, lr_type="tensor")
    yield Setup(groups=2, lr_type="shared")
    if for_group(schedule, 1) != schedule:  # one value or function for each group
        yield Setup(groups=2, lr_type="shared", lists=True)
        yield Setup(groups=3, lr_type="shared", lists=True, optimizer="adam")
        yield Setup(groups=3, lr_type="shared", lists=True, clock="epoch")
    yield Setup(optimizer="adam")
    yield Setup(groups=2, optimizer="adam", lr_type="tensor", lists=True)
    yield Setup(clock="epoch")
    yield Setup(clock="micro")
    if is_composite(schedule):
        yield Setup(reverse=True)
        yield Setup(reverse=True, groups=3)
    for resume in restores(schedule):
        if resume == "loadedtwice":
            yield Setup(resume=resume, cuts=(6,))
            continue
        for cuts in CUTS:
            yield Setup(resume=resume, cuts=cuts)
        yield Setup(resume=resume, cuts=(6,), saved=True, groups=3)
        yield Setup(resume=resume, cuts=(5,), lr_type="tensor")
    if not is_composite(schedule) and not isinstance(schedule, ReduceLROnPlateau):
        for jumps in ((7,), (0,), (2, 5), (11, 4)):
            yield Setup(jumps=jumps)
        yield Setup(jumps=(7,), groups=3, lr_type="tensor")


def steps_of(setup: Setup) -> int:
    """The updates in which a scheduler of this clock takes 12 to 16 steps."""
    if setup.jumps:
        return 12
    return {"micro": 8, "epoch": 36, "step": 16}[setup.clock]


def _all() -> Iterator[Case]:
    for schedule in compositions.singles():
        yield Case("single", schedule)
        for setup in _setups(schedule):
            yield Case("single", schedule, setup, steps_of(setup))
    # The fifth restart: rounding can misplace it in the geometric series.
    yield Case("single", CosineAnnealingWarmRestarts(1, 3), Setup(jumps=(121,)), 12)
    for schedule in compositions.edges():
        for setup in (Setup(), Setup(groups=3), Setup(lr_type="tensor"), Setup(optimizer="adam")):
            yield Case("edge", schedule, setup, 1 if schedule == OneCycleLR(0.23, 1) else 16)
    for schedule in compositions.wrong_singles():
        yield Case("refused", schedule)
    for family, schedule in compositions.pairs():
        yield Case(family, schedule)
        yield Case(family, schedule, Setup(groups=2, optimizer="adam"))
    for family, schedule in compositions.twins():
        yield Case(family, schedule)
    for schedule in compositions.milestones():
        yield Case("milestones", schedule)
    for family, schedule in compositions.nested():
        yield Case(family, schedule)
    for schedule in crossed():
        yield Case("crossed", schedule)
        for setup in _setups(schedule):
            yield Case("crossed", schedule, setup, steps_of(setup))
    for schedule, steps in outcomes.compositions():
        yield Case("tutorial", schedule, steps=steps)
    yield from momenta.cases()
    yield from plateau.cases()
    for cases in CASES:
        yield from cases()


@functools.cache
def all_cases(device: str = "cpu") -> tuple[Case, ...]:
    """Every case once, in a fixed order."""
    cases: dict[str, Case] = {}
    for case in _all():
        if device != "cpu":
            case = dataclasses.replace(case, setup=dataclasses.replace(case.setup, device=device))
        cases.setdefault(case.id, case)
    return tuple(cases.values())


@functools.cache
def by_id(device: str = "cpu") -> dict[str, Case]:
    """Every case by its id."""
    return {case.id: case for case in all_cases(device)}


def find(case_id: str) -> Case:
    """The case of this id, on the GPU if the id says so; raises ValueError with the closest ids."""
    cases = by_id("cuda" if case_id.endswith("-cuda") else "cpu")
    if case_id not in cases:
        close = difflib.get_close_matches(case_id, cases, n=3, cutoff=0.5)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise ValueError(f"unknown case {case_id!r} ({len(cases)} known){hint}")
    return cases[case_id]
