"""The configuration of a run: model, task, batches and the optimizer's constants; not the LR."""

from __future__ import annotations

import dataclasses
from typing import Any

from reference.check import flag, integer, one_of, real

TASKS = ("numbers", "language")
OPTIMIZERS = ("adam", "adamw", "lion", "radam", "sgd")
#: Those that take a weight decay.
DECAYED = ("adamw", "lion", "sgd")


@dataclasses.dataclass(frozen=True)
class Config:
    """A model and how it is trained, except for LR, seed and length.

    * `d_model`: features per token, even (sines and cosines come in pairs) and divisible by `heads`;
    * `layers`: layers of the encoder, and of the decoder; `feed_forward`: hidden features in each;
    * `norm_first`: LayerNorm before each block (pre-LN) instead of after it (post-LN);
    * `qk_norm`: LayerNorm with a learned scale over the features of each head of queries and keys;
    * `task`: one of `TASKS`, see `task.py`; the language needs the decoder only, of `layers` layers;
    * `sequence`: the words of a sequence of the language;
    * `limit`: the task numbers has the numbers 0 … limit − 1; `validation_share`: the share held out;
      `split_seed`: draws what is held out;
    * `batch_size`: in numbers or sequences; `optimizer`: one of `OPTIMIZERS`; `betas`, `eps`, `momentum` and
      `weight_decay` as in ``torch.optim``; `max_norm`: the gradient is scaled to at most this norm (0: it is not).

    Raises TypeError or ValueError for values out of range.

    >>> CONFIGS["small16"].feed_forward
    64
    >>> Config(d_model=16, feed_forward=64, heads=3)
    Traceback (most recent call last):
    ValueError: heads=3 must divide d_model=16
    """

    d_model: int
    feed_forward: int
    heads: int = 4
    layers: int = 2
    norm_first: bool = False
    qk_norm: bool = False
    dropout: float = 0.0
    task: str = "numbers"
    sequence: int = 12
    limit: int = 1000
    validation_share: float = 0.1
    split_seed: int = 0
    batch_size: int = 32
    optimizer: str = "adam"
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    momentum: float = 0.9
    weight_decay: float = 0.0
    max_norm: float = 0.0

    def __post_init__(self) -> None:
        for name in ("d_model", "feed_forward", "heads", "layers", "limit", "batch_size"):
            integer(name, getattr(self, name), 1)
        integer("split_seed", self.split_seed)
        integer("sequence", self.sequence, 3)
        one_of("task", self.task, TASKS)
        if self.d_model % 2:
            raise ValueError(f"d_model={self.d_model} must be even")
        if self.d_model % self.heads:
            raise ValueError(f"heads={self.heads} must divide d_model={self.d_model}")
        flag("norm_first", self.norm_first)
        if flag("qk_norm", self.qk_norm) and self.d_model == self.heads:
            raise ValueError(
                f"heads={self.heads} must be < d_model={self.d_model} with qk_norm: one feature has no norm"
            )
        real("dropout", self.dropout, low=0.0, below=1.0)
        real("validation_share", self.validation_share, above=0.0, below=1.0)
        for i, beta in enumerate(self.betas, 1):
            real(f"beta{i}", beta, low=0.0, below=1.0)
        real("eps", self.eps, above=0.0)
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        real("momentum", self.momentum, low=0.0, below=1.0)
        real("weight_decay", self.weight_decay, low=0.0)
        real("max_norm", self.max_norm, low=0.0)
        if self.weight_decay and self.optimizer not in DECAYED:
            raise ValueError(f"weight_decay={self.weight_decay:g} needs optimizer={' or '.join(DECAYED)}")
        trained = self.limit - round(self.limit * self.validation_share)
        if self.batch_size > trained and self.task == "numbers":
            raise ValueError(f"batch_size={self.batch_size} must be <= {trained}, the numbers to train on")


def _small(d_model: int, task: str = "numbers") -> Config:
    """The tutorial's depth and number of heads at another width, with the usual hidden width of 4·d_model."""
    return Config(d_model=d_model, feed_forward=4 * d_model, task=task)


#: `tutorial` is the Noam tutorial's model; where the tutorial is silent, nn.Transformer's defaults (2048, 0.1).
CONFIGS = {
    "tutorial": Config(d_model=128, feed_forward=2048, dropout=0.1),
    "small16": _small(16),
    "small32": _small(32),
    "small64": _small(64),
    "language16": _small(16, "language"),
    "language32": _small(32, "language"),
    "language64": _small(64, "language"),
}


def named(name: str, **changes: Any) -> Config:
    """A named configuration, optionally with some fields changed; ValueError for an unknown name.

    >>> named("small16", norm_first=True).norm_first
    True
    """
    return dataclasses.replace(CONFIGS[one_of("config", name, tuple(CONFIGS))], **changes)
