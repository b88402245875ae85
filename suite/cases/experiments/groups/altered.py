"""Groups that the user removes, reorders, replaces, or whose LR the user changes by hand in mid-training."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from reference import Schedule
from reference.check import Rates
from reference.joining import continued, joined
from suite.cases.schedules.sample import crossed, parts
from suite.engine.action import Action
from suite.engine.axes import Setup
from suite.engine.case import Case

from .added import OWN_LR, REDUCING, indented

#: A drop by hand.
DROP = 0.1
#: What is done to the list of groups, as the line that does it.
CHANGES = {
    "removed": "optimizer.param_groups.pop()",
    "reversed": "optimizer.param_groups.reverse()",
    "replaced": (
        "old = optimizer.param_groups.pop()\n"
        'new = {key: old[key] for key in ("lr", "initial_lr") if key in old}\n'
        'optimizer.add_param_group({"params": [torch.zeros(1)], **new})'
    ),
}


@dataclasses.dataclass(frozen=True)
class GroupsChanged(Action):
    """The list of groups is changed: the others continue as before, and a group keeps its schedule."""

    at: int
    change: str

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"{self.change}{self.at}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        change = {"removed": "the last group removed", "reversed": "the groups reversed"}
        return f"with {change.get(self.change, 'the last group replaced')} before update {self.at}"

    @property
    def before(self) -> str:
        """Between two updates."""
        return indented(CHANGES[self.change], f"step == {self.at}")

    @property
    def by_hand(self) -> tuple[int, ...]:
        """get_last_lr() cannot know it before the next step."""
        return (self.at,)

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """One column per place in the list of groups."""
        changed = rates.copy()
        if self.change == "removed":
            changed[self.at :, -1] = np.nan
        elif self.change == "reversed":
            changed[self.at :] = rates[self.at :, ::-1]
        return changed


@dataclasses.dataclass(frozen=True)
class DroppedByHand(Action):
    """The user multiplies the LR of each group by 0.1, with or without its initial_lr."""

    at: int
    initial: bool = False

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"dropped{self.at}" + ("_initial" if self.initial else "")

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        names = "the LRs and initial LRs" if self.initial else "the LRs"
        return f"with {names} multiplied by {DROP} by hand before update {self.at}"

    @property
    def before(self) -> str:
        """Between two updates."""
        lines = ["for group in optimizer.param_groups:", f'    group["lr"] *= {DROP}']
        lines += [f'    if "initial_lr" in group:\n        group["initial_lr"] *= {DROP}'] * self.initial
        return indented("\n".join(lines), f"step == {self.at}")

    @property
    def by_hand(self) -> tuple[int, ...]:
        """get_last_lr() cannot know it before the next step."""
        return (self.at,)

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """The drop lasts."""
        return np.stack([self._dropped(case.schedule, base, case.steps) for base in case.setup.base_lrs()], axis=1)[
            : len(rates)
        ]

    def _dropped(self, schedule: Schedule, base: float, steps: int) -> Rates:
        return continued(schedule, self.at, DROP, steps, base)


@dataclasses.dataclass(frozen=True)
class RaisedFromZero(Action):
    """A group is frozen by an LR of 0, and later the user gives it one."""

    at: int
    prepare = 'optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 0.0})'

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"raised{self.at}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"with a parameter group of LR 0, raised by hand before update {self.at}"

    @property
    def before(self) -> str:
        """Between two updates."""
        return indented(f'optimizer.param_groups[-1]["lr"] = {OWN_LR}', f"step == {self.at}")

    @property
    def by_hand(self) -> tuple[int, ...]:
        """get_last_lr() cannot know it before the next step."""
        return (self.at,)

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """From then on, the LRs of a group that is added there."""
        column = case.schedule(np.array(positions), 0.0)
        column[self.at :] = joined(case.schedule, self.at, OWN_LR, case.steps)[: max(0, len(rates) - self.at)]
        return np.column_stack([rates, column])


def cases() -> Iterator[Case]:
    """Every class alone and the composites with a milestone at step 6."""
    for schedule in (*parts(), *crossed(), REDUCING):
        for change in CHANGES:
            yield Case("groups", schedule, Setup(groups=2, actions=(GroupsChanged(4, change),)))
        yield Case("groups", schedule, Setup(groups=3, actions=(GroupsChanged(7, "removed"),)))
        yield Case("groups", schedule, Setup(actions=(DroppedByHand(4),)))
        yield Case("groups", schedule, Setup(groups=2, actions=(DroppedByHand(7),)))
        yield Case("groups", schedule, Setup(actions=(DroppedByHand(4, initial=True),)))
        yield Case("groups", schedule, Setup(actions=(RaisedFromZero(5),)))
