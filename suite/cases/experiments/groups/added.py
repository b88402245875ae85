"""A parameter group added with add_param_group: before, between and after construction, and at each cut."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from reference import ReduceLROnPlateau, Schedule
from reference.check import Rates
from reference.joining import joined
from suite.cases.schedules.compositions import METRICS
from suite.cases.schedules.sample import crossed, parts, sample
from suite.engine.action import Action, Check
from suite.engine.axes import Setup
from suite.engine.case import Case, is_composite
from suite.engine.statements import Schedulers

#: The LR of an added group: below the first group's, and in no simple ratio to it.
OWN_LR = 0.053
#: Before, at and after step 6, where the compositions of the sample have a milestone.
CUTS = (0, 5, 6, 7)
#: ReduceLROnPlateau with a reduction before, between and after the cuts.
REDUCING = ReduceLROnPlateau(METRICS, factor=0.7, patience=0, min_lr=0.001)
#: How the added group's dictionary continues after its parameters.
LRS = {
    "own": f', "lr": {OWN_LR}',
    "default": "",
    "level": ", **level",
}
#: The same in words.
IN_WORDS = {"own": "with an LR of its own", "default": "without an LR", "level": "at the LR of the first group"}


def adding(kind: str = "own", count: int = 1) -> str:
    """The lines that add groups."""
    level = "present = optimizer.param_groups[0]\n"
    level += 'level = {k: present[k] for k in ("lr", "initial_lr") if k in present}\n'
    line = f'optimizer.add_param_group({{"params": [torch.zeros(1)]{LRS[kind]}}})'
    return level * (kind == "level") + "\n".join([line] * count)


def indented(text: str, condition: str) -> str:
    """The lines under an if."""
    return f"if {condition}:\n" + "\n".join("    " + line for line in text.splitlines())


def late_column(schedule: Schedule, at: int, kind: str, first: Rates, default: float) -> Rates:
    """The expected LRs of a group added before update `at`, beside those of the `first`; NaN before it exists."""
    steps = len(first)
    column = np.full(steps, np.nan)
    if at >= steps:
        return column
    if kind == "level":
        column[at:] = first[at:]
    elif kind == "own":
        column[at:] = joined(schedule, at, OWN_LR, steps)
    else:
        # A group without an LR shares the optimizer's, and so its schedule.
        column[at:] = first[at:]
        column[at] = default
    return column


@dataclasses.dataclass(frozen=True)
class Added(Action):
    """Groups are added before an update, with an LR of their own, the optimizer's default, or the first group's."""

    at: int
    kind: str = "own"
    count: int = 1

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"added{self.at}_{self.kind}" + (f"x{self.count}" if self.count > 1 else "")

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        groups = "a parameter group" if self.count == 1 else f"{self.count} parameter groups"
        return f"with {groups} added before update {self.at} {IN_WORDS[self.kind]}"

    @property
    def before(self) -> str:
        """Between two updates."""
        return indented(adding(self.kind, self.count), f"step == {self.at}")

    @property
    def refusable(self) -> str:
        """Instead of scheduling the group, add_param_group may refuse it."""
        return "a group added after the scheduler was built is refused at once"

    @property
    def checks(self) -> tuple[Check, ...]:
        """The scheduler knows a base LR for each group, where it keeps base LRs at all."""
        groups = "len(optimizer.param_groups)"
        number = 'len(getattr(scheduler, "base_lrs", optimizer.param_groups))'
        return (Check("bookkeeping", "the number of base LRs", number, groups),)

    @property
    def by_hand(self) -> tuple[int, ...]:
        """get_last_lr() cannot know the group before the next step."""
        return (self.at,)

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """The LRs of the added groups beside those of the others."""
        column = late_column(case.schedule, self.at, self.kind, rates[:, 0], case.setup.base_lrs()[0])
        return np.column_stack([rates, *[column] * self.count])


@dataclasses.dataclass(frozen=True)
class AddedFirst(Action):
    """A group is added before the scheduler is built; it is a group like any other.

    `params` is the expression of its parameters, `lr` its LR, `thawed` the update before which it is unfrozen.
    """

    lr: float = OWN_LR
    params: str = "[torch.zeros(1)]"
    name: str = ""
    thawed: int = -1

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"addedfirst{self.name}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        frozen = f", and unfrozen before update {self.thawed}" if self.thawed >= 0 else ""
        params = " of no parameters" if self.params == "[]" else ""
        return f"with a parameter group{params} of LR {self.lr} added before the scheduler is built{frozen}"

    @property
    def prepare(self) -> str:
        """Before construction."""
        return f'optimizer.add_param_group({{"params": {self.params}, "lr": {self.lr}}})'

    @property
    def before(self) -> str:
        """The frozen group is unfrozen."""
        thaw = 'for parameter in optimizer.param_groups[-1]["params"]:\n    parameter.requires_grad_(True)'
        return indented(thaw, f"step == {self.thawed}") if self.thawed >= 0 else ""

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """The group's own LR is its base LR from the start."""
        return np.column_stack([rates, case.schedule(np.array(positions), self.lr)])


@dataclasses.dataclass(frozen=True)
class AddedBetween(Action):
    """A group is added after the first part of a composite was built, and before the second."""

    schedule: Schedule
    rebuilds = True

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return "addedbetween"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return "with a parameter group added after the first part is built"

    @property
    def built(self) -> str:
        """The composite once more, on a fresh optimizer, with the group between its parts."""
        first, *rest = Schedulers(Case("", self.schedule), 0).statements("scheduler = ")
        return "\n".join(["optimizer = make_optimizer()", first, adding(), *rest])

    @property
    def refusable(self) -> str:
        """Instead of scheduling the group, the next part or the composite may refuse it."""
        return "the parts of a composite are built on different groups"

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """Training has not started: the group's own LR is its base LR."""
        bases = [*case.setup.base_lrs(), OWN_LR]
        return np.column_stack([self.schedule(np.array(positions), base) for base in bases])


@dataclasses.dataclass(frozen=True)
class AddedLast(AddedBetween):
    """A group is added after all parts of a composite were built, and before the composite."""

    refusable = ""  # the parts know as little of the group when it is added later, and then no error is due either

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return "addedlast"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return "with a parameter group added after the parts are built"

    @property
    def built(self) -> str:
        """The composite once more, on a fresh optimizer, with the group before the composite itself."""
        *parts, last = Schedulers(Case("", self.schedule), 0).statements("scheduler = ")
        return "\n".join(["optimizer = make_optimizer()", *parts, adding(), last])


@dataclasses.dataclass(frozen=True)
class AddedAndRestored(Action):
    """A group is added at `at`; before update `cut` the run is saved and restored in an optimizer with both groups."""

    at: int
    cut: int
    kind: str = "level"
    wide: bool = True
    rebuilds = True

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"added{self.at}_{self.kind}_restored{self.cut}" + ("" if self.wide else "_narrow")

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        where = "an optimizer with both groups" if self.wide else "an optimizer without it"
        return f"with a parameter group added before update {self.at}, and restored in {where} before update {self.cut}"

    @property
    def before(self) -> str:
        """The group is added; later both states are loaded into fresh objects, the scheduler's built first."""
        lines = ["states = optimizer.state_dict(), scheduler.state_dict()", "optimizer = make_optimizer()"]
        lines += [adding()] * self.wide
        lines += ["scheduler = make_scheduler(optimizer)", "optimizer.load_state_dict(states[0])"]
        restore = "\n".join([*lines, "scheduler.load_state_dict(states[1])"])
        return "\n".join([indented(adding(self.kind), f"step == {self.at}"), indented(restore, f"step == {self.cut}")])

    @property
    def refusable(self) -> str:
        """A state of two groups does not fit an optimizer of one."""
        return "" if self.wide else "the state has another number of groups than the optimizer"

    @property
    def by_hand(self) -> tuple[int, ...]:
        """get_last_lr() cannot know the group before the next step."""
        return (self.at,)

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """As without the interruption."""
        column = late_column(case.schedule, self.at, self.kind, rates[:, 0], case.setup.base_lrs()[0])
        return np.column_stack([rates, column])


def _actions() -> Iterator[Setup]:
    """The setups that every composition of the sample is crossed with."""
    for at in CUTS:
        yield Setup(actions=(Added(at),))
    yield Setup(actions=(Added(5, "default"),))
    yield Setup(actions=(Added(5, "level"),))
    yield Setup(groups=2, actions=(Added(6),))
    yield Setup(actions=(Added(3, "level", 2),))
    yield Setup(actions=(AddedFirst(),))
    yield Setup(groups=2, actions=(AddedFirst(thawed=5, params="[torch.zeros(1)]", name="_thawed5"),))


def cases() -> Iterator[Case]:
    """Every composition of the sample with each; a smaller sample where a case names another part of the loop."""
    for schedule in (*sample(), REDUCING):
        for setup in _actions():
            yield Case("groups", schedule, setup)
        if is_composite(schedule):
            yield Case("groups", schedule, Setup(actions=(AddedBetween(schedule),)))
            yield Case("groups", schedule, Setup(actions=(AddedLast(schedule),)))
    for schedule in (*parts(), *crossed(), REDUCING):
        yield Case("groups", schedule, Setup(actions=(AddedFirst(0.0, name="_lr0"),)))
        yield Case("groups", schedule, Setup(actions=(AddedFirst(params="[]", name="_empty"),)))
        for cut in (3, 6, 9):
            yield Case("groups", schedule, Setup(actions=(AddedAndRestored(3, cut),)))
        yield Case("groups", schedule, Setup(actions=(AddedAndRestored(3, 3, wide=False),)))
        yield Case("groups", schedule, Setup(lr_type="tensor", actions=(Added(5),)))
        if not is_composite(schedule) and not isinstance(schedule, ReduceLROnPlateau):
            yield Case("groups", schedule, Setup(jumps=(7,), actions=(Added(1, "level"),)), 12)
    # A list of minima has no value for a new group.
    yield Case("groups", REDUCING, Setup(groups=2, lists=True, actions=(Added(3),)))
