"""Alarms: readings with a threshold. Their thresholds are set on training runs and measured on others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.watch.thresholds import ATTENTION_LOGIT, ATTENTION_LOGIT_ALONE, GRADIENT_GROWTH, UPDATE_RATIO
from reference.check import Rates, Steps, one_of, real

from .runs import Records
from .signals import SIGNALS

#: Thresholds are set so that of the good training runs at most this share gives an alarm: less than the 5 % that
#: are allowed on fresh runs, of other sizes.
BUDGET = 0.03


@dataclasses.dataclass(frozen=True)
class AlarmRule:
    """Goes off at the first step at which one of its readings is above its threshold, or is NaN.

    `parts`: names of readings in `SIGNALS`, each with its threshold.
    Raises ValueError for no part, and for a reading that there is not.

    >>> AlarmRule((("attention logit", 20.0), ("LR", 0.1))).text
    'attention logit > 20 or LR > 0.1'
    """

    parts: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("parts=() must hold one reading or more")
        for name, _ in self.parts:
            one_of("signal", name, tuple(SIGNALS))

    @property
    def name(self) -> str:
        """Its readings."""
        return " or ".join(name for name, _ in self.parts)

    @property
    def text(self) -> str:
        """Its readings with their thresholds."""
        return " or ".join(f"{name} > {threshold:.3g}" for name, threshold in self.parts)

    def first(self, records: Records) -> Steps:
        """The step at which it goes off in each run, int64 [K]; −1 where it does not."""
        above: NDArray[np.bool_] = np.zeros(records.losses.shape, dtype=bool)
        for name, threshold in self.parts:
            above |= ~(SIGNALS[name](records) <= threshold)
        return np.where(above.any(1), above.argmax(1), -1)


#: What is tried, alone and together.
CANDIDATES: tuple[tuple[str, ...], ...] = (
    *((name,) for name in SIGNALS),
    ("attention logit", "update ratio"),
    ("attention logit while the loss is high", "attention logit"),
    ("attention logit while the loss is high", "update ratio"),
    ("attention logit while the loss is high", "update ratio while the loss is high"),
)
#: The one that is used: see results/alarms.
DEFAULT = AlarmRule((("attention logit while the loss is high", ATTENTION_LOGIT),))
#: Those that a run is watched by: the default, and the best of each instrument alone.
WATCHED = (
    DEFAULT,
    AlarmRule((("attention logit", ATTENTION_LOGIT_ALONE),)),
    AlarmRule((("update ratio", UPDATE_RATIO),)),
    AlarmRule((("gradient norm / first", GRADIENT_GROWTH),)),
)


def peaks(signal: str, records: Records) -> Rates:
    """The largest reading of each run, [K]; infinite where one is NaN."""
    return np.asarray(np.nan_to_num(SIGNALS[signal](records), nan=np.inf, posinf=np.inf).max(1))


def fitted(signals: Sequence[str], good: Records, budget: float = BUDGET) -> AlarmRule:
    """The alarm on these readings that goes off in at most a share `budget` of good runs.

    The budget is shared equally by the readings; each threshold is the lowest that keeps to its part.
    Raises ValueError for a budget outside [0, 1), or without runs.
    """
    each = real("budget", budget, low=0.0, below=1.0) / len(signals)
    if not len(good.final):
        raise ValueError("good=0 runs must be one or more")
    allowed = int(each * len(good.final))
    return AlarmRule(tuple((name, float(np.sort(peaks(name, good))[-1 - allowed])) for name in signals))
