"""A trace: logged learning rates and their precision."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from reference.check import Rates, Steps, integer

from .counts import Counts

#: Logs have at least this many significant digits; fewer indicate an exact trace with few distinct values.
FEWEST_DIGITS = 3
#: Up to this many digits a value is treated as rounded; float32 has 7.2, so 8 and more are exact.
MOST_DIGITS = 8
#: Relative drift of torch's recursive schedulers over 1e5 steps (measured: 1e-12).
FLOAT_DRIFT = 1e-11
#: Half a unit in the last place of float32, relative.
FLOAT32_ROUNDING = 2.0**-24


@dataclasses.dataclass(frozen=True, eq=False)
class Trace:
    """The LR in force at logged optimizer steps.

    `steps`: strictly increasing optimizer steps, 0 = the first update; `lrs`: the LR at each;
    `name`: its name in the log; `digits`: significant digits of the log (None: determined from the values,
    and still None if they are not rounded); `decimals`: decimal places of a log with a fixed number of them
    (%.6f), else None; `counts`: what a recorder counted at each of these steps, None for a log without it.

    LRs may be NaN or infinite: that is a fact about a run, and no schedule is fitted to such a trace.
    Raises TypeError or ValueError unless both have the same length n >= 2 and the steps increase.

    >>> trace = Trace(np.arange(4), np.array([0.0, 0.25, 0.5, 0.75]))
    >>> trace.stride, trace.digits, trace.exact
    (1, 3, False)
    """

    steps: Steps
    lrs: Rates
    name: str = "lr"
    digits: int | None = None
    decimals: int | None = None
    counts: Counts | None = None

    def __post_init__(self) -> None:
        steps, lrs = np.asarray(self.steps), np.asarray(self.lrs, dtype=np.float64)
        if steps.ndim != 1 or lrs.shape != steps.shape:
            raise ValueError(f"lrs={lrs.shape} must have the shape of steps={steps.shape}, one LR per step")
        if steps.size < 2:
            raise ValueError(f"steps={steps.size} must be at least 2: one step shows no change")
        if not np.issubdtype(steps.dtype, np.integer):
            raise TypeError(f"steps={steps.dtype} must be integers")
        steps = steps.astype(np.int64)
        if steps[0] < 0:
            raise ValueError(f"steps[0]={steps[0]} must be >= 0")
        not_rising = np.flatnonzero(np.diff(steps) <= 0)
        if not_rising.size:
            i = int(not_rising[0]) + 1
            raise ValueError(f"steps[{i}]={steps[i]} must be > steps[{i - 1}]={steps[i - 1]}")
        for name in ("digits", "decimals"):
            if getattr(self, name) is not None:
                integer(name, getattr(self, name), 1)
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "lrs", lrs)
        if self.digits is None:
            object.__setattr__(self, "digits", significant_digits(lrs))
        elif self.digits > MOST_DIGITS:  # as precise as a float64
            object.__setattr__(self, "digits", None)

    @functools.cached_property
    def stride(self) -> int:
        """The most common distance of logged steps."""
        gaps, counts = np.unique(np.diff(self.steps), return_counts=True)
        return int(gaps[np.argmax(counts)])

    @functools.cached_property
    def finite(self) -> NDArray[np.bool_]:
        """Where the LR is a number."""
        return np.isfinite(self.lrs)

    @property
    def exact(self) -> bool:
        """Whether the values have float64 precision, not rounded for the log."""
        return self.digits is None and self.decimals is None

    @functools.cached_property
    def single(self) -> bool:
        """Whether every value is a float32: a tensor LR, or a log in single precision."""
        return self.digits is None and bool(
            (self.lrs.astype(np.float32).astype(np.float64) == self.lrs)[self.finite].all()
        )

    @functools.cached_property
    def tolerance(self) -> NDArray[np.float64]:
        """How far a correct LR may be from the logged one, for each step.

        Half a unit of the last digit, plus the drift of recursive schedulers.
        """
        size = np.where(self.finite, np.abs(self.lrs), 0.0)
        drift = FLOAT_DRIFT * max(1.0, float(self.steps[-1]) / 1e5)
        if self.single:  # float32 recursions drift by one rounding error a step, some of which cancel
            drift += FLOAT32_ROUNDING * (2 + float(np.sqrt(self.steps[-1])))
        allowed = drift * (size + 1e-2 * float(size.max()))
        if self.digits is not None:
            with np.errstate(divide="ignore"):
                exponent = np.where(size > 0, np.floor(np.log10(np.where(size > 0, size, 1.0)) + 1e-12), -np.inf)
            allowed = allowed + 0.5001 * np.power(10.0, exponent - self.digits + 1)
        if self.decimals is not None:
            allowed = np.maximum(allowed, 0.5001 * 10.0**-self.decimals)
        return np.maximum(allowed, np.finfo(float).tiny)


def significant_digits(lrs: Rates) -> int | None:
    """The fewest significant digits, from 3 to 8, that represent every value; None if 8 are not enough.

    >>> significant_digits(np.array([0.1235, 0.002346])), significant_digits(np.array([1 / 3, 1.0]))
    (4, None)
    """
    unexplained = np.abs(lrs[(lrs != 0) & np.isfinite(lrs)])
    if not unexplained.size:
        return FEWEST_DIGITS
    for digits in range(FEWEST_DIGITS, MOST_DIGITS + 1):
        scaled = unexplained / np.power(10.0, np.floor(np.log10(unexplained)) - digits + 1)
        unexplained = unexplained[np.abs(scaled - np.rint(scaled)) > 1e-13 * scaled.max()]
        if not unexplained.size:
            return digits
    return None
