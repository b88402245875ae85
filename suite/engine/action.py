"""What a training loop may do beside stepping a scheduler: lines of Python that the suite runs and `repro` prints.

An action is written once, as the text of a user's script.  The suite executes that text between the steps of its
loop, and `python -m suite repro` prints it at the same places, so a script shows exactly what was measured.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reference import Schedule
    from reference.check import Rates

    from .case import Case
    from .subject import Subject
    from .verdict import Verdict


#: Modules of the standard library that lines may use; a script imports those that it needs.
STANDARD = ("copy", "fractions", "functools", "io", "json", "math", "pickle", "warnings")


@dataclasses.dataclass(frozen=True)
class Check:
    """Two expressions that must be equal, evaluated after the last update; `what` is named in the verdict.

    `channel` is one of `verdict.CHANNELS`, `shape` the shape of the deviation where they differ.
    """

    channel: str
    what: str
    actual: str
    expected: str
    shape: str = "differs"


@dataclasses.dataclass(frozen=True)
class Action:
    """Lines of a script beside the plain loop; a subclass has its parameters as fields.

    It overrides the lines as class attributes, or as properties where they depend on the fields.

    Each text may use `torch`, `np`, the modules in `STANDARD`, every scheduler class, `optimizer`, `scheduler`,
    `make_optimizer()` and `make_scheduler(optimizer)`, for ReduceLROnPlateau `METRICS`, and inside the loop `step`,
    the number of the update.  It may rebind `optimizer` and `scheduler`: the loop continues with what they name then.
    """

    @property
    def prepare(self) -> str:
        """The optimizer exists, the scheduler does not."""
        return ""

    @property
    def built(self) -> str:
        """The scheduler has just been built."""
        return ""

    @property
    def before(self) -> str:
        """Before each update, and before its LR is read."""
        return ""

    @property
    def update(self) -> str:
        """Replaces optimizer.step()."""
        return ""

    @property
    def advance(self) -> str:
        """Replaces scheduler.step() after an update; where empty, the clock of the setup decides."""
        return ""

    @property
    def after(self) -> str:
        """After each update and scheduler step."""
        return ""

    @property
    def finish(self) -> str:
        """After the last update."""
        return ""

    @property
    def refusal(self) -> str:
        """Why an exception is due, in these lines or at construction; empty where the run must succeed."""
        return ""

    @property
    def refusable(self) -> str:
        """Why an exception in these lines is as good as a right run; empty where only a right run will do."""
        return ""

    @property
    def warns(self) -> tuple[str, ...]:
        """Parts of the warnings that the documentation promises: each must come, and no other."""
        return ()

    @property
    def may_warn(self) -> tuple[str, ...]:
        """Parts of warnings that may come or not."""
        return ()

    @property
    def checks(self) -> tuple[Check, ...]:
        """What must be equal after the last update."""
        return ()

    @property
    def rebuilds(self) -> bool:
        """Whether the lines call make_optimizer() or make_scheduler()."""
        return False

    @property
    def general(self) -> bool:
        """Whether it means the same for every composition, so that random cases may have it.

        An action that names an argument, an end, or the LRs of one composition does not.
        """
        return True

    @property
    def alone(self) -> bool:
        """Whether no other action may replace or add updates beside it."""
        return False

    @property
    def offset(self) -> int:
        """The steps of the schedule that its lines take before the first update."""
        return 0

    @property
    def by_hand(self) -> tuple[int, ...]:
        """The updates just before which the lines change groups or LRs, so that get_last_lr() cannot know it yet."""
        return ()

    @property
    def built_beside(self) -> tuple[Schedule, ...]:
        """The schedulers that these lines build on the optimizer of the case, beside its own."""
        return ()

    @property
    def mark(self) -> str:
        """Its part of a case's id: letters, digits, ``_ . +`` only."""
        raise NotImplementedError

    @property
    def words(self) -> str:
        """What the loop does, for people, after "the composition X, ": "with the first update skipped"."""
        return f"with {self.mark}"

    def examine(self, case: Case, subject: Subject) -> list[Verdict] | None:
        """The deviations, where the action finds them without a training loop; None where the loop must run."""
        return None

    def script(self, case: Case, header: list[str]) -> str:
        """The script that shows what `examine` finds, below the comment lines of `header`; empty where it has none."""
        return ""

    def expected(self, case: Case, positions: Sequence[int], rates: Rates) -> Rates:
        """The expected LRs: by default `rates`, those of the case without the action.

        One row per update at the schedule's `positions`, one column per group; NaN where a group does not exist.
        """
        return rates

    def known_traces(self, case: Case, positions: Sequence[int]) -> Sequence[tuple[str, str, Rates]]:
        """LRs that a wrong run may have instead: the shape of that deviation, a sentence about it, and the LRs."""
        return ()


@functools.cache
def compiled(text: str) -> CodeType:
    """The text as executable code; cached, because every case of an axis has the same few texts."""
    return compile(text, "<action>", "exec")


@functools.cache
def compiled_expression(text: str) -> CodeType:
    """The same for one expression."""
    return compile(text, "<check>", "eval")


def outcome_of(check: Check, names: dict[str, Any]) -> tuple[Any, Any]:
    """Both sides of a check, evaluated in `names`; an exception is the value of its side, as text."""
    sides = []
    for text in (check.actual, check.expected):
        try:
            sides.append(eval(compiled_expression(text), names))
        except Exception as error:  # noqa: BLE001 - what torch raises is the answer
            sides.append(f"{type(error).__name__}: {error}")
    return sides[0], sides[1]
