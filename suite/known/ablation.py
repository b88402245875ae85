"""Which of several possible causes of a deviation are real, measured by leaving the others out.

A case may match the predicates of several entries.  Simpler cases are made from it: one axis back at its default, or
one scheduler replaced by one that changes nothing.  Where a simpler case matches one of the entries alone, it shows
whether that entry is enough for a deviation in this channel; where it matches all but one, whether that one is needed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from reference import ConstantLR, Schedule
from suite.engine.build import unvalidated_copy
from suite.engine.case import PLAIN, Case, is_composite
from suite.engine.subject import Subject
from suite.engine.verdict import Verdict, verdict_of

from .entries import PREDICATES

#: A scheduler that changes nothing.
NEUTRAL = ConstantLR(1.0, 1)
#: The axes of a setup that are put back together.
TOGETHER = (
    ("resume", "cuts", "saved"),
    ("jumps",),
    ("groups", "lists"),
    ("lr_type",),
    ("numbers",),
    ("optimizer",),
    ("clock",),
)


def judge_on(subject: Subject) -> Callable[[Case], Verdict]:
    """A function that judges a case on this subject; it remembers its verdicts, since many cases simplify to one."""
    verdicts: dict[Any, Verdict] = {}

    def judge(case: Case) -> Verdict:
        key = (case.id, case.steps, case.setup.actions)  # an id need not name every field of an action
        if key not in verdicts:
            verdicts[key] = verdict_of(case, subject)
        return verdicts[key]

    return judge


def real_causes(
    case: Case, deviation: Verdict, candidates: Sequence[str], judge: Callable[[Case], Verdict]
) -> tuple[str, ...]:
    """The candidates that a simpler case confirms; those that none refutes where none is confirmed.

    One that no simpler case shows alone is real where the deviation is another one without it.
    `judge` runs a case on the release in question.
    """
    enough, not_enough, needed, changes = set[str](), set[str](), set[str](), set[str]()

    def shown(by: Case) -> list[tuple[str, int | None]]:
        return [(d.label, d.step) for d in judge(by).deviations if d.channel == deviation.channel]

    for before, simpler in simpler_cases(case):
        matching = [name for name in candidates if PREDICATES[name](simpler)]
        if len(matching) not in (1, len(candidates) - 1):
            continue
        now = shown(simpler)
        if len(matching) == 1:
            (enough if now else not_enough).add(matching[0])
        # A deviation that had gone before the last thing was left out says nothing about that thing.
        if len(matching) == len(candidates) - 1 and (was := shown(before)) and now != was:
            (changes if now else needed).update(set(candidates) - set(matching))
    for kept in (enough | needed | changes - not_enough, set(candidates) - not_enough, set(candidates[:1])):
        if kept:
            return tuple(name for name in candidates if name in kept)
    return ()


def simpler_cases(case: Case) -> Iterator[tuple[Case, Case]]:
    """The case with one thing left out, then with two: axes of the setup, actions, schedulers.

    In pairs: the case before the last thing was left out, and after.
    """
    yield case, dataclasses.replace(case, setup=PLAIN)
    for setup in simpler_setups(case):
        yield case, dataclasses.replace(case, setup=setup)
    for schedule in simpler_schedules(case.schedule):
        simpler = dataclasses.replace(case, schedule=schedule)
        yield simpler, dataclasses.replace(simpler, setup=PLAIN)
        yield case, simpler


def simpler_setups(case: Case) -> Iterator[Any]:
    """The setup with one axis back at its default."""
    for names in TOGETHER:
        changes = {name: getattr(PLAIN, name) for name in names if getattr(case.setup, name) != getattr(PLAIN, name)}
        if changes:
            yield dataclasses.replace(case.setup, **changes)
    for action in case.setup.actions:
        yield dataclasses.replace(case.setup, actions=tuple(a for a in case.setup.actions if a is not action))


def simpler_schedules(schedule: Schedule) -> Iterator[Schedule]:
    """The composition with one part replaced by one that changes nothing, or by its own first part."""
    parts = getattr(schedule, "schedulers", ())
    for i, part in enumerate(parts):
        choices = [NEUTRAL, *simpler_schedules(part)]
        if is_composite(part) and part.schedulers:
            choices.append(part.schedulers[0])
        for choice in choices:
            if choice != part:
                yield unvalidated_copy(schedule, schedulers=(*parts[:i], choice, *parts[i + 1 :]))
