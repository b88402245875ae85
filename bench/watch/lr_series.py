"""The recorded learning rates of one parameter group, and whether they follow a schedule."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bench.diagnose import Trace
from bench.diagnose.core.counts import Counts
from bench.diagnose.core.trace import FLOAT32_ROUNDING, FLOAT_DRIFT
from bench.diagnose.counted.clock import together
from reference import Schedule
from reference.check import Rates, Steps

from .plans.recorded import RecordedPlan

#: Significant digits of a float64 in full precision, and of a float32.
DOUBLE_DIGITS, SINGLE_DIGITS = 17, 7


@dataclasses.dataclass(frozen=True, eq=False)
class LrSeries:
    """The LR at each update of one parameter group.

    `single`: the LR was a float32 tensor; `counts`: see `Counts`; `plan`: what the schedulers of its optimizer planned,
    None where that is not known.
    """

    name: str
    group: int
    steps: Steps
    lrs: Rates
    single: bool = False
    counts: Counts | None = None
    plan: RecordedPlan | None = None

    @property
    def optimizer(self) -> str:
        """The name of its optimizer."""
        return self.name.partition(" group ")[0]

    @property
    def can_be_traced(self) -> bool:
        """Whether there are at least 2 steps and every LR is finite."""
        return self.steps.size > 1 and bool(np.isfinite(self.lrs).all())

    def trace(self) -> Trace:
        """The series as a trace; ValueError for fewer than 2 steps or an LR that is not finite.

        A resumed run starts at the step of the schedule at which its scheduler was loaded.
        """
        digits = SINGLE_DIGITS if self.single else DOUBLE_DIGITS
        resumed_at = 0 if self.counts is None else self.counts.resumed_at
        return Trace(self.steps + resumed_at, self.lrs, self.name, digits, counts=self.counts)

    def then(self, later: LrSeries) -> LrSeries:
        """The series with its continuation by a resumed run."""
        if self.counts is None or later.counts is None:
            raise ValueError(f"counts=None of {self.name} or {later.name} must be those of a recording")
        return LrSeries(
            f"{self.name}, then {later.name}",
            self.group,
            np.concatenate([self.steps, later.steps + self.steps.size]),
            np.concatenate([self.lrs, later.lrs]),
            self.single or later.single,
            together(self.counts, later.counts),
            None if self.plan is None or later.plan is None else self.plan.then(later.plan),
        )

    def tolerance(self, expected: Rates) -> Rates:
        """How far an LR may be from the expected one: the drift of torch's recursions, plus float32 rounding.

        Relative to the expected LR, but at least to a millionth of the peak: a cosine ends at a rounding error, not 0.
        """
        last = float(self.steps[-1])
        drift = FLOAT_DRIFT * max(1.0, last / 1e5)
        if self.single:  # one rounding per step; some cancel
            drift += FLOAT32_ROUNDING * (2 + np.sqrt(last))
        size = np.abs(expected)
        return drift * np.maximum(size, 1e-6 * float(size.max()))


@dataclasses.dataclass(frozen=True)
class LrMismatch:
    """How a series deviates from a schedule: the first wrong step with its LR and the expected one, and how many."""

    step: int
    lr: float
    expected: float
    wrong: int
    steps: int

    def sentence(self) -> str:
        """The mismatch as a sentence.

        >>> LrMismatch(0, 0.0, 0.05, 3, 200).sentence()
        'optimizer step 0 ran at lr=0 instead of 0.05, the first of 3 wrong steps of 200'
        """
        extent = f"the first of {self.wrong} wrong steps of {self.steps}" if self.wrong > 1 else "the only wrong step"
        return f"optimizer step {self.step} ran at lr={self.lr:.6g} instead of {self.expected:.6g}, {extent}"


def first_mismatch(series: LrSeries, schedule: Schedule, base_lr: float) -> LrMismatch | None:
    """The first step at which a series deviates from a schedule at a base LR; None where it follows."""
    expected = schedule(series.steps, base_lr)
    wrong: NDArray[np.bool_] = ~(np.abs(series.lrs - expected) <= series.tolerance(expected))  # NaN is wrong too
    if not wrong.any():
        return None
    i = int(np.argmax(wrong))
    return LrMismatch(
        int(series.steps[i]), float(series.lrs[i]), float(expected[i]), int(wrong.sum()), int(series.steps.size)
    )
