"""How a run ended, and from which step on its loss shows it; NumPy only.

Losses are training losses before each step, nats per token, and the validation loss after the last step.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bench.toy.measures import FAILED_LOSS, STABLE_LOSS
from bench.watch.thresholds import levels
from reference.check import Steps, integer

LEARNED, UNFINISHED = "learned", "unfinished"
NEVER, COLLAPSED, NOT_FINITE = "never learned", "collapsed after learning", "not finite"
TOO_SLOW = "too slow"
FAILURES = (NEVER, COLLAPSED, NOT_FINITE)


class Outcome(NamedTuple):
    """How a run ended; `step` is the first at which its loss shows a failure, None where nothing failed.

    * ``learned``: validation loss at or below 0.1; ``unfinished``: above that, at or below 1.0;
    * ``not finite``: a training loss or the validation loss is NaN or infinite; `step`: the first such loss;
    * ``collapsed after learning``: validation loss above 1.0 though the level was at or below 1.0 before;
      `step`: the first after the lowest level with a loss above 1.0 (T where only the validation loss is);
    * ``never learned``: validation loss above 1.0, and the level was never at or below that;
      `step`: the one by which a good run is at or below 1.0, for until then a good run looks no better;
    * ``too slow``: the same where a higher LR would have learned: no failure of stability.
    """

    kind: str
    step: int | None

    @property
    def failed(self) -> bool:
        """Whether the run broke down; one that was too slow or is unfinished did not."""
        return self.kind in FAILURES


def learned_at(losses: ArrayLike, limit: float = FAILED_LOSS) -> Steps:
    """The first step at which the level is at or below `limit`, [...]; T where it never is.

    >>> int(learned_at([3.0, 2.0, 0.5, 0.5, 0.5])), int(learned_at([3.0, 3.0]))
    (4, 2)
    """
    reached = levels(losses) <= limit
    return np.asarray(np.where(reached.any(-1), reached.argmax(-1), reached.shape[-1]))


def outcome(losses: ArrayLike, final: float, learned_by: int | None = None) -> Outcome:
    """How a run ended: its training losses [T], its validation loss after them.

    `learned_by`: the step by which a good run of the same kind is at or below 1.0; T where none is known.
    Raises ValueError unless there is at least one loss.

    >>> outcome([3.0, 2.0, 0.5, 0.5, 0.5, 0.5, 2.2, 2.3, 2.2], 2.3)
    Outcome(kind='collapsed after learning', step=6)
    >>> outcome([3.0, 2.3, 2.2, 2.3], 2.3, learned_by=2)
    Outcome(kind='never learned', step=2)
    """
    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"losses={list(values.shape)} must be [T], T >= 1")
    length = values.size
    broken = np.flatnonzero(~np.isfinite(values))
    if broken.size or not math.isfinite(final):
        return Outcome(NOT_FINITE, int(broken[0]) if broken.size else length)
    if final <= FAILED_LOSS:
        return Outcome(LEARNED if final <= STABLE_LOSS else UNFINISHED, None)
    level = levels(values)
    if level.min() > FAILED_LOSS:
        by = length if learned_by is None else integer("learned_by", learned_by)
        return Outcome(NEVER, min(by, length))
    lowest = int(level.argmin())
    above = np.flatnonzero(values[lowest + 1 :] > FAILED_LOSS)
    return Outcome(COLLAPSED, lowest + 1 + int(above[0]) if above.size else length)
