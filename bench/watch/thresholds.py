"""The thresholds of the alarms, for the toy model and for a user's own: from the training runs of results/alarms."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from reference.check import Rates

#: The loss of one batch is noisy; the loss level is the median of this many recent losses.
WINDOW = 5

#: The loss is high while its level is above this share of the first loss: the run has hardly started to learn.
HIGH_SHARE = 0.5
#: Nearly every good run keeps its largest |attention logit| below this while its loss is high.
ATTENTION_LOGIT = 14.0
#: The same at any step, for a run whose loss is unknown. A far weaker sign.
ATTENTION_LOGIT_ALONE = 52.0
#: ‖θ' − θ‖/‖θ‖, the median of 5 steps.
UPDATE_RATIO = 0.036
#: The gradient norm over its median in the first 5 steps. Hardly a sign at all.
GRADIENT_GROWTH = 8.6


def levels(losses: ArrayLike) -> Rates:
    """The loss level at each step: the median of the last `WINDOW` losses (of all losses so far in the first steps).

    `losses`: [..., T]; returns [..., T]. NaN while any of them is NaN.


    >>> levels([9.0, 1.0, 1.0, 8.0, 1.0, 1.0]).tolist()
    [9.0, 5.0, 1.0, 4.5, 1.0, 1.0]
    """
    values = np.asarray(losses, dtype=np.float64)
    first = [np.median(values[..., :end], axis=-1) for end in range(1, min(WINDOW, values.shape[-1] + 1))]
    if values.shape[-1] < WINDOW:
        return np.stack(first, axis=-1) if first else values
    later = np.median(sliding_window_view(values, WINDOW, axis=-1), axis=-1)
    return np.concatenate([np.stack(first, axis=-1), later], axis=-1)
