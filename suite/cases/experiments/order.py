"""The order of the two calls of step(), updates that are skipped, optimizers that are copied."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from reference import ConstantLR, CyclicLR, ReduceLROnPlateau, Schedule, SequentialLR, StepLR
from suite.cases.schedules.sample import crossed, parts, sample
from suite.engine.action import Action, Check
from suite.engine.axes import Setup
from suite.engine.case import Case, is_composite

from .replaced import KeptStep, ReplacedStep, StepOfClass, Wrapped

#: The warning that torch documents for scheduler.step() before the first optimizer.step().
ORDER_WARNING = "`lr_scheduler.step()` before `optimizer.step()`"


@dataclasses.dataclass(frozen=True)
class SteppedFirst(Action):
    """scheduler.step() before optimizer.step(), as before PyTorch 1.1: the first LR is never used, with a warning."""

    update = "scheduler.step()"
    advance = "optimizer.step()"
    warns = (ORDER_WARNING,)
    mark = "steppedfirst"
    words = "with scheduler.step() before optimizer.step()"


@dataclasses.dataclass(frozen=True)
class SteppedOnceFirst(Action):
    """One scheduler.step() before the first update, then the right order."""

    built = "scheduler.step()"
    offset = 1
    warns = (ORDER_WARNING,)
    mark = "steppedoncefirst"
    words = "with one scheduler.step() before the first update"


@dataclasses.dataclass(frozen=True)
class SteppedInHook(Action):
    """scheduler.step() in a hook of the optimizer: before the update, the first LR is never used."""

    place: str  # pre | post
    advance = "pass"

    @property
    def built(self) -> str:
        """The hook."""
        return f"optimizer.register_step_{self.place}_hook(lambda *args: scheduler.step())"

    @property
    def warns(self) -> tuple[str, ...]:
        """The order is wrong before the update."""
        return (ORDER_WARNING,) if self.place == "pre" else ()

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"{self.place}hook"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"with scheduler.step() in a hook {'before' if self.place == 'pre' else 'after'} each update"


@dataclasses.dataclass(frozen=True)
class SteppedAfterwards(Action):
    """Eight updates, and the scheduler steps for them afterwards, all at once; then one by one."""

    built = "for _ in range(8):\n    optimizer.step()\nfor _ in range(8):\n    scheduler.step()"
    offset = 8
    mark = "steppedafterwards"
    words = "with the first eight scheduler steps after the first eight updates"


@dataclasses.dataclass(frozen=True)
class SkippedUpdate(Action):
    """One optimizer step is skipped; the scheduler steps on."""

    at: int
    may_warn = (ORDER_WARNING,)

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"skipped{self.at}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"with update {self.at} skipped"

    @property
    def update(self) -> str:
        """The update, but for one."""
        return f"if step != {self.at}:\n    optimizer.step()"


@dataclasses.dataclass(frozen=True)
class ScaledUpdate(Action):
    """The loop of torch's own notes on mixed precision; at one step the gradients overflow and GradScaler skips it."""

    at: int
    built = (
        "import math\n"
        'scaler = torch.amp.GradScaler("cpu")\n'
        "scaler.scale(torch.zeros(1))  # creates its scale\n"
        'parameters = [p for group in optimizer.param_groups for p in group["params"]]'
    )

    @property
    def update(self) -> str:
        """Gradients of 0, or infinite ones."""
        gradient = f"math.inf if step == {self.at} else 0.0"
        return (
            f"for parameter in parameters:\n    parameter.grad = torch.full_like(parameter, {gradient})\n"
            "scaler.step(optimizer)\nscaler.update()"
        )

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"overflow{self.at}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"with update {self.at} skipped by GradScaler"


@dataclasses.dataclass(frozen=True)
class CopiedTogether(Action):
    """Optimizer and scheduler are copied together and training continues with the copies."""

    at: int  # the update before which they are copied

    @property
    def before(self) -> str:
        """The copy."""
        lines = ("import copy", "", "optimizer, scheduler = copy.deepcopy((optimizer, scheduler))")
        return "\n    ".join([f"if step == {self.at}:", *lines])

    @property
    def checks(self) -> tuple[Check, ...]:
        """The copy of the scheduler drives the copy of the optimizer."""
        belongs = "getattr(scheduler, 'optimizer', optimizer) is optimizer"
        return (Check("objects", "whether the copied scheduler drives the copied optimizer", belongs, "True"),)

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"copied{self.at}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"with optimizer and scheduler copied before update {self.at}"


@dataclasses.dataclass(frozen=True)
class CopiedOptimizer(Action):
    """The scheduler is built on the copy of an optimizer that has a scheduler already, which never changes the LR."""

    prepare = "import copy\n\nother = StepLR(optimizer, 1000)\noptimizer = copy.deepcopy(optimizer)"
    mark = "copiedoptimizer"
    words = "built on a copy of an optimizer that has a scheduler"


@dataclasses.dataclass(frozen=True)
class SecondScheduler(Action):
    """Another scheduler on the same optimizer, which never changes the LR."""

    prepare = "other = StepLR(optimizer, 1000)"
    after = "other.step()"
    mark = "secondscheduler"
    words = "beside a scheduler that changes nothing"


@dataclasses.dataclass(frozen=True)
class OtherOptimizer(Action):
    """The loop steps another optimizer than the scheduler's, which never takes a step; torch says so."""

    built = "other = make_optimizer()"
    update = "other.step()"
    warns = (ORDER_WARNING,)
    rebuilds = True
    mark = "otheroptimizer"
    words = "with another optimizer stepped than the scheduler's"


@dataclasses.dataclass(frozen=True)
class UsedOptimizer(Action):
    """The optimizer has made updates already, under a scheduler that changes nothing, or under none."""

    under: bool  # whether there was a scheduler

    @property
    def prepare(self) -> str:
        """The updates."""
        lines = ["first = StepLR(optimizer, 1000)"] * self.under
        lines += ["for _ in range(4):", "    optimizer.step()", *["    first.step()"] * self.under]
        return "\n".join(lines)

    @property
    def built_beside(self) -> tuple[Schedule, ...]:
        """The scheduler of these updates."""
        return (StepLR(1000),) * self.under

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return "usedunder" if self.under else "used"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return "built after four updates" + " under a scheduler that changes nothing" * self.under


def _wrong_orders() -> Iterator[Case]:
    """The wrong order on a used optimizer, and at a milestone that comes with the first step."""
    for schedule in parts():
        if not isinstance(schedule, ReduceLROnPlateau):
            for wrong in (SteppedFirst(), SteppedOnceFirst()):
                # CyclicLR starts from the LR that an optimizer remembers from an earlier scheduler.
                for under in (False,) if isinstance(schedule, CyclicLR) else (False, True):
                    yield Case("order", schedule, Setup(actions=(UsedOptimizer(under), wrong)))
                if not is_composite(schedule):
                    for at in (1, 2):
                        joined = SequentialLR((ConstantLR(0.37, at), schedule), (at,))
                        yield Case("order", joined, Setup(actions=(wrong,)))
    for schedule in (*parts(), *crossed()[::3]):
        if not isinstance(schedule, CyclicLR | ReduceLROnPlateau):
            yield Case("order", schedule, Setup(actions=(UsedOptimizer(under=True),)))


def _actions(schedule: Schedule) -> Iterator[Action]:
    """What every composition of the sample is crossed with."""
    if not isinstance(schedule, ReduceLROnPlateau):  # its step() needs a metric, and its order is free
        yield from (SteppedFirst(), SteppedOnceFirst(), OtherOptimizer())
        yield from (SteppedInHook("pre"), SteppedInHook("post"), SteppedAfterwards())
    yield from (SkippedUpdate(0), SkippedUpdate(3), ReplacedStep("function", "before"))
    yield from (ReplacedStep("function", "after"), KeptStep(), CopiedTogether(0))


def _more(schedule: Schedule) -> Iterator[Action]:
    """What only the classes alone, and a few composites, are crossed with."""
    yield from (ScaledUpdate(0), ScaledUpdate(3), StepOfClass(), CopiedTogether(3))
    if not isinstance(schedule, CyclicLR):  # which starts from the LR that a used optimizer remembers
        yield from (CopiedOptimizer(), SecondScheduler())
    yield from (Wrapped(subclass=False), Wrapped(subclass=True), ReplacedStep("function", "later"))


def cases() -> Iterator[Case]:
    """Every composition of the sample under each action, and restored before its first update."""
    for schedule in sample():
        for action in _actions(schedule):
            yield Case("order", schedule, Setup(actions=(action,)))
    for schedule in (*parts(), *crossed()[::3]):
        for action in _more(schedule):
            yield Case("order", schedule, Setup(actions=(action,)))
        for order in ("builtfirst", "schedulerfirst", "optimizerfirst"):
            yield Case("order", schedule, Setup(resume=order, cuts=(0,)))
    yield from _wrong_orders()
    for schedule in parts():
        for by in ("wraps", "partial", "object", "method"):
            for when in ("before", "after"):
                yield Case("order", schedule, Setup(actions=(ReplacedStep(by, when),)))
