"""One parameter group's learning rates, step by step, and whether they follow a schedule."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bench.diagnose import Trace
from bench.diagnose.core.trace import FLOAT32_ROUNDING, FLOAT_DRIFT
from reference import Schedule
from reference.check import Rates, Steps

#: Digits that a float64 is written with, and that a float32 holds.
DOUBLE_DIGITS, SINGLE_DIGITS = 17, 7


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """The LR at each update of one parameter group; `single` where it was a float32 tensor."""

    name: str
    group: int
    steps: Steps
    lrs: Rates
    single: bool = False

    @property
    def can_be_traced(self) -> bool:
        """Whether there are at least 2 steps, and no LR is NaN or infinite."""
        return self.steps.size > 1 and bool(np.isfinite(self.lrs).all())

    def trace(self) -> Trace:
        """The same as a trace; ValueError for fewer than 2 steps, or an LR that is not finite."""
        return Trace(self.steps, self.lrs, self.name, SINGLE_DIGITS if self.single else DOUBLE_DIGITS)

    def tolerance(self, expected: Rates) -> Rates:
        """How far an LR may be from the expected one: by the drift of torch's recursions and by float32.

        Relative; next to 0, to a millionth of the largest LR: a cosine ends at a rounding error, not at 0.
        """
        last = float(self.steps[-1])
        drift = FLOAT_DRIFT * max(1.0, last / 1e5)
        if self.single:  # a rounding at each step, some of which cancel
            drift += FLOAT32_ROUNDING * (2 + np.sqrt(last))
        size = np.abs(expected)
        return drift * np.maximum(size, 1e-6 * float(size.max()))


@dataclasses.dataclass(frozen=True)
class Difference:
    """Where a series leaves a schedule: the first step, the LR there and the right one, and how much is wrong."""

    step: int
    lr: float
    expected: float
    wrong: int
    steps: int

    def sentence(self) -> str:
        """The difference in words.

        >>> Difference(0, 0.0, 0.05, 3, 200).sentence()
        'optimizer step 0 ran at lr=0 instead of 0.05, the first of 3 wrong steps of 200'
        """
        extent = f"the first of {self.wrong} wrong steps of {self.steps}" if self.wrong > 1 else "the only wrong step"
        return f"optimizer step {self.step} ran at lr={self.lr:.6g} instead of {self.expected:.6g}, {extent}"


def difference(series: Series, schedule: Schedule, base_lr: float) -> Difference | None:
    """The difference between a series and a schedule at a base LR; None where it follows."""
    expected = schedule(series.steps, base_lr)
    off: NDArray[np.bool_] = ~(np.abs(series.lrs - expected) <= series.tolerance(expected))  # NaN is off too
    if not off.any():
        return None
    at = int(np.argmax(off))
    return Difference(
        int(series.steps[at]), float(series.lrs[at]), float(expected[at]), int(off.sum()), int(series.steps.size)
    )
