"""What a training loop passes to ReduceLROnPlateau: numbers of every type, by position or by name, or nothing."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

from reference import ReduceLROnPlateau
from suite.engine.action import Action, Check
from suite.engine.axes import Setup
from suite.engine.case import Case

#: Kind → the metric as a user may pass it; METRICS are exact in float16, so no kind rounds one.
KINDS = {
    "float16": "torch.tensor(METRICS[step], dtype=torch.float16)",
    "float32": "torch.tensor(METRICS[step])",
    "float64": "torch.tensor(METRICS[step], dtype=torch.float64)",
    "oneelement": "torch.tensor([METRICS[step]])",
    "loss": "torch.tensor(METRICS[step], requires_grad=True)",
    "numpy32": "torch.tensor(METRICS[step]).numpy()[()]",
    "numpy64": "torch.tensor(METRICS[step], dtype=torch.float64).numpy()[()]",
    "numpyarray": "torch.tensor(METRICS[step]).numpy()",
    "fraction": "Fraction(METRICS[step])",
    "byname": "metrics=METRICS[step]",
}
#: Kind → a value that is not a number, and the rule that it breaks.
WRONG = {
    "none": ("None", "metrics=None must be a number"),
    "left": ("", "metrics must be given"),
    "list": ("[METRICS[step]]", "metrics must be a number, not a list"),
}


@dataclasses.dataclass(frozen=True)
class PassedAs(Action):
    """step() is given the metric as a value of another type."""

    general = False

    kind: str

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"metric{self.kind}"

    @property
    def words(self) -> str:
        """What is passed, for people."""
        call = self.advance.removeprefix("scheduler.")
        return f"with {call}"

    @property
    def prepare(self) -> str:
        """What the metric is made with."""
        return "from fractions import Fraction" if self.kind == "fraction" else ""

    @property
    def advance(self) -> str:
        """The step with the metric of this update."""
        return f"scheduler.step({KINDS[self.kind] if self.kind in KINDS else WRONG[self.kind][0]})"

    @property
    def refusal(self) -> str:
        """The rule that the value breaks, if it does."""
        return WRONG[self.kind][1] if self.kind in WRONG else ""

    @property
    def may_warn(self) -> tuple[str, ...]:
        """torch's own word on a loss that is still part of a graph, once in a process."""
        return ("Converting a tensor with requires_grad=True",) if self.kind == "loss" else ()

    @property
    def checks(self) -> tuple[Check, ...]:
        """The best metric is kept as a float, so that a state holds nothing else, and no graph stays alive."""
        return (Check("type", "the type of scheduler.best", "type(scheduler.best)", "float"),)


def cases() -> Iterator[Case]:
    """Every kind with metrics of both signs in both modes."""
    losses = (1.0, 0.75, 0.75, 0.5, 0.625, 0.625, 0.625, 0.5, 0.5)
    for kind, mode in itertools.product((*KINDS, *WRONG), ("min", "max")):
        metrics = losses if mode == "min" else tuple(-loss for loss in losses)
        twin = ReduceLROnPlateau(metrics, mode, 0.7, 1, 0.1, "abs", 1)
        yield Case("metrics", twin, Setup(actions=(PassedAs(kind),)), len(metrics))
