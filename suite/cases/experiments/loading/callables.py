"""Functions as arguments: which of them are in the state, and which does a resumed run use?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from reference import CyclicLR, ExponentialLR, LambdaLR, MultiplicativeLR, Schedule
from reference.check import Rates
from suite.engine.action import Action
from suite.engine.case import Case

from .resumed import LOADS, resumption

#: The function's value in the run that saves.
SAVED = 0.9
#: A class whose objects, and their methods, are callable.
DECAY = """\
class Decay:
    def __init__(self, gamma):
        self.gamma = gamma

    def __call__(self, t):
        return self.gamma**t
"""
SLOTS = DECAY.replace(":", ':\n    __slots__ = ("gamma",)\n', 1)
MADE = "\n\ndef make_function(gamma):\n    return "
#: Kind of function → the lines that define make_function(gamma).
KINDS = {
    "function": f"{MADE.lstrip()}lambda t: gamma**t",
    "object": f"{DECAY}{MADE}Decay(gamma)",
    "method": f"{DECAY}{MADE}Decay(gamma).__call__",
    "slots": f"{SLOTS}{MADE}Decay(gamma)",
    "partial": f"from functools import partial\n{MADE}partial(pow, gamma)",
    "builtin": f"{MADE.lstrip()}gamma.__pow__",
}
#: The same for people.
CALLED = {
    "function": "a function",
    "object": "a callable object",
    "method": "a method",
    "slots": "a callable object with __slots__",
    "partial": "a functools.partial",
    "builtin": "a built-in function",
}
#: What the scheduler is for each function, as a twin and as code.
CYCLE = CyclicLR(0.017, 0.19, 3, 5, scale_fn=ExponentialLR(SAVED), scale_mode="iterations", cycle_momentum=False)
CYCLE_CODE = """\
CyclicLR(
        optimizer, 0.017, 0.19, 3, 5,
        scale_fn=make_function(gamma), scale_mode="iterations", cycle_momentum=False,
    )"""
SCHEDULERS = {
    "LambdaLR": (LambdaLR(ExponentialLR(SAVED)), "LambdaLR(optimizer, make_function(gamma))"),
    "MultiplicativeLR": (MultiplicativeLR(ExponentialLR(SAVED)), "MultiplicativeLR(optimizer, make_function(gamma))"),
    "CyclicLR": (
        CYCLE,
        CYCLE_CODE,
    ),
}
FIELDS = {"LambdaLR": "lr_lambda", "MultiplicativeLR": "lr_lambda", "CyclicLR": "scale_fn"}


@dataclasses.dataclass(frozen=True)
class WithFunction(Action):
    """A scheduler of class `name` with a function of this kind, resumed before update `at` with another `gamma`."""

    at: int
    name: str
    kind: str
    gamma: float
    saved: float = SAVED
    rebuilds = True

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"resumed{self.at}_{self.kind}{self.gamma}".replace(".", "p")

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        then = "it" if self.gamma == self.saved else "another"
        return f"given {CALLED[self.kind]} and resumed before update {self.at} with {then}"

    @property
    def built(self) -> str:
        """The function, and the scheduler again with it."""
        made = f"def make(optimizer, gamma):\n    return {SCHEDULERS[self.name][1]}"
        lines = f"optimizer = make_optimizer()\nscheduler = make(optimizer, {self.saved})"
        return f"{KINDS[self.kind]}\n\n\n{made}\n\n\n{lines}"

    @property
    def before(self) -> str:
        """The lines that resume."""
        rebuilt = ["optimizer = make_optimizer()", f"scheduler = make(optimizer, {self.gamma})"]
        return resumption(self.at, [*rebuilt, *LOADS["both"]])

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """A callable object is in the state, so the saved one is used; a function is not, so the new one is."""
        if self.kind != "function":
            return rates
        steps = np.array(positions)
        other = ExponentialLR(self.gamma)
        new = dataclasses.replace(case.schedule, **{FIELDS[self.name]: other})  # type: ignore[type-var]
        resumed = np.stack([new(steps, base) for base in case.setup.base_lrs()], axis=1)
        return np.where((steps >= self.at)[:, None], resumed, rates)


def actions() -> Iterator[tuple[Schedule, WithFunction]]:
    """Every kind of function in every class that takes one, resumed with the same function and with another."""
    for name, (schedule, _) in SCHEDULERS.items():
        for kind in KINDS:
            for gamma in (SAVED, 0.7):
                yield schedule, WithFunction(6, name, kind, gamma)
