"""The cases of a schedule: its axes, crossed by machinery, and the learning rates that are due in each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from reference.check import Rates

from .arguments import Arguments
from .library import Library, LibrarySchedule
from .unusual import unusual

WARMUP, TOTAL, BEYOND = 4, 12, 4
BASE_LR, SMALL_LR = 1.0, 3e-4
#: A backbone at its own LR, and a head at the optimizer's.
GROUPS = (0.1, 1.0)
#: Warmups of no, one, all but one, all and more steps than the run has; and a fraction.
LENGTHS = {"w0": 0, "w1": 1, f"w{TOTAL - 1}": TOTAL - 1, f"w{TOTAL}": TOTAL, f"w{TOTAL + 2}": TOTAL + 2, "w4.5": 4.5}
#: In the middle of the warmup, and of the decay; and the same again, with the state loaded twice.
CHECKPOINTS = (2, 7)
TWICE = 7


@dataclasses.dataclass(frozen=True)
class LibraryCase:
    """One run of one schedule of a library.

    `lrs`: the LR of each group.  `tensor`: the LR is a tensor.  `resume`: the update before which a checkpoint is
    saved and loaded, and whether the optimizer's state is loaded before the scheduler is built.  `loads`: how often the
    scheduler's state is loaded then.  `rule`: how it is judged: ``follows`` the reference, stays ``within`` bounds, or
    ``between`` the references of the two warmups next to a fractional one.
    """

    library: Library
    schedule: LibrarySchedule
    axis: str
    arguments: Arguments
    lrs: tuple[float, ...] = (BASE_LR,)
    tensor: bool = False
    resume: tuple[int, bool] | None = None
    loads: int = 1
    rule: str = "follows"

    @property
    def id(self) -> str:
        """Library, schedule and axis."""
        return f"{self.library.name}/{self.schedule.name}/{self.axis}"

    @property
    def precision(self) -> str:
        """``float`` or ``float32``: what the LRs are rounded to."""
        return "float32" if self.tensor else self.schedule.precision

    @property
    def steps(self) -> int:
        """The updates of the run, some of them beyond its end."""
        return int(self.arguments.total_steps) + BEYOND

    def due(self, **changes: int) -> Rates:
        """The documented LRs, a row for each update; raises ValueError where the reference excludes the arguments."""
        columns = []
        for lr in self.lrs:
            arguments = self.arguments.but(base_lr=lr, **changes)
            columns.append(self.schedule.reference(arguments)(np.arange(self.steps), base_lr=lr))
        return np.array(columns).T


def cases_of(library: Library) -> tuple[LibraryCase, ...]:
    """Every case of every schedule of a library."""
    return tuple(case for schedule in library.schedules for case in _cases(library, schedule))


def _cases(library: Library, schedule: LibrarySchedule) -> Iterator[LibraryCase]:
    usual = Arguments(warmup_steps=WARMUP, total_steps=TOTAL, base_lr=BASE_LR, **schedule.fields)
    plain = LibraryCase(library, schedule, "plain", usual)
    for case in _crossed(plain):
        if case.axis not in schedule.left_out:
            yield case


def _crossed(plain: LibraryCase) -> Iterator[LibraryCase]:
    schedule, usual = plain.schedule, plain.arguments
    yield from _with_lrs(plain)
    for name, numbers in schedule.variants.items():
        variant = dataclasses.replace(plain, axis=name, arguments=usual.but(**numbers))
        yield from _with_lrs(variant)
        if not schedule.rate:
            yield dataclasses.replace(variant, axis=f"{name}-tensor", tensor=True)
    if "warmup_steps" in schedule.takes:
        for name, length in LENGTHS.items():
            rule = "between" if length != int(length) else "within" if length > TOTAL else "follows"
            yield dataclasses.replace(plain, axis=name, arguments=usual.but(warmup_steps=length), rule=rule)
    for name, numbers in schedule.edges.items():
        yield dataclasses.replace(plain, axis=name, arguments=usual.but(**numbers), rule="within")
    for name, call, numbers in unusual(schedule):
        arguments = usual.but(**numbers)
        lrs = (arguments["base_lr"],)
        other = dataclasses.replace(schedule, call=call)
        yield dataclasses.replace(plain, axis=name, schedule=other, arguments=arguments, lrs=lrs, rule="within")
    yield dataclasses.replace(plain, axis="integer-lr", arguments=usual.but(base_lr=int(BASE_LR)), lrs=(int(BASE_LR),))
    if schedule.rate:
        return
    yield dataclasses.replace(plain, axis="tensor", tensor=True)
    for at in CHECKPOINTS:
        yield dataclasses.replace(plain, axis=f"resume{at}", resume=(at, False))
        yield dataclasses.replace(plain, axis=f"optimizerfirst{at}", resume=(at, True))
    if schedule.state:
        yield dataclasses.replace(plain, axis=f"resume{TWICE}-twice", resume=(TWICE, False), loads=2)


def _with_lrs(case: LibraryCase) -> Iterator[LibraryCase]:
    """The case, with a small base LR, and with two groups."""
    head = "" if case.axis == "plain" else f"{case.axis}-"
    yield case
    small = case.arguments.but(base_lr=SMALL_LR)
    yield dataclasses.replace(case, axis=f"{head}base3e-4", arguments=small, lrs=(SMALL_LR,))
    if not case.schedule.rate:
        yield dataclasses.replace(case, axis=f"{head}groups", lrs=GROUPS)
