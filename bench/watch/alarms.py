"""What in a run's instruments is a warning, and since which step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bench.watch.thresholds import levels

from .thresholds import ATTENTION_LOGIT, ATTENTION_LOGIT_ALONE, HIGH_SHARE

#: What each instrument measures, in words.
WORDS = {
    "losses": "loss",
    "attention_logits": "largest attention logit",
    "gradient_norms": "gradient norm",
    "update_ratios": "update over parameters",
}


@dataclasses.dataclass(frozen=True)
class Alarm:
    """The first step at which an instrument warned; `limit` is what it passed, infinity where it was not finite."""

    step: int
    instrument: str
    value: float
    limit: float

    def sentence(self) -> str:
        """The alarm in words.

        >>> Alarm(41, "attention_logits", 33.1, 14.0).sentence()
        'step 41: largest attention logit 33.1 is above 14'
        """
        said = f"step {self.step}: {WORDS[self.instrument]} {self.value:.4g}"
        return f"{said} is above {self.limit:g}" if math.isfinite(self.limit) else f"{said} is not finite"


def attention_limits(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the largest |attention logit| may not pass at each step, [T], given the losses, NaN where none is known.

    While the loss is high a low limit, after that none: a trained model has large logits. The limit of a step
    whose loss is not known is a high one. How good these signs are is measured in results/alarms.

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
    """The first alarm of each kind and instrument, in the order of their steps.

    The attention logit warns above its limit; every instrument warns where it measured what is not finite.
    The gradient norm and the sharpness have no limit: they also rise in good runs.

    >>> history = {name: np.array([1.0, 40.0, 2.0]) for name in ("steps", *WORDS)}
    >>> [alarm.value for alarm in first_alarms(history, {name: np.full(3, True) for name in WORDS})]
    [40.0]
    """
    found = []
    none = np.full(history["losses"].shape, math.inf)
    for name in WORDS:
        values = history[name]
        limits = attention_limits(history["losses"]) if name == "attention_logits" else none
        broken = ~np.isfinite(values) & measured[name]
        for wrong, passed in ((np.isfinite(values) & (values > limits), limits), (broken, none)):
            if wrong.any():
                at = int(np.argmax(wrong))
                found.append(Alarm(int(history["steps"][at]), name, float(values[at]), float(passed[at])))
    return sorted(found, key=lambda alarm: alarm.step)
