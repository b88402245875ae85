"""Twin of ReduceLROnPlateau for a known sequence of metrics.

Source: the docstring in ``torch/optim/lr_scheduler.py``, release 2.13.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from .check import Rates, Steps, integer, one_of, real
from .schedule import Schedule, arg, schedule
from .shapes import staircase
from .slug import register


def _checked_metrics(values: object) -> tuple[float, ...]:
    """Return the metrics as floats; raise unless all are finite real numbers."""
    if not isinstance(values, tuple | list):
        raise TypeError(f"metrics={values!r} must be a list or tuple of numbers")
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" and array.size:  # let `real` name the first entry that is not a number
        return tuple(real(f"metrics[{i}]", m) for i, m in enumerate(values))
    not_finite = ~np.isfinite(array)
    if not_finite.any():
        at = int(np.argmax(not_finite))
        raise ValueError(f"metrics[{at}]={values[at]!r} must be finite")
    return tuple(array.astype(np.float64).tolist())


@schedule
class ReduceLROnPlateau(Schedule):
    """Multiplies the LR by `factor` when the metric has not improved for more than `patience` steps.

    lr(t) depends on the first t metrics: ``metrics[k]`` is the argument of the (k + 1)th call of step().
    A metric m improves on the best b if m < b·(1 − threshold) (rel) or m < b − threshold (abs);
    mode "max" mirrors both. After a reduction, the next `cooldown` steps do not count as bad.
    A reduction goes to max(lr·factor, min_lr) and is skipped if it changes the LR by `eps` or less.
    Raises TypeError or ValueError for bad arguments, and ValueError for a step beyond the metrics.

    >>> ReduceLROnPlateau((1.0, 1.0, 1.0, 1.0), factor=0.5, patience=1).trace(5).tolist()
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    metrics: tuple[float, ...] = arg()
    mode: str = arg("o", default="min")
    factor: float = arg("f", default=0.1)
    patience: int = arg("p", default=10)
    threshold: float = arg("t", default=1e-4)
    threshold_mode: str = arg("u", default="rel")
    cooldown: int = arg("c", default=0)
    min_lr: float = arg("m", default=0.0, absolute=True, per_group=True)
    eps: float = arg("e", default=1e-8, absolute=True)
    slug_name = "reducelronplateau"

    def _check(self) -> None:
        self._set("metrics", _checked_metrics(self.metrics))
        one_of("mode", self.mode, ("min", "max"))
        one_of("threshold_mode", self.threshold_mode, ("rel", "abs"))
        self._set("factor", real("factor", self.factor, below=1.0))
        for name in ("patience", "cooldown"):
            self._set(name, integer(name, getattr(self, name)))
        for name in ("threshold", "min_lr", "eps"):
            self._set(name, real(name, getattr(self, name)))

    def _bar(self, best: float) -> float:
        """The value that a metric must beat, strictly, to improve on `best`."""
        sign = 1.0 if self.mode == "min" else -1.0
        if self.threshold_mode == "rel":
            return best * (1.0 - sign * self.threshold)
        return best - sign * self.threshold

    def _improvements(self, metrics: Rates) -> Iterator[int]:
        """The indices of the metrics that improve on the best before them.

        The first metric to beat the bar is also a new running best, so bisection in the running best
        finds it without looking at every metric.
        """
        sign = 1.0 if self.mode == "min" else -1.0
        running_best = np.minimum.accumulate(sign * metrics)
        at = 0
        while at < metrics.size:
            yield at
            bar = sign * self._bar(float(metrics[at]))
            # The first index where running_best < bar, that is −running_best > −bar; −running_best is ascending.
            at = max(at + 1, int(np.searchsorted(-running_best, -bar, "right")))

    @functools.cached_property
    def _reductions(self) -> list[int]:
        """The calls of step(), counted from 1, at which a reduction is due; computed once."""
        due: list[int] = []
        cooling = 0
        improved = list(self._improvements(np.array(self.metrics)))
        for at, until in zip(improved, [*improved[1:], len(self.metrics)], strict=True):
            cooling = max(0, cooling - 1)  # the improving step counts towards the cooldown too
            bad = until - at - 1
            first = cooling + self.patience + 1
            period = self.cooldown + self.patience + 1
            count = 0 if bad < first else 1 + (bad - first) // period
            due += [at + 1 + first + k * period for k in range(count)]
            since = bad - (first + (count - 1) * period) if count else bad
            cooling = max(0, (self.cooldown if count else cooling) - since)
        return due

    def _values(self, t: Steps, base: float) -> Rates:
        if t.max(initial=0) > len(self.metrics):
            raise ValueError(f"step={int(t.max())} must be <= {len(self.metrics)}, the number of metrics")
        steps, rates = self._ladder(base)
        return staircase(t, steps, rates)

    def _ladder(self, base: float) -> tuple[tuple[int, ...], Rates]:
        """The steps at which the LR drops, and the LR before, between and after them; cached for the last base LR."""
        cached = self.__dict__.get("_last_ladder")
        if cached is not None and cached[0] == base:
            return cached[1], cached[2]
        steps, rates, lr = list[int](), [base], base
        for call in self._reductions:
            lower = max(lr * self.factor, self.min_lr)
            if lr - lower > self.eps:
                lr = lower
                steps.append(call)
                rates.append(lr)
        self._set("_last_ladder", (base, tuple(steps), np.array(rates)))
        return tuple(steps), np.array(rates)

    def _multiplies_until(self) -> float:
        return -1


register(ReduceLROnPlateau)
