"""Twins of CosineAnnealingLR, CosineAnnealingWarmRestarts and SWALR, whose end value is a learning rate.

Sources: the docstrings in ``torch/optim/lr_scheduler.py`` and ``torch/optim/swa_utils.py``, release 2.13;
Loshchilov & Hutter 2017 (SGDR), section 3; Izmailov et al. 2018 (SWA), section 3.2.
Every class raises TypeError or ValueError for arguments outside the documented types and ranges.
"""

from __future__ import annotations

import numpy as np

from .check import Rates, Steps, integer, one_of, real
from .schedule import Schedule, arg, schedule
from .shapes import blend, half_cosine, segments
from .slug import register


@schedule
class CosineAnnealingLR(Schedule):
    """Half a cosine from the base LR to eta_min over T_max steps; after T_max it rises again.

    lr(t) = eta_min + (base_lr − eta_min)·½(1 + cos(πt/T_max)); T_max >= 1

    Inside a chain it follows the documented recursion: with h(t) = ½(1 + cos(πt/T_max)) and A = h(t)/h(t−1),
    lr ← A·lr + eta_min·(1 − A).
    One step after each minimum, where h(t−1) is 0, torch adds (base_lr − eta_min)·h(t) instead.

    >>> CosineAnnealingLR(2).trace(4).round(12).tolist()
    [1.0, 0.5, 0.0, 0.5]
    """

    T_max: int = arg()
    eta_min: float = arg("m", default=0.0, absolute=True)
    slug_name = "cosineannealinglr"

    def _check(self) -> None:
        self._set("T_max", integer("T_max", self.T_max, 1))
        self._set("eta_min", real("eta_min", self.eta_min))

    def _values(self, t: Steps, base: float) -> Rates:
        return blend(base, self.eta_min, half_cosine(t, self.T_max))

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        now = half_cosine(t, self.T_max)
        before = half_cosine(np.maximum(t - 1, 0), self.T_max)
        after_minimum = (t - 1) % (2 * self.T_max) == self.T_max
        slope = np.where(after_minimum, 1.0, now / np.where(after_minimum, 1.0, before))
        slope = np.where(t == 0, 1.0, slope)
        offset = np.where(after_minimum, (base - self.eta_min) * now, self.eta_min * (1.0 - slope))
        return slope, np.where(t == 0, 0.0, offset)

    def _multiplies_until(self) -> float:
        return self.T_max if self.eta_min == 0 else -1


@schedule
class CosineAnnealingWarmRestarts(Schedule):
    """Cosine cycles that restart from the base LR, each `T_mult` times as long as the one before.

    lr(t) = eta_min + (base_lr − eta_min)·½(1 + cos(π T_cur/T_i))
    T_cur: steps since the restart; T_i = T_0·T_mult^i: length of cycle i; T_0 >= 1, T_mult >= 1.

    >>> CosineAnnealingWarmRestarts(2).trace(4).round(12).tolist()
    [1.0, 0.5, 1.0, 0.5]
    """

    T_0: int = arg()
    T_mult: int = arg("x", default=1)
    eta_min: float = arg("m", default=0.0, absolute=True)
    slug_name = "warmrestarts"

    def _check(self) -> None:
        self._set("T_0", integer("T_0", self.T_0, 1))
        self._set("T_mult", integer("T_mult", self.T_mult, 1))
        self._set("eta_min", real("eta_min", self.eta_min))

    def _values(self, t: Steps, base: float) -> Rates:
        if self.T_mult == 1:
            return blend(base, self.eta_min, half_cosine(t % self.T_0, self.T_0))
        starts, lengths = [0], [self.T_0]
        while starts[-1] + lengths[-1] <= t.max(initial=0):
            starts.append(starts[-1] + lengths[-1])
            lengths.append(lengths[-1] * self.T_mult)
        values = np.empty(t.shape)
        for i, inside in segments(t, tuple(starts[1:])):
            values[inside] = half_cosine(t[inside] - starts[i], lengths[i])
        return blend(base, self.eta_min, values)

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        return np.zeros(t.shape), self._values(t, base)

    def _multiplies_until(self) -> float:
        return -1


@schedule
class SWALR(Schedule):
    """From the base LR to swa_lr over `anneal_epochs` steps, then constant.

    lr(t) = base_lr·(1 − α(t)) + swa_lr·α(t), α(t) = p or ½(1 − cos πp), p = min(1, t/anneal_epochs)

    >>> SWALR(0.1, anneal_epochs=2, anneal_strategy="linear").trace(4).tolist()
    [1.0, 0.55, 0.1, 0.1]
    """

    swa_lr: float = arg(absolute=True, per_group=True)
    anneal_epochs: int = arg("n", default=10)
    anneal_strategy: str = arg("a", default="cos")
    slug_name = "swalr"

    def _check(self) -> None:
        self._set("swa_lr", real("swa_lr", self.swa_lr))
        self._set("anneal_epochs", integer("anneal_epochs", self.anneal_epochs))
        one_of("anneal_strategy", self.anneal_strategy, ("cos", "linear"))

    def _kept(self, t: Steps) -> Rates:
        """1 − α(t): the remaining share of the base LR."""
        n = self.anneal_epochs
        if n == 0:
            return np.zeros(t.shape)
        if self.anneal_strategy == "cos":
            return half_cosine(np.minimum(t, n), n)
        return np.asarray(np.maximum(n - t, 0) / n)

    def _values(self, t: Steps, base: float) -> Rates:
        return blend(base, self.swa_lr, self._kept(t))

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        now = self._kept(t)
        before = np.where(t > 0, self._kept(np.maximum(t - 1, 0)), 1.0)
        slope = np.where(before > 0, now / np.where(before > 0, before, 1.0), 0.0)
        return slope, self.swa_lr * (1.0 - slope)

    def _multiplies_until(self) -> float:
        return -1


register(CosineAnnealingLR, CosineAnnealingWarmRestarts, SWALR)
