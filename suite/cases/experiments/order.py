"""The order of the two calls of step(), updates that are skipped, and optimizers that are wrapped or copied."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from reference import CyclicLR, ReduceLROnPlateau, Schedule
from suite.cases.schedules.sample import crossed, parts, sample
from suite.engine.action import Action, Check
from suite.engine.axes import Setup
from suite.engine.case import Case

#: The warning that torch documents for scheduler.step() before the first optimizer.step().
ORDER_WARNING = "`lr_scheduler.step()` before `optimizer.step()`"

#: Ways to replace optimizer.step by something that calls it, as people do for timing, retries or compiling.
REPLACEMENTS = {
    # torch.compile(optimizer.step) is such a function too, with the attributes of the method
    "function": "own_step = optimizer.step\noptimizer.step = lambda *args: own_step(*args)",
    "wraps": "import functools\nown_step = optimizer.step\n"
    "optimizer.step = functools.wraps(own_step)(lambda *args: own_step(*args))",
    "partial": "import functools\noptimizer.step = functools.partial(optimizer.step)",
    "object": "class Timed:\n    def __init__(self, step):\n        self.step = step\n\n"
    "    def __call__(self, *args):\n        return self.step(*args)\n\n\noptimizer.step = Timed(optimizer.step)",
    "method": "import types\nown_step = optimizer.step\n"
    "optimizer.step = types.MethodType(lambda optimizer, *args: own_step(*args), optimizer)",
}


@dataclasses.dataclass(frozen=True)
class SteppedFirst(Action):
    """scheduler.step() before optimizer.step(), as before PyTorch 1.1: the first LR is never used, with a warning."""

    update = "scheduler.step()"
    advance = "optimizer.step()"
    warns = (ORDER_WARNING,)
    mark = "steppedfirst"


@dataclasses.dataclass(frozen=True)
class SteppedOnceFirst(Action):
    """One scheduler.step() before the first update, then the right order."""

    built = "scheduler.step()"
    offset = 1
    warns = (ORDER_WARNING,)
    mark = "steppedoncefirst"


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


@dataclasses.dataclass(frozen=True)
class SteppedAfterwards(Action):
    """Eight updates, and the scheduler steps for them afterwards, all at once; then one by one."""

    built = "for _ in range(8):\n    optimizer.step()\nfor _ in range(8):\n    scheduler.step()"
    offset = 8
    mark = "steppedafterwards"


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


@dataclasses.dataclass(frozen=True)
class ReplacedStep(Action):
    """optimizer.step is replaced by something that calls it, before or after the scheduler is built."""

    by: str  # a key of REPLACEMENTS
    when: str  # before | after | later: in the middle of training

    @property
    def prepare(self) -> str:
        """The replacement, where the scheduler is built on it."""
        return REPLACEMENTS[self.by] if self.when == "before" else ""

    @property
    def built(self) -> str:
        """The replacement, right after the scheduler is built."""
        return REPLACEMENTS[self.by] if self.when == "after" else ""

    @property
    def before(self) -> str:
        """The replacement, in the middle of training."""
        if self.when != "later":
            return ""
        return "if step == 3:\n" + "\n".join(f"    {line}" for line in REPLACEMENTS[self.by].splitlines() if line)

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"step{self.by}{self.when}"


@dataclasses.dataclass(frozen=True)
class KeptStep(Action):
    """The method is kept in a variable before the scheduler is built, as `torch.compile(optimizer.step)` keeps it."""

    prepare = "own_step = optimizer.step"
    update = "own_step()"
    mark = "keptstep"


@dataclasses.dataclass(frozen=True)
class StepOfClass(Action):
    """The update calls the method of the class, past anything set on the object."""

    update = "type(optimizer).step(optimizer)"
    mark = "stepofclass"


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


@dataclasses.dataclass(frozen=True)
class CopiedOptimizer(Action):
    """The scheduler is built on the copy of an optimizer that has a scheduler already, which never changes the LR."""

    prepare = "import copy\n\nother = StepLR(optimizer, 1000)\noptimizer = copy.deepcopy(optimizer)"
    mark = "copiedoptimizer"


@dataclasses.dataclass(frozen=True)
class SecondScheduler(Action):
    """Another scheduler on the same optimizer, which never changes the LR."""

    prepare = "other = StepLR(optimizer, 1000)"
    after = "other.step()"
    mark = "secondscheduler"


@dataclasses.dataclass(frozen=True)
class OtherOptimizer(Action):
    """The loop steps another optimizer than the scheduler's, which never takes a step; torch says so."""

    built = "other = make_optimizer()"
    update = "other.step()"
    warns = (ORDER_WARNING,)
    rebuilds = True
    mark = "otheroptimizer"


@dataclasses.dataclass(frozen=True)
class Wrapped(Action):
    """The scheduler is built on a wrapper that has the parameter groups and step(); refused unless an Optimizer."""

    subclass: bool

    @property
    def prepare(self) -> str:
        """The wrapper."""
        base = "(torch.optim.Optimizer)" if self.subclass else ""
        return (
            f"class Wrapper{base}:\n    def __init__(self, optimizer):\n        self.optimizer = optimizer\n"
            "        self.defaults, self.state = optimizer.defaults, optimizer.state\n"
            "        self.param_groups = optimizer.param_groups\n\n"
            "    def step(self, closure=None):\n        return self.optimizer.step(closure)\n\n\n"
            "optimizer = Wrapper(optimizer)"
        )

    @property
    def refusal(self) -> str:
        """A type error is due."""
        return "" if self.subclass else "the optimizer must be a torch.optim.Optimizer"

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return "wrapper" + "subclass" * self.subclass


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
    for schedule in parts():
        for by in ("wraps", "partial", "object", "method"):
            for when in ("before", "after"):
                yield Case("order", schedule, Setup(actions=(ReplacedStep(by, when),)))
