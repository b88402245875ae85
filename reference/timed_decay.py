"""Decays that reach ``min_lr`` after a given number of steps."""

from __future__ import annotations

import numpy as np

from .check import Rates, Steps, one_of, real
from .decay import Decay, checked_floor
from .schedule import arg, schedule
from .shapes import blend, half_cosine
from .slug import register
from .warmup import step_count


def _remaining(n: Steps, length: int) -> Rates:
    """1 − n/D with an exact numerator; 0 if D = 0."""
    return (length - n) / length if length else np.zeros(n.shape)


class _TimedDecay(Decay):
    """Base class: a decay from the base LR to `min_lr` in `decay_steps` steps."""

    decay_steps: int
    min_lr: float

    def _check(self) -> None:
        self._set("decay_steps", step_count("decay_steps", self.decay_steps))
        self._set("min_lr", real("min_lr", self.min_lr, low=0.0))

    def _length(self) -> int | None:
        return self.decay_steps

    def _at(self, n: Steps, base: float) -> Rates:
        return blend(base, checked_floor(self.min_lr, base), self._share(n))

    def _share(self, n: Steps) -> Rates:
        """The remaining share of base − min_lr."""
        raise NotImplementedError


@schedule
class LinearDecay(_TimedDecay):
    """Fall linearly: lr = m + (base−m)(1 − p), p = n/D.

    D: `decay_steps` (steps), m: `min_lr` >= 0 (a learning rate).
    Raises ValueError outside these ranges, and when called with base_lr < m.
    Source: ViT warmup tutorial, section 3 (linear); Goyal et al. 2017.

    >>> LinearDecay(4)([0, 1, 4, 9]).tolist()
    [1.0, 0.75, 0.0, 0.0]
    """

    slug_name = "lineardecay"
    decay_steps: int = arg()
    min_lr: float = arg("m", default=0.0, absolute=True)

    def _share(self, n: Steps) -> Rates:
        return _remaining(n, self.decay_steps)


@schedule
class CosineDecay(_TimedDecay):
    """Fall along half a cosine: lr = m + (base−m)·½(1 + cos πp), p = n/D.

    D: `decay_steps` (steps), m: `min_lr` >= 0 (a learning rate).
    Raises ValueError outside these ranges, and when called with base_lr < m.
    Source: Loshchilov & Hutter 2017 (SGDR), equation 5.

    >>> CosineDecay(4, min_lr=0.5)([0, 2, 4]).round(12).tolist()
    [1.0, 0.75, 0.5]
    """

    slug_name = "cosine"
    decay_steps: int = arg()
    min_lr: float = arg("m", default=0.0, absolute=True)

    def _share(self, n: Steps) -> Rates:
        return half_cosine(n, self.decay_steps) if self.decay_steps else np.zeros(n.shape)


@schedule
class PolynomialDecay(_TimedDecay):
    """Fall as a power: lr = m + (base−m)(1 − p)^power, p = n/D.

    D: `decay_steps` (steps), `power` > 0, m: `min_lr` >= 0 (a learning rate).
    Raises ValueError outside these ranges, when called with base_lr < m,
    and in a convention with past_end='unbounded' unless `power` is an integer (1 − p becomes negative).
    Source: torch PolynomialLR; transformers get_polynomial_decay_schedule_with_warmup.

    >>> PolynomialDecay(4, power=2.0)([0, 2, 4]).tolist()
    [1.0, 0.25, 0.0]
    """

    slug_name = "polynomial"
    decay_steps: int = arg()
    power: float = arg("p", default=2.0)
    min_lr: float = arg("m", default=0.0, absolute=True)

    def _check(self) -> None:
        super()._check()
        self._set("power", real("power", self.power, above=0.0))

    def _check_unbounded(self) -> None:
        if not self.power.is_integer():
            raise ValueError(f"power={self.power!r} must be an integer with past_end='unbounded'")

    def _share(self, n: Steps) -> Rates:
        return np.power(_remaining(n, self.decay_steps), self.power)


@schedule
class StableDecay(Decay):
    """The stable and decay phases of warmup–stable–decay (WSD): S steps at the base LR, then a fall to m.

    lr = m + (base−m)·f(p), p = 0 while n < S, then (n−S)/D;
    f is 1 − p (`linear`), ½(1 + cos πp) (`cosine`) or 1 − √p (`sqrt`).

    S: `stable_steps`, D: `decay_steps` (steps), `shape`: f, m: `min_lr` >= 0 (a learning rate).
    For the convention's past_end its length is S + D.
    Raises ValueError outside these ranges, and when called with base_lr < m.
    Source: Hu et al. 2024 (MiniCPM), section 4; Hägele et al. 2024 (1 − √p).

    >>> StableDecay(2, 4)([0, 2, 3, 6]).tolist()
    [1.0, 1.0, 0.75, 0.0]
    """

    slug_name = "wsd"
    stable_steps: int = arg()
    decay_steps: int = arg("d")
    shape: str = arg("h", default="linear")
    min_lr: float = arg("m", default=0.0, absolute=True)

    def _check(self) -> None:
        self._set("stable_steps", step_count("stable_steps", self.stable_steps))
        self._set("decay_steps", step_count("decay_steps", self.decay_steps))
        one_of("shape", self.shape, ("linear", "cosine", "sqrt"))
        self._set("min_lr", real("min_lr", self.min_lr, low=0.0))

    def _length(self) -> int | None:
        return self.stable_steps + self.decay_steps

    def _at(self, n: Steps, base: float) -> Rates:
        low, length = checked_floor(self.min_lr, base), self.decay_steps
        k = np.maximum(n - self.stable_steps, 0)
        if not length:
            return np.where(n < self.stable_steps, base, low)
        if self.shape == "cosine":
            share = half_cosine(k, length)
        elif self.shape == "linear":
            share = _remaining(k, length)
        else:  # 1 − √p = (1 − p)/(1 + √p), which avoids cancellation near p = 1
            share = _remaining(k, length) / (1.0 + np.sqrt(k / length))
        return blend(base, low, share)


register(LinearDecay, CosineDecay, PolynomialDecay, StableDecay)
