"""Alarm rules: a signal with a threshold. Thresholds are fitted on training runs and evaluated on fresh ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.watch.thresholds import ATTENTION_LOGIT, ATTENTION_LOGIT_ALONE, GRADIENT_GROWTH, UPDATE_RATIO
from reference.check import Rates, Steps, one_of, real

from .runs import Records
from .signals import SIGNALS

#: Thresholds are fitted so that at most this share of good training runs raises an alarm: less than the 5 % allowed on
#: fresh runs, which differ in size.
BUDGET = 0.03


@dataclasses.dataclass(frozen=True)
class AlarmRule:
    """Raises an alarm at the first step at which any of its signals is NaN or above its threshold.

    `parts`: names of signals in `SIGNALS`, each with its threshold.
    Raises ValueError without a part, and for an unknown signal.

    >>> AlarmRule((("attention logit", 20.0), ("LR", 0.1))).text
    'attention logit > 20 or LR > 0.1'
    """

    parts: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("parts=() must contain at least one signal")
        for name, _ in self.parts:
            one_of("signal", name, tuple(SIGNALS))

    @property
    def name(self) -> str:
        """The signals, without their thresholds."""
        return " or ".join(name for name, _ in self.parts)

    @property
    def text(self) -> str:
        """The signals with their thresholds, as a key in JSON and in tables."""
        return " or ".join(f"{name} > {threshold:.3g}" for name, threshold in self.parts)

    @property
    def words(self) -> str:
        """The condition of the alarm as it is printed.

        >>> DEFAULT.words
        'attention logit > 14 while the loss is high'
        """
        parts = []
        for name, threshold in self.parts:
            signal, condition, phase = name.partition(" while ")
            parts.append(f"{signal} > {threshold:.3g}{condition}{phase}")
        return " or ".join(parts)

    def first(self, records: Records) -> Steps:
        """The step of the alarm in each run, int64 [K]; −1 where there is none."""
        above: NDArray[np.bool_] = np.zeros(records.losses.shape, dtype=bool)
        for name, threshold in self.parts:
            above |= ~(SIGNALS[name](records) <= threshold)
        return np.where(above.any(1), above.argmax(1), -1)


#: The candidates: single signals and combinations.
CANDIDATES: tuple[tuple[str, ...], ...] = (
    *((name,) for name in SIGNALS),
    ("attention logit", "update ratio"),
    ("attention logit while the loss is high", "attention logit"),
    ("attention logit while the loss is high", "update ratio"),
    ("attention logit while the loss is high", "update ratio while the loss is high"),
)
#: The rule in use: see results/alarms.
DEFAULT = AlarmRule((("attention logit while the loss is high", ATTENTION_LOGIT),))
#: The rules applied to every run: the default, and the best of each single instrument.
WATCHED = (
    DEFAULT,
    AlarmRule((("attention logit", ATTENTION_LOGIT_ALONE),)),
    AlarmRule((("update ratio", UPDATE_RATIO),)),
    AlarmRule((("gradient norm / first", GRADIENT_GROWTH),)),
)


def peaks(signal: str, records: Records) -> Rates:
    """The largest value of the signal in each run, [K]; infinite where any is NaN."""
    return np.asarray(np.nan_to_num(SIGNALS[signal](records), nan=np.inf, posinf=np.inf).max(1))


def fitted(signals: Sequence[str], good: Records, budget: float = BUDGET) -> AlarmRule:
    """The rule on these signals that raises an alarm in at most a share `budget` of good runs.

    The budget is split equally between the signals; each threshold is the lowest within its share.
    Raises ValueError for a budget outside [0, 1), or without runs.
    """
    each = real("budget", budget, low=0.0, below=1.0) / len(signals)
    if not len(good.final):
        raise ValueError("good=0 runs must be at least 1")
    allowed = int(each * len(good.final))
    return AlarmRule(tuple((name, float(np.sort(peaks(name, good))[-1 - allowed])) for name in signals))
