"""Which measurements of a run are warning signs, and at which step they first appear."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bench.watch.thresholds import levels

from .thresholds import ATTENTION_LOGIT, ATTENTION_LOGIT_ALONE, HIGH_SHARE

#: What each instrument measures, as printed.
WORDS = {
    "losses": "loss",
    "attention_logits": "largest attention logit",
    "gradient_norms": "gradient norm",
    "update_ratios": "update over parameters",
}


@dataclasses.dataclass(frozen=True)
class Alarm:
    """The first step at which an instrument warned; `limit` is the limit it exceeded, inf where it was not finite."""

    step: int
    instrument: str
    value: float
    limit: float

    def sentence(self) -> str:
        """The alarm as a sentence.

        >>> Alarm(41, "attention_logits", 33.1, 14.0).sentence()
        'step 41: largest attention logit 33.1 is above 14'
        """
        measurement = f"step {self.step}: {WORDS[self.instrument]} {self.value:.4g}"
        verdict = f"is above {self.limit:g}" if math.isfinite(self.limit) else "is not finite"
        return f"{measurement} {verdict}"


def attention_limits(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """The limit on the largest |attention logit| at each step, [T], given the losses (NaN where unknown).

    The limit is low while the loss is high and infinite afterwards, because a trained model has large logits. Where
    the loss is unknown the limit is high. results/alarms measures how reliable these limits are.

    >>> attention_limits(np.array([4.0, 4.0, 0.5, 0.5, 0.5, np.nan])).tolist()
    [14.0, 14.0, 14.0, 14.0, inf, 52.0]
    """
    limits = np.full(losses.shape, ATTENTION_LOGIT_ALONE)
    known = np.isfinite(losses)
    if known.any():
        high = levels(losses[known]) > HIGH_SHARE * losses[known][0]
        limits[known] = np.where(high, ATTENTION_LOGIT, math.inf)
    return limits


def first_alarms(history: Mapping[str, NDArray[np.float64]], measured: Mapping[str, NDArray[np.bool_]]) -> list[Alarm]:
    """The first alarm of each kind and instrument, in order of step.

    The attention logit warns above its limit; every instrument warns when its measurement is not finite.
    The gradient norm and the sharpness have no limit, because they also rise in good runs.

    >>> history = {name: np.array([1.0, 40.0, 2.0]) for name in ("steps", *WORDS)}
    >>> [alarm.value for alarm in first_alarms(history, {name: np.full(3, True) for name in WORDS})]
    [40.0]
    """
    alarms = []
    no_limit = np.full(history["losses"].shape, math.inf)
    for name in WORDS:
        values = history[name]
        limits = attention_limits(history["losses"]) if name == "attention_logits" else no_limit
        above = np.isfinite(values) & (values > limits)
        not_finite = ~np.isfinite(values) & measured[name]
        for flags, exceeded in ((above, limits), (not_finite, no_limit)):
            if flags.any():
                row = int(np.argmax(flags))
                alarms.append(Alarm(int(history["steps"][row]), name, float(values[row]), float(exceeded[row])))
    return sorted(alarms, key=lambda alarm: alarm.step)
