"""A run that stops and is resumed from its states by a script that is not the one that saved them."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence

import numpy as np

from reference import Schedule
from reference.check import Rates
from suite.engine.action import Action
from suite.engine.case import Case
from suite.engine.statements import Schedulers

#: A base LR that is in no simple ratio to those of the axes.
OTHER_LR = 0.053


def construction(schedule: Schedule) -> str:
    """The statements that build the schedule on `optimizer`, none wider than a script's lines."""
    statements = Schedulers(Case("", schedule), 0)
    if statements.tables:
        raise ValueError(f"schedule={schedule.slug} must have functions that a formula can express")
    # Built for the indentation that they have in a script, inside the loop and the condition below.
    return textwrap.dedent("\n".join(statements.statements("scheduler = ", indent=" " * 8)))


def resumption(at: int, lines: Sequence[str]) -> str:
    """Lines that run before update `at`, on the states that were saved there."""
    saved = "states = optimizer.state_dict(), scheduler.state_dict()"
    body = textwrap.indent("\n".join([saved, *lines]), "    ")
    return f"if step == {at}:  # stop, and resume from the states\n{body}"


#: The states that are loaded, for people.
LOADED = {"both": "both states", "scheduler": "only the scheduler's state", "optimizer": "only the optimizer's state"}
#: Which states are loaded, in the order of the documentation.
LOADS = {
    "both": ["optimizer.load_state_dict(states[0])", "scheduler.load_state_dict(states[1])"],
    "scheduler": ["scheduler.load_state_dict(states[1])"],
    "optimizer": ["optimizer.load_state_dict(states[0])"],
}


@dataclasses.dataclass(frozen=True)
class Resumed(Action):
    """Before update `at` a new optimizer and scheduler are built, and `loads` of the two states is loaded.

    `new`: what the script that resumes builds, called `name`; `lr`: its base LR where it is another one.
    """

    at: int
    loads: str
    new: Schedule
    name: str = "same"
    lr: float = 0.0
    rebuilds = True

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return "_".join([f"load{self.at}", self.loads, self.name, *(["lr"] if self.lr else [])])

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        what = "the same schedule" if self.name == "same" else self.new.slug
        what += f" at base LR {self.lr}" if self.lr else ""
        return f"resumed before update {self.at} by a script that builds {what}, with {LOADED[self.loads]} loaded"

    @property
    def before(self) -> str:
        """The lines."""
        optimizer = ["optimizer = make_optimizer()"]
        if self.lr:
            optimizer.append(f'optimizer.param_groups[0]["lr"] = {self.lr}')
        return resumption(self.at, [*optimizer, construction(self.new), *LOADS[self.loads]])

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """The new arguments, from the step of the scheduler: the saved one, or 0 where its state is not loaded."""
        steps = np.array(positions)
        resumed = steps >= self.at
        steps[resumed] -= self.at if self.loads == "optimizer" else 0
        bases = [self.lr, *case.setup.base_lrs()[1:]] if self.lr else case.setup.base_lrs()
        new = np.stack([self.new(steps, base) for base in bases], axis=1)
        return np.where(resumed[:, None], new, rates)


@dataclasses.dataclass(frozen=True)
class OtherArguments(Resumed):
    """The script that resumes has another argument, or another base LR."""

    general = False

    refusable = "the state was saved by a run with other arguments"

    def known_traces(self, case: Case, positions: Sequence[int]) -> Sequence[tuple[str, str, Rates]]:
        """The schedule of the saved arguments."""
        rates = np.stack([case.schedule(np.array(positions), base) for base in case.setup.base_lrs()], axis=1)
        return (("saved", "the LRs are those of the saved arguments", rates),)


@dataclasses.dataclass(frozen=True)
class OtherStructure(Resumed):
    """The script that resumes has another class, or with `parts` a composite of other parts."""

    parts: bool = False

    @property
    def refusal(self) -> str:
        """Why it must be refused."""
        return f"the state is that of a scheduler {'with other parts' if self.parts else 'of another class'}"


@dataclasses.dataclass(frozen=True)
class OtherGroups(Action):
    """The script that resumes has another number of parameter groups."""

    at: int
    groups: int
    loads: str
    rebuilds = True

    @property
    def refusal(self) -> str:
        """Why it must be refused."""
        return "the state is that of an optimizer with another number of parameter groups"

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"load{self.at}_{self.loads}_into{self.groups}groups"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"resumed before update {self.at} with {self.groups} parameter groups, with {LOADED[self.loads]} loaded"

    @property
    def before(self) -> str:
        """The lines."""
        groups = f'[{{"params": [torch.zeros(1)]}} for _ in range({self.groups})]'
        lines = ["groups = " + groups, "optimizer = torch.optim.SGD(groups, lr=0.3, momentum=0.9)"]
        return resumption(self.at, [*lines, "scheduler = make_scheduler(optimizer)", *LOADS[self.loads]])
