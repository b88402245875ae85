"""Signals that may warn of a failure, computed at each step from what is known by then; NumPy only.

A high value is a warning; 0 means that the signal is not available yet.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from bench.watch.thresholds import HIGH_SHARE, levels
from reference.check import Rates

from .runs import Records

#: In the first steps Adam's updates are as large as they can be, whatever the LR.
FIRST = 5
#: Steps over which growth is measured.
SPAN = 10

Signal = Callable[[Records], Rates]


def attention_logit(records: Records) -> Rates:
    """The largest |attention logit| of the step's forward pass."""
    return records.attention_logits


def attention_growth(records: Records) -> Rates:
    """The largest |attention logit|, relative to its value `SPAN` steps earlier."""
    values = records.attention_logits
    return _later(values[:, SPAN:] / values[:, :-SPAN], values)


def attention_relative(records: Records) -> Rates:
    """The largest |attention logit|, relative to that of the first step."""
    return records.attention_logits / records.attention_logits[:, :1]


def update_ratio(records: Records) -> Rates:
    """‖θ' − θ‖/‖θ‖, the median of the last 5 steps."""
    return _later(levels(records.update_ratios)[:, FIRST:], records.update_ratios)


def gradient_norm(records: Records) -> Rates:
    """‖∇‖, the median of the last 5 steps."""
    return levels(records.gradient_norms)


def gradient_growth(records: Records) -> Rates:
    """‖∇‖, relative to its median in the first 5 steps."""
    values = records.gradient_norms
    return _later(values[:, FIRST:] / np.median(values[:, :FIRST], axis=1, keepdims=True), values)


def gradient_times_lr(records: Records) -> Rates:
    """η·‖∇‖, the median of the last 5 steps."""
    return levels(records.lrs * records.gradient_norms)


def learning_rate(records: Records) -> Rates:
    """The LR itself."""
    return records.lrs


def loss_rise(records: Records) -> Rates:
    """The loss minus the lowest loss level so far."""
    return records.losses - np.minimum.accumulate(levels(records.losses), axis=1)


def loss_at(records: Records, step: int) -> Rates:
    """The loss level at one step, 0 at all others: is the loss still high by then?"""
    level = levels(records.losses)
    return np.where(np.arange(level.shape[1]) == step, level, 0.0)


def while_high(records: Records, signal: Signal) -> Rates:
    """Another signal, while the loss level is above `HIGH_SHARE` of the first loss."""
    return np.where(levels(records.losses) > HIGH_SHARE * records.losses[:, :1], signal(records), 0.0)


#: The signals, by their names in tables.
SIGNALS: dict[str, Signal] = {
    "attention logit": attention_logit,
    "attention logit, growth in 10 steps": attention_growth,
    "attention logit / first": attention_relative,
    "update ratio": update_ratio,
    "gradient norm": gradient_norm,
    "gradient norm / first": gradient_growth,
    "LR x gradient norm": gradient_times_lr,
    "LR": learning_rate,
    "loss, rise over its lowest": loss_rise,
    "loss at step 30": partial(loss_at, step=30),
    "loss at step 40": partial(loss_at, step=40),
    "loss at step 50": partial(loss_at, step=50),
    "attention logit while the loss is high": partial(while_high, signal=attention_logit),
    "attention logit / first while the loss is high": partial(while_high, signal=attention_relative),
    "update ratio while the loss is high": partial(while_high, signal=update_ratio),
}


def _later(values: Rates, like: Rates) -> Rates:
    """A signal that starts later, padded with zeros to the length of the run."""
    missing = like.shape[1] - values.shape[1]
    return np.concatenate([np.zeros((len(like), missing)), values], axis=1)
