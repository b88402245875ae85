"""The numbers that the alarms use, on the toy model and on a user's own: from the training runs of results/alarms."""

from __future__ import annotations

#: The loss is high while its level is above this share of the first loss: the run has hardly begun to learn.
HIGH_SHARE = 0.5
#: The largest |attention logit| that nearly every good run stays below while its loss is high.
ATTENTION_LOGIT = 14.0
#: The same at any step, for a run whose loss is not known. A far weaker sign.
ATTENTION_LOGIT_ALONE = 52.0
#: ‖θ' − θ‖/‖θ‖, the median of 5 steps.
UPDATE_RATIO = 0.036
#: The gradient norm over its median in the first 5 steps. Hardly a sign at all.
GRADIENT_GROWTH = 8.6
