"""Arguments for several groups: lists of the wrong length, tuples, lists where a number is documented, and scalars."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from reference import (
    SWALR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
    StepLR,
)
from suite.cases.schedules.compositions import METRICS
from suite.engine.action import Action, Check
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.statements import WIDTH, Schedulers

#: Any valid scheduler, for cases that are about the construction of another one.
PLAIN = ExponentialLR(0.89)
CYCLE = "step_size_up=3, "
#: Class, its other arguments, the argument that may be a list, and one value.
PER_GROUP = (
    ("LambdaLR", "", "lr_lambda", "lambda t: 0.9**t"),
    ("MultiplicativeLR", "", "lr_lambda", "lambda t: 0.9"),
    ("OneCycleLR", "total_steps=20, ", "max_lr", "0.23"),
    ("OneCycleLR", "max_lr=0.23, total_steps=20, ", "max_momentum", "0.95"),
    ("OneCycleLR", "max_lr=0.23, total_steps=20, ", "base_momentum", "0.85"),
    ("CyclicLR", f"max_lr=0.23, {CYCLE}", "base_lr", "0.017"),
    ("CyclicLR", f"base_lr=0.017, {CYCLE}", "max_lr", "0.23"),
    ("CyclicLR", f"base_lr=0.017, max_lr=0.23, {CYCLE}", "base_momentum", "0.8"),
    ("CyclicLR", f"base_lr=0.017, max_lr=0.23, {CYCLE}", "max_momentum", "0.9"),
    ("SWALR", "anneal_epochs=4, ", "swa_lr", "0.023"),
    ("ReduceLROnPlateau", "", "min_lr", "0.001"),
)
#: Class, its other arguments, an argument that is documented as one number, and its value.
ONE_NUMBER = (
    ("StepLR", "step_size=3, ", "gamma", "0.7"),
    ("StepLR", "", "step_size", "3"),
    ("MultiStepLR", "milestones=[3], ", "gamma", "0.7"),
    ("ConstantLR", "", "factor", "0.37"),
    ("ConstantLR", "", "total_iters", "3"),
    ("LinearLR", "", "start_factor", "0.13"),
    ("LinearLR", "", "end_factor", "0.97"),
    ("LinearLR", "", "total_iters", "5"),
    ("ExponentialLR", "", "gamma", "0.89"),
    ("PolynomialLR", "total_iters=11, ", "power", "1.7"),
    ("PolynomialLR", "", "total_iters", "11"),
    ("CosineAnnealingLR", "T_max=13, ", "eta_min", "0.001"),
    ("CosineAnnealingLR", "", "T_max", "13"),
    ("CosineAnnealingWarmRestarts", "T_0=3, ", "eta_min", "0.001"),
    ("CosineAnnealingWarmRestarts", "", "T_0", "3"),
    ("OneCycleLR", "max_lr=0.23, total_steps=20, ", "div_factor", "25.0"),
    ("OneCycleLR", "max_lr=0.23, total_steps=20, ", "final_div_factor", "1e4"),
    ("OneCycleLR", "max_lr=0.23, total_steps=20, ", "pct_start", "0.3"),
    ("CyclicLR", f"base_lr=0.017, max_lr=0.23, {CYCLE}", "gamma", "0.9"),
    ("CyclicLR", "base_lr=0.017, max_lr=0.23, ", "step_size_up", "3"),
    ("SWALR", "swa_lr=0.023, ", "anneal_epochs", "4"),
    ("ReduceLROnPlateau", "", "factor", "0.3"),
    ("ReduceLROnPlateau", "", "patience", "2"),
    ("ReduceLROnPlateau", "", "eps", "1e-8"),
    ("ReduceLROnPlateau", "", "cooldown", "2"),
    ("ReduceLROnPlateau", "", "threshold", "1e-4"),
)
#: How the values are written, for two groups.
WRONG = {
    "none": "[]",
    "short": "[{0}]",
    "long": "[{0}, {0}, {0}]",
    "shorttuple": "({0},)",
    "longtuple": "({0}, {0}, {0})",
}


@dataclasses.dataclass(frozen=True)
class WrongList(Action):
    """A second scheduler is built with a list that does not fit: it must be refused when it is built."""

    kind: str
    others: str
    argument: str
    value: str
    shape: str  # a key of WRONG, or "list": two values where one number is documented
    rebuilds = True

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"{self.kind}_{self.argument}_{self.shape}".lower()

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"and then {self.kind} with {self.argument}={self.values} for two groups"

    @property
    def values(self) -> str:
        """The list, as it is written."""
        return WRONG.get(self.shape, "[{0}, {0}]").format(self.value)

    @property
    def built(self) -> str:
        """The call."""
        return f"optimizer = make_optimizer()\n{self.kind}(optimizer, {self.others}{self.argument}={self.values})"

    @property
    def refusal(self) -> str:
        """Why it must raise."""
        if self.shape == "list":
            return f"{self.argument} of {self.kind} is documented as one number, not a list"
        return f"{self.argument} of {self.kind} must have one value for each of the two groups"


#: What holds one value for each group, instead of a list: the text before the brackets of a list, and after them.
FORMS = {
    "tuples": ("tuple(", ")"),
    "arrays": ("np.array(", ")"),
    "tensors": ("torch.tensor(", ")"),
    "iterators": ("iter(", ")"),
}


@dataclasses.dataclass(frozen=True)
class GivenAs(Action):
    """The values for each group are given as another collection than a list."""

    schedule: Schedule
    form: str  # a key of FORMS
    rebuilds = True
    general = False

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return self.form

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"with {self.form} for lists"

    @property
    def built(self) -> str:
        """The scheduler once more, on a fresh optimizer."""
        case = Case("", self.schedule, Setup(groups=2, lists=True))
        (statement,) = Schedulers(case, 0).statements("scheduler = ")
        before, after = FORMS[self.form]
        statement = statement.replace("[", before + "[").replace("]", "]" + after)
        if len(statement) > WIDTH:
            name, _, rest = statement.partition("(")
            statement = f"{name}(\n    {rest[:-1]}\n)"
        return f"optimizer = make_optimizer()\n{statement}"

    @property
    def refusable(self) -> str:
        """Why it may be refused; a tuple is a list in every way that counts."""
        return "" if self.form == "tuples" else "the documentation asks for a list of values"

    @property
    def checks(self) -> tuple[Check, ...]:
        """Each group has an LR of the type that the optimizer was given."""
        kinds = "[type(group['lr']).__name__ for group in {}.param_groups]"
        return (
            Check(
                "type", "the type of the LR in each group", kinds.format("optimizer"), kinds.format("make_optimizer()")
            ),
        )


@dataclasses.dataclass(frozen=True)
class OwnRates(Action):
    """Groups with LRs of their own under a scalar argument: no group rises above the LR that it was given."""

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return "ownrates"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return "with groups that have LRs of their own"

    @property
    def prepare(self) -> str:
        """The LRs that were given."""
        return 'highest = given = [float(group["lr"]) for group in optimizer.param_groups]'

    @property
    def after(self) -> str:
        """The highest LR of each group so far."""
        present = 'present = [float(group["lr"]) for group in optimizer.param_groups]'
        return f"{present}\nhighest = [max(pair) for pair in zip(highest, present)]"

    @property
    def checks(self) -> tuple[Check, ...]:
        """No group was raised, and no two became one."""
        return (
            Check("bounds", "the highest LR of each group", "[round(lr, 9) for lr in highest]", "given", "above"),
            Check(
                "settings",
                "the number of different LRs",
                'len({float(group["lr"]) for group in optimizer.param_groups})',
                "len(given)",
            ),
        )


def _own_rates() -> Iterator[Schedule]:
    """Schedules with an LR as a scalar: below every group's, between them, and above them all."""
    for lr in (0.003, 0.02, 0.1):
        yield from (CosineAnnealingLR(7, lr), CosineAnnealingWarmRestarts(3, 2, lr))
        yield SequentialLR((LinearLR(0.13, 1.0, 4), CosineAnnealingLR(11, lr)), (4,))
        yield ReduceLROnPlateau(METRICS, factor=0.7, patience=1, min_lr=lr)
    yield from (OneCycleLR(0.3, 40), OneCycleLR(0.02, 40), CyclicLR(0.02, 0.3, 3), CyclicLR(0.003, 0.01, 3))
    yield SequentialLR((LinearLR(0.13, 1.0, 4), OneCycleLR(0.3, 40)), (4,))
    yield from (StepLR(3, 0.7), ExponentialLR(0.89), LinearLR(0.13, 1.0, 6), LambdaLR(ExponentialLR(0.83)))


def cases() -> Iterator[Case]:
    """Every argument that may be a list, and every one that may not."""
    for kind, others, argument, value in PER_GROUP:
        for shape in WRONG:
            action = WrongList(kind, others, argument, value, shape)
            yield Case("groups", PLAIN, Setup(groups=2, actions=(action,)))
    for kind, others, argument, value in ONE_NUMBER:
        action = WrongList(kind, others, argument, value, "list")
        yield Case("groups", PLAIN, Setup(groups=2, actions=(action,)))
    for schedule in (
        LambdaLR(ExponentialLR(0.83)),
        MultiplicativeLR(LinearLR(0.71, 0.93, 7)),
        OneCycleLR(0.23, 40),
        CyclicLR(0.017, 0.19, 3, 5),
        SWALR(0.023, 4),
        ReduceLROnPlateau(METRICS, factor=0.3, patience=0, min_lr=0.001),
    ):
        for form in FORMS:
            if form != "tensors" or not hasattr(schedule, "lr_lambda"):
                for lr_type in ("float", "tensor"):
                    setup = Setup(groups=2, lists=True, lr_type=lr_type, actions=(GivenAs(schedule, form),))
                    yield Case("groups", schedule, setup)
    for own in _own_rates():
        yield Case("groups", own, Setup(groups=3, actions=(OwnRates(),)))
