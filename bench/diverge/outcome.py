"""How a run ended, and the first step at which its loss shows it; NumPy only.

Losses are the training losses before each step and the validation loss after the last one, in nats per token.
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
    """How a run ended; `step` is the first step at which the loss shows a failure, None if there was none.

    * ``learned``: validation loss at or below 0.1; ``unfinished``: above 0.1, at or below 1.0;
    * ``not finite``: a training loss or the validation loss is NaN or infinite; `step`: the first such loss;
    * ``collapsed after learning``: validation loss above 1.0 after the loss level had been at or below 1.0;
      `step`: the first loss above 1.0 after the lowest level (T if only the validation loss is above it);
    * ``never learned``: validation loss above 1.0, and the loss level was never at or below 1.0;
      `step`: the step by which a good run is at or below 1.0, because until then a good run looks no better;
    * ``too slow``: like ``never learned``, but a higher LR would have learned: not an instability.
    """

    kind: str
    step: int | None

    @property
    def failed(self) -> bool:
        """Whether the run failed; a run that was too slow or is unfinished did not."""
        return self.kind in FAILURES


def learned_at(losses: ArrayLike, limit: float = FAILED_LOSS) -> Steps:
    """The first step at which the loss level is at or below `limit`, [...]; T if it never is.

    >>> int(learned_at([3.0, 2.0, 0.5, 0.5, 0.5])), int(learned_at([3.0, 3.0]))
    (4, 2)
    """
    reached = levels(losses) <= limit
    return np.asarray(np.where(reached.any(-1), reached.argmax(-1), reached.shape[-1]))


def outcome(losses: ArrayLike, final: float, learned_by: int | None = None) -> Outcome:
    """How a run ended, from its training losses [T] and its final validation loss.

    `learned_by`: the step by which a comparable good run is at or below 1.0; None if unknown, which counts as T.
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
