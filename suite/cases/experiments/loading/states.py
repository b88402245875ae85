"""States that are kept while the run continues, saved at different moments, or incomplete."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from reference.check import Rates
from suite.engine.action import Action, Check
from suite.engine.case import Case

from .resumed import LOADS, resumption

REBUILT = ("optimizer = make_optimizer()", "scheduler = make_scheduler(optimizer)")


def at_steps(case: Case, steps: Sequence[int] | np.ndarray) -> Rates:
    """The expected LRs at these steps of the schedule."""
    return np.stack([case.schedule(np.array(steps), base) for base in case.setup.base_lrs()], axis=1)


@dataclasses.dataclass(frozen=True)
class RolledBack(Action):
    """The states saved before update `at` are loaded `later` updates later, and as many later once more."""

    at: int
    later: int

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"rolledback{self.at}after{self.later}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"returning to the states of update {self.at} twice, each time {self.later} updates later"

    @property
    def before(self) -> str:
        """The lines."""
        again = (self.at + self.later, self.at + 2 * self.later)
        return "\n".join(
            [
                f"if step == {self.at}:",
                "    states = optimizer.state_dict(), scheduler.state_dict()",
                "    as_saved = repr(states)",
                f"if step in {again}:  # return to the saved states",
                "    as_kept = repr(states)",
                *(f"    {line}" for line in LOADS["both"]),
            ]
        )

    @property
    def checks(self) -> tuple[Check, ...]:
        """A state is a record of its moment."""
        return (
            Check("state", "the state after training", "as_kept == as_saved", "True", "altered"),
            Check("state", "the state after the load", "repr(states) == as_saved", "True", "altered"),
        )

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """Each return repeats the steps since the states were saved."""
        steps = np.array(positions)
        for i in (1, 2):
            steps[np.array(positions) >= self.at + i * self.later] -= self.later
        return at_steps(case, steps)


@dataclasses.dataclass(frozen=True)
class Branched(Action):
    """The states saved before update `at` start a second run; the first is trained on, then the second is."""

    at: int
    rebuilds = True

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"branched{self.at}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"continued from the states of update {self.at} after the first run was trained on"

    @property
    def before(self) -> str:
        """The lines."""
        first = ["first = optimizer, scheduler", *REBUILT, *LOADS["both"]]
        return resumption(self.at, [*first, "for _ in range(3):", "    first[0].step()", "    first[1].step()"])


#: Which states are saved before scheduler.step(), for people.
EARLY = {
    "both": "states that were saved before scheduler.step()",
    "optimizer": "an optimizer state that was saved before scheduler.step() and a scheduler state saved after it",
    "scheduler": "a scheduler state that was saved before scheduler.step() and an optimizer state saved after it",
}


@dataclasses.dataclass(frozen=True)
class SavedApart(Action):
    """The states in `early` are saved before scheduler.step(), the others after it; then the run is resumed."""

    at: int
    early: str  # optimizer | scheduler | both
    rebuilds = True

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"savedearly{self.at}_{self.early}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"resumed before update {self.at} from {EARLY[self.early]}"

    @property
    def advance(self) -> str:
        """scheduler.step(), with the states around the one before update `at`."""
        early = ("optimizer", "scheduler") if self.early == "both" else (self.early,)
        head = f"if step == {self.at - 1}:"
        lines = [head, *(f"    {name}_state = {name}.state_dict()" for name in early), "scheduler.step()"]
        late = [name for name in ("optimizer", "scheduler") if name not in early]
        return "\n".join(
            [*lines, *([head] if late else []), *(f"    {name}_state = {name}.state_dict()" for name in late)]
        )

    @property
    def before(self) -> str:
        """The lines that resume."""
        loads = [f"{name}.load_state_dict({name}_state)" for name in ("optimizer", "scheduler")]
        body = [f"    {line}" for line in (*REBUILT, *loads)]
        return "\n".join([f"if step == {self.at}:  # stop, and resume from the states", *body])

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """The step is that of the scheduler's state."""
        steps = np.array(positions)
        steps[steps >= self.at] -= self.early != "optimizer"
        return at_steps(case, steps)


#: What is wrong with the scheduler's state → the lines that make it so, and how the sentence ends.
FAULTS = {
    "extra": (['states[1]["total"] = 40'], "has an entry that no scheduler of this class writes"),
    "renamed": (['states[1]["epoch"] = states[1].pop("last_epoch")'], "has an entry under another name"),
    "nostep": (['states[1].pop("last_epoch")'], "lacks last_epoch"),
    "nofirst": (["states[1].pop(next(iter(states[1])))"], "lacks an entry"),
    "empty": (["states[1].clear()"], "is empty"),
    "optimizers": (["states = states[0], states[0]"], "is that of the optimizer"),
}


@dataclasses.dataclass(frozen=True)
class WrongEntries(Action):
    """A state with entries missing, or too many, is loaded before update `at`."""

    at: int
    fault: str
    rebuilds = True

    @property
    def refusal(self) -> str:
        """Why it must be refused."""
        return f"the scheduler's state {FAULTS[self.fault][1]}"

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"wrongstate{self.at}_{self.fault}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"resumed before update {self.at} from a state that {FAULTS[self.fault][1]}"

    @property
    def before(self) -> str:
        """The lines."""
        return resumption(self.at, [*FAULTS[self.fault][0], *REBUILT, *LOADS["both"]])
