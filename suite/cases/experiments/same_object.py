"""One scheduler object in two places, parts of another optimizer, and optimizers that must not be touched."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from reference import (
    SWALR,
    ChainedScheduler,
    CyclicLR,
    ExponentialLR,
    MultiplicativeLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
)
from suite.engine.action import Action, Check
from suite.engine.axes import Setup
from suite.engine.case import Case

from .other_scheduler import others, statements

#: The part beside the one that is used twice.
DECAY = ExponentialLR(0.93)


@dataclasses.dataclass(frozen=True)
class SameObject(Action):
    """The composite of the case, built on a fresh optimizer so that its equal parts are one object."""

    part: Schedule
    form: str  # the expression that builds the composite from `part` and `decay`
    refusable = "one object cannot be two parts"
    rebuilds = True
    mark = "sameobject"
    words = "with one object as two parts"

    @property
    def built(self) -> str:
        """Build it again, with one object."""
        lines = ["optimizer = make_optimizer()", statements("part", self.part)]
        if "decay" in self.form:
            lines.append(statements("decay", DECAY))
        return "\n".join([*lines, f"scheduler = {self.form}"])


@dataclasses.dataclass(frozen=True)
class ForeignPart(Action):
    """A composite with a part that belongs to another optimizer."""

    part: Schedule
    form: str  # the expression that builds the composite from `part` and `own`
    name: str
    refusal = "every part of a composite must belong to the same optimizer"
    rebuilds = True

    @property
    def built(self) -> str:
        """Build the composite."""
        part = statements("part", self.part)
        lines = ["mine = optimizer", "optimizer = make_optimizer()", part, "foreign, optimizer = optimizer, mine"]
        return "\n".join([*lines, statements("own", DECAY), f"scheduler = {self.form}"])

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"foreign_{self.name}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"with a part that belongs to another optimizer ({self.name})"


#: The groups of the other optimizer as text.
GROUPS = 'str(other.state_dict()["param_groups"])'
#: How a second optimizer comes about.
OTHERS = {
    "parameters": 'other = torch.optim.SGD(optimizer.param_groups[0]["params"], lr=0.1, momentum=0.9)',
    "lr": 'other = torch.optim.SGD([torch.zeros(1)], lr=optimizer.param_groups[0]["lr"])',
    "copy": "other = copy.deepcopy(optimizer)",
    "state": "other = make_optimizer()\nother.load_state_dict(optimizer.state_dict())",
}


@dataclasses.dataclass(frozen=True)
class UntouchedOptimizer(Action):
    """A second optimizer, of the same parameters, LR or state, which no scheduler is built on."""

    how: str

    @property
    def prepare(self) -> str:
        """Make it, and write down its groups."""
        return f"{OTHERS[self.how]}\nuntouched = {GROUPS}"

    @property
    def rebuilds(self) -> bool:
        """One way to make it calls make_optimizer()."""
        return "make_optimizer" in OTHERS[self.how]

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"other_{self.how}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return (
            f"beside a second optimizer with the same {self.how}"
            if self.how != "copy"
            else "beside a copy of the optimizer"
        )

    @property
    def checks(self) -> tuple[Check, ...]:
        """Its groups are as they were."""
        return (Check("settings", "the other's groups", GROUPS, "untouched"),)


#: How one object is used twice → the composite that it must equal.
TWICE: dict[str, Callable[[Schedule], Schedule]] = {
    "SequentialLR(optimizer, [part, decay, part], milestones=[5, 9])": lambda p: SequentialLR((p, DECAY, p), (5, 9)),
    "SequentialLR(optimizer, [part, part], milestones=[6])": lambda p: SequentialLR((p, p), (6,)),
    "ChainedScheduler([part, part])": lambda p: ChainedScheduler((p, p)),
    "ChainedScheduler([part, decay, part])": lambda p: ChainedScheduler((p, DECAY, p)),
    "ChainedScheduler(\n    [ChainedScheduler([part, decay]), ChainedScheduler([part])]\n)": lambda p: ChainedScheduler(
        (ChainedScheduler((p, DECAY)), ChainedScheduler((p,)))
    ),
}
#: Classes whose composite with an equal part of its own deviates already, so that they would show nothing new.
DEVIATES: dict[str, tuple[type[Schedule], ...]] = {
    "SequentialLR": (SequentialLR, ChainedScheduler, MultiplicativeLR, SWALR, OneCycleLR, CyclicLR),
    "ChainedScheduler": (SequentialLR,),
}
#: Composites with a part of another optimizer.
FOREIGN = {
    "later": "SequentialLR(optimizer, [own, part], milestones=[6])",
    "first": "SequentialLR(optimizer, [part, own], milestones=[6])",
    "all": "SequentialLR(optimizer, [part], milestones=[])",
    "chained": "ChainedScheduler([own, part])",
}


def cases() -> Iterator[Case]:
    """Every class as the object that is used twice, and as the foreign part; an untouched optimizer beside each."""
    for part in others():
        if not isinstance(part, ReduceLROnPlateau):
            for form, composite in TWICE.items():
                if not isinstance(part, DEVIATES[form.split("(")[0]]):
                    yield Case("shared", composite(part), Setup(actions=(SameObject(part, form),)))
            for name, form in FOREIGN.items():
                yield Case("shared", part, Setup(actions=(ForeignPart(part, form, name),)))
        for how in ("parameters", "state", "copy"):
            yield Case("shared", part, Setup(actions=(UntouchedOptimizer(how),)))
        for how in ("lr", "state", "copy"):
            yield Case("shared", part, Setup(lr_type="tensor", actions=(UntouchedOptimizer(how),)))
