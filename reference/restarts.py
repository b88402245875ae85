"""Decays that start over from the top: cosine waves of equal or growing length, as high as the first or lower."""

from __future__ import annotations

import numpy as np

from .check import Rates, Steps, integer, one_of, real
from .decay import Decay, checked_floor
from .schedule import arg, schedule
from .shapes import blend, half_cosine, segments
from .slug import register
from .warmup import step_count

#: What a restart may lower.
SHRINKS = ("all", "range", "top")


@schedule
class CosineRestartsDecay(Decay):
    """Fall along c half cosines of equal length within D steps: lr = m + (base−m)·½(1 + cos π(cp mod 1)), p = n/D.

    From p = 1 on the LR is m. D: `decay_steps` (steps), c: `cycles` >= 1, m: `min_lr` >= 0 (a learning rate).
    cp mod 1 is computed on integers, so rounding never moves a restart.
    Raises ValueError outside these ranges, if c·D is not below 2**63, and when called with base_lr < m.
    Source: transformers 5.24.0, transformers/optimization.py, get_cosine_with_hard_restarts_schedule_with_warmup.

    >>> CosineRestartsDecay(4, 2)([0, 1, 2, 3, 4]).round(12).tolist()
    [1.0, 0.5, 1.0, 0.5, 0.0]
    """

    slug_name = "cosinerestarts"
    decay_steps: int = arg()
    cycles: int = arg("c")
    min_lr: float = arg("m", default=0.0, absolute=True)

    def _check(self) -> None:
        self._set("decay_steps", step_count("decay_steps", self.decay_steps))
        self._set("cycles", integer("cycles", self.cycles, 1))
        self._set("min_lr", real("min_lr", self.min_lr, low=0.0))
        if self.cycles * self.decay_steps >= 2**63:
            raise ValueError(f"cycles={self.cycles} must be < 2**63 / decay_steps={self.decay_steps}")

    def _length(self) -> int | None:
        return self.decay_steps

    def _at(self, n: Steps, base: float) -> Rates:
        low, length = checked_floor(self.min_lr, base), self.decay_steps
        if not length:
            return np.full(n.shape, low)
        wave = half_cosine(np.minimum(n, length) * self.cycles % length, length)
        return blend(base, low, np.where(n < length, wave, 0.0))


@schedule
class WarmRestartsDecay(Decay):
    """Fall along half cosines without an end, the i-th of D·g^i steps: lr = r^i·(m + (base−m)·c), c = ½(1 + cos πp).

    D: `first_steps` >= 1 (steps of the first one), g: `growth` >= 1 (an integer), r: `shrink` in (0, 1], p: the share
    of the current half cosine that is over, m: `min_lr` >= 0 (a learning rate, of the first one).
    `shrinks`: what r^i lowers: ``all`` as above, the ``range`` (lr = m + r^i·(base−m)·c) or the ``top``
    (lr = m + (r^i·base − m)·c).
    Raises TypeError or ValueError outside these ranges, and when called with base_lr < m.
    Source: Loshchilov & Hutter 2017 (SGDR); torch CosineAnnealingWarmRestarts; fairseq 0.12.2,
    fairseq/optim/lr_scheduler/cosine_lr_scheduler.py, lr_shrink (all); Keras 3.15.1, CosineDecayRestarts, m_mul
    (range); timm 1.0.31, timm/scheduler/cosine_lr.py, cycle_decay (top).

    >>> WarmRestartsDecay(2, growth=2, shrink=0.5)([0, 1, 2, 4, 6]).round(12).tolist()
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    slug_name = "restarts"
    first_steps: int = arg()
    growth: int = arg("g", default=1)
    shrink: float = arg("r", default=1.0)
    shrinks: str = arg("k", default="all")
    min_lr: float = arg("m", default=0.0, absolute=True)

    def _check(self) -> None:
        self._set("first_steps", step_count("first_steps", self.first_steps, 1))
        self._set("growth", integer("growth", self.growth, 1))
        self._set("shrink", real("shrink", self.shrink, high=1.0, above=0.0))
        one_of("shrinks", self.shrinks, SHRINKS)
        self._set("min_lr", real("min_lr", self.min_lr, low=0.0))

    def _at(self, n: Steps, base: float) -> Rates:
        low = checked_floor(self.min_lr, base)
        cycle, wave = (n // self.first_steps, half_cosine(n % self.first_steps, self.first_steps))
        if self.growth > 1:
            cycle, wave = self._growing(n)
        height = np.power(self.shrink, cycle.astype(np.float64))
        if self.shrinks == "range":
            return blend(base, low, height * wave)
        if self.shrinks == "top":
            return np.asarray(height * base * wave + low * (1.0 - wave))
        return np.asarray(height * blend(base, low, wave))

    def _growing(self, n: Steps) -> tuple[Steps, Rates]:
        """The number of restarts up to n, and the half cosine, where each is longer than the one before."""
        starts, lengths = [0], [self.first_steps]
        while starts[-1] + lengths[-1] <= n.max(initial=0):
            starts.append(starts[-1] + lengths[-1])
            lengths.append(lengths[-1] * self.growth)
        cycle, wave = np.zeros(n.shape, np.int64), np.empty(n.shape)
        for i, inside in segments(n, tuple(starts[1:])):
            cycle[inside], wave[inside] = i, half_cosine(n[inside] - starts[i], lengths[i])
        return cycle, wave


register(CosineRestartsDecay, WarmRestartsDecay)
