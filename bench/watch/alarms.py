"""What in a run's instruments is a warning, and since which step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: The largest |attention logit| of a run that trains: above it softmax is nearly a choice, and passes no gradient on.
ATTENTION_LOGIT_LIMIT = 30.0
#: Instruments that warn above a limit. The gradient norm and the sharpness are not here: they also rise in good runs.
LIMITS = {"attention_logits": ATTENTION_LOGIT_LIMIT}
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

        >>> Alarm(41, "attention_logits", 33.1, 30.0).sentence()
        'step 41: largest attention logit 33.1 is above 30'
        """
        said = f"step {self.step}: {WORDS[self.instrument]} {self.value:.4g}"
        return f"{said} is above {self.limit:g}" if math.isfinite(self.limit) else f"{said} is not finite"


def first_alarms(
    history: Mapping[str, NDArray[np.float64]],
    measured: Mapping[str, NDArray[np.bool_]],
    limits: Mapping[str, float] = LIMITS,
) -> list[Alarm]:
    """The first alarm of each kind and instrument, in the order of their steps.

    An instrument warns where it is above its limit, and where it measured what is not finite.

    >>> history = {name: np.array([1.0, 40.0, 2.0]) for name in ("steps", *WORDS)}
    >>> [alarm.value for alarm in first_alarms(history, {name: np.full(3, True) for name in WORDS})]
    [40.0]
    """
    found = []
    for name in WORDS:
        values, limit = history[name], limits.get(name, math.inf)
        broken = ~np.isfinite(values) & measured[name]
        for wrong, passed in ((np.isfinite(values) & (values > limit), limit), (broken, math.inf)):
            if wrong.any():
                at = int(np.argmax(wrong))
                found.append(Alarm(int(history["steps"][at]), name, float(values[at]), passed))
    return sorted(found, key=lambda alarm: alarm.step)
