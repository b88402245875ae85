"""How a run is logged: every update, or every n-th with few digits and rows missing."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.trace import Trace

#: Loggers write every n-th update; a degraded log keeps at least this many rows.
STRIDES = (1, 2, 5, 10, 20, 25, 50, 100)
FEWEST_ROWS = 15
#: Significant digits of degraded logs (Megatron prints 6, mmengine 5, transformers' printed dicts 4, nanoGPT 3).
DIGITS = (3, 4, 5, 6)
#: The largest share of rows that are missing, where any are.
MISSING = 0.15
#: A clean log differs from another one by more than this, relative to the peak.
CLEAN_UNIT = 1e-7


@dataclasses.dataclass(frozen=True)
class Logging:
    """Every `stride`-th row, to `digits` significant digits (None: all), without the rows in `missing` (a share)."""

    stride: int = 1
    digits: int | None = None
    missing: float = 0.0
    seed: int = 0

    @property
    def degraded(self) -> bool:
        """Whether anything is lost."""
        return self.digits is not None

    def rows(self, count: int) -> NDArray[np.int64]:
        """The rows of `count` that are kept; the first and the last one always are, if the stride meets them."""
        kept = np.arange(0, count, self.stride)
        if self.missing:
            there = np.random.default_rng(self.seed).random(kept.size) >= self.missing
            there[[0, -1]] = True
            kept = kept[there]
        return kept

    def written(self, lrs: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values as the log has them."""
        if self.digits is None:
            return lrs
        return np.array([float(f"{lr:.{self.digits - 1}e}") for lr in lrs])

    def trace(self, steps: list[int], lrs: list[float]) -> Trace:
        """The log of a run."""
        kept = self.rows(len(lrs))
        return Trace(np.array(steps)[kept], self.written(np.array(lrs)[kept]))

    @property
    def unit(self) -> float:
        """The smallest difference that the log can show, relative to the peak."""
        return CLEAN_UNIT if self.digits is None else 2 * 10.0 ** (1 - self.digits)


def draw_logging(rng: np.random.Generator, count: int, degraded: bool) -> Logging:
    """How a log of `count` rows is kept."""
    if not degraded:
        return Logging()
    strides = [stride for stride in STRIDES if count // stride >= FEWEST_ROWS]
    missing = float(rng.uniform(0, MISSING)) if rng.random() < 0.3 else 0.0
    return Logging(int(rng.choice(strides or [1])), int(rng.choice(DIGITS)), missing, int(rng.integers(1 << 30)))
