"""optimizer.step replaced, kept or called by another way, and optimizers that are wrapped."""

from __future__ import annotations

import dataclasses

from suite.engine.action import Action

#: Ways to replace optimizer.step by something that calls it, as people do for timing, retries or compiling.
REPLACEMENTS = {
    # torch.compile(optimizer.step) is such a function too, with the attributes of the method
    "function": "own_step = optimizer.step\noptimizer.step = lambda *args: own_step(*args)",
    "wraps": "import functools\nown_step = optimizer.step\n"
    "optimizer.step = functools.wraps(own_step)(lambda *args: own_step(*args))",
    "partial": "import functools\noptimizer.step = functools.partial(optimizer.step)",
    "object": "class Timed:\n    def __init__(self, step):\n        self.step = step\n\n"
    "    def __call__(self, *args):\n        return self.step(*args)\n\n\noptimizer.step = Timed(optimizer.step)",
    "method": "import types\nown_step = optimizer.step\n\n\ndef timed(optimizer, *args):\n"
    "    return own_step(*args)\n\n\noptimizer.step = types.MethodType(timed, optimizer)",
}
#: The same ways, and the times, in words.
REPLACED_BY = {
    "function": "a function",
    "wraps": "a function with functools.wraps",
    "partial": "a functools.partial",
    "object": "a callable object",
    "method": "a method",
}
REPLACED = {
    "before": "before the scheduler is built",
    "after": "after the scheduler is built",
    "later": "in the middle of training",
}


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

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"with optimizer.step replaced by {REPLACED_BY[self.by]} {REPLACED[self.when]}"


@dataclasses.dataclass(frozen=True)
class KeptStep(Action):
    """The method is kept in a variable before the scheduler is built, as `torch.compile(optimizer.step)` keeps it."""

    prepare = "own_step = optimizer.step"
    update = "own_step()"
    mark = "keptstep"
    words = "with optimizer.step kept in a variable before the scheduler is built"


@dataclasses.dataclass(frozen=True)
class StepOfClass(Action):
    """The update calls the method of the class, past anything set on the object."""

    update = "type(optimizer).step(optimizer)"
    mark = "stepofclass"
    words = "with the step() of the optimizer's class called directly"


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

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"built on a wrapper of the optimizer that is {'' if self.subclass else 'not '}an Optimizer"
