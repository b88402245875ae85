"""Decays that reach ``min_lr`` after a given number of steps."""

from __future__ import annotations

import math

import numpy as np

from .check import Rates, Steps, one_of, real
from .decay import Decay, checked_floor
from .schedule import arg, schedule
from .shapes import blend, half_cosine
from .slug import register
from .warmup import step_count

#: The shapes of a stable decay.
SHAPES = ("linear", "cosine", "sqrt", "exponential", "geometric")
#: The largest argument of a hyperbolic tangent: farther out it is ±1 for any use, and its exponential overflows.
MOST_TANH = 300.0


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
class TanhDecay(_TimedDecay):
    """Fall along a hyperbolic tangent: lr = m + (base−m)·½(1 − tanh(a(1−p) + b·p)), p = n/D; m from p = 1 on.

    D: `decay_steps` (steps), a: `lower` < b: `upper` (the stretch of the tangent that is used), m: `min_lr` >= 0 (a
    learning rate). With a = −7 and b = 3 the LR jumps at n = D from 0.25 % of base−m to m.
    Raises ValueError outside these ranges, and when called with base_lr < m.
    Source: Hsueh et al. 2018, equation 5; timm 1.0.31, timm/scheduler/tanh_lr.py.

    >>> TanhDecay(4, -2.0, 2.0)([0, 2, 4]).round(12).tolist()
    [0.982013790038, 0.5, 0.0]
    """

    slug_name = "tanh"
    decay_steps: int = arg()
    lower: float = arg("a", default=-7.0)
    upper: float = arg("b", default=3.0)
    min_lr: float = arg("m", default=0.0, absolute=True)

    def _check(self) -> None:
        super()._check()
        self._set("upper", real("upper", self.upper, -MOST_TANH, MOST_TANH))
        self._set("lower", real("lower", self.lower, low=-MOST_TANH, below=self.upper))

    def _share(self, n: Steps) -> Rates:
        if not self.decay_steps:
            return np.zeros(n.shape)
        z = self.lower * _remaining(n, self.decay_steps) + self.upper * (n / self.decay_steps)
        with np.errstate(over="ignore"):  # past the end of an unbounded decay: 1/∞ is 0
            share = 1.0 / (1.0 + np.exp(2.0 * z))  # ½(1 − tanh z), without cancellation
        return np.where(n == self.decay_steps, 0.0, share)


@schedule
class StableDecay(Decay):
    """The stable and decay phases of warmup–stable–decay (WSD): S steps at the base LR, then a fall to m.

    lr = m + (base−m)·f(p), p = 0 while n < S, then (n−S)/D;
    f is 1 − p (`linear`), ½(1 + cos πp) (`cosine`), 1 − √p (`sqrt`) or 2·½^p − 1 (`exponential`).
    `geometric` falls by a constant ratio: lr = base·(m/base)^p, m > 0.

    S: `stable_steps`, D: `decay_steps` (steps), `shape`: f, m: `min_lr` >= 0 (a learning rate).
    For the convention's past_end its length is S + D.
    Raises ValueError outside these ranges, and when called with base_lr < m.
    Source: Hu et al. 2024 (MiniCPM), section 4; Hägele et al. 2024 (1 − √p); megatron-core 0.16.1,
    core/optimizer_param_scheduler.py, lr_wsd_decay_style (exponential); fairseq 0.12.2, tri_stage (geometric).

    >>> StableDecay(2, 4)([0, 2, 3, 6]).tolist()
    [1.0, 1.0, 0.75, 0.0]
    >>> StableDecay(2, 4, "geometric", min_lr=0.0625)([0, 2, 4, 6]).tolist()
    [1.0, 1.0, 0.25, 0.0625]
    """

    slug_name = "wsd"
    stable_steps: int = arg()
    decay_steps: int = arg("d")
    shape: str = arg("h", default="linear")
    min_lr: float = arg("m", default=0.0, absolute=True)

    def _check(self) -> None:
        self._set("stable_steps", step_count("stable_steps", self.stable_steps))
        self._set("decay_steps", step_count("decay_steps", self.decay_steps))
        one_of("shape", self.shape, SHAPES)
        self._set("min_lr", real("min_lr", self.min_lr, low=0.0))
        if self.shape == "geometric":
            real("min_lr", self.min_lr, above=0.0)  # no constant ratio reaches 0

    def _length(self) -> int | None:
        return self.stable_steps + self.decay_steps

    def _at(self, n: Steps, base: float) -> Rates:
        low, length = checked_floor(self.min_lr, base), self.decay_steps
        k = np.maximum(n - self.stable_steps, 0)
        if not length:
            return np.where(n < self.stable_steps, base, low)
        if self.shape == "geometric":
            return np.where(k == length, low, base * np.power(low / base, k / length))
        if self.shape == "cosine":
            share = half_cosine(k, length)
        elif self.shape == "linear":
            share = _remaining(k, length)
        elif self.shape == "exponential":  # 2·½^p − 1 = 2^(1−p) − 1
            share = np.expm1(math.log(2.0) * _remaining(k, length))
        else:  # 1 − √p = (1 − p)/(1 + √p), which avoids cancellation near p = 1
            share = _remaining(k, length) / (1.0 + np.sqrt(k / length))
        return blend(base, low, share)


register(LinearDecay, CosineDecay, PolynomialDecay, TanhDecay, StableDecay)
