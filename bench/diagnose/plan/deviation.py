"""Whether torch gives the learning rates that its documentation promises for a plan."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from bench.diagnose.core.causes import CAUSES
from bench.diagnose.hypotheses.torch_defects import name_of
from reference import ChainedScheduler, Schedule
from reference.check import Rates
from suite.engine.tolerances import VISIBLE
from suite.engine.verdict import close, shape_of

from .words import lr

#: In float32, rounding alone explains any drift after more steps than this: there the limit is what a log shows.
FEW_STEPS = 64


@dataclasses.dataclass(frozen=True)
class TorchDeviation:
    """The first update at which torch leaves the documented schedule.

    `step`: of the schedule; `documented` and `actual`: the two LRs; `shape`: in words, how they differ from there on;
    `cause`: the id of the known deviation in `causes.CAUSES`.
    """

    group: int
    step: int
    documented: float
    actual: float
    shape: str
    cause: str

    @property
    def sentence(self) -> str:
        """The deviation in words."""
        cause = CAUSES[self.cause]
        return (
            f"torch does not give what its documentation promises for this composition ({cause.title}): at step"
            f" {self.step} the LR is {lr(self.actual)} instead of {lr(self.documented)}; {self.shape}."
        )

    @property
    def fix(self) -> str:
        """The line to change."""
        return CAUSES[self.cause].fix

    def to_json(self) -> dict[str, Any]:
        """The deviation as plain data for JSON."""
        return dataclasses.asdict(self) | {"sentence": self.sentence, "fix": self.fix}


def precision_of(value: Any) -> str:
    """The key of `tolerances.UNIT` for an LR: that of a tensor's type, and of float32 for a NumPy one."""
    kind = str(getattr(value, "dtype", "float")).rpartition(".")[2]
    return {"float": "float", "float64": "float", "float16": "float16", "bfloat16": "bfloat16"}.get(kind, "float32")


def equal_lrs(actual: Rates, documented: Rates, kind: str, last: int) -> Any:
    """Where two traces are the same up to the rounding of the type of LR `kind`; `last`: the farthest step."""
    both_nan = np.isnan(actual) & np.isnan(documented)
    if kind == "float" or actual.size <= FEW_STEPS:
        return close(actual, documented, kind, last) | both_nan
    peak = np.nanmax(np.abs(documented), initial=0.0)
    return (np.abs(actual - documented) <= VISIBLE * peak) | both_nan


def deviation_of(
    schedule: Schedule, group: int, actual: Rates, documented: Rates, first: int, kind: str = "float"
) -> TorchDeviation | None:
    """How the LRs of torch differ from the documented ones; `first`: the step of the schedule of the first of them."""
    last = first + actual.size
    with np.errstate(invalid="ignore"):
        wrong = ~equal_lrs(actual, documented, kind, last)
    if not wrong.any():
        return None
    at = int(np.argmax(wrong))
    _, shape = shape_of(actual, documented, at, kind, last)
    cause = name_of(schedule)
    if isinstance(schedule, ChainedScheduler) and np.flatnonzero(wrong).tolist() == [0] and first == 0:
        cause = "torch-built-backwards"
    return TorchDeviation(group, first + at, float(documented[at]), float(actual[at]), shape, cause)
