"""Twin of ReduceLROnPlateau, given the metrics that it will be shown.

Source: docstring of ``torch/optim/lr_scheduler.py``, release 2.13.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from .check import Rates, Steps, integer, one_of, real
from .schedule import Schedule, arg, schedule
from .shapes import levels
from .slug import register


def _metrics(values: object) -> tuple[float, ...]:
    """The metrics as floats; raises for anything that is no finite real number."""
    if not isinstance(values, tuple | list):
        raise TypeError(f"metrics={values!r} must be a list or tuple of numbers")
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" and array.size:  # not all numbers: find the first that is none
        return tuple(real(f"metrics[{i}]", m) for i, m in enumerate(values))
    wrong = ~np.isfinite(array)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"metrics[{at}]={values[at]!r} must be finite")
    return tuple(array.astype(np.float64).tolist())


@schedule
class ReduceLROnPlateau(Schedule):
    """The LR is multiplied by `factor` when the metric has not improved for more than `patience` steps.

    lr(t) follows the first t metrics: ``metrics[k]`` is the argument of step call k + 1.
    A metric m improves on the best b if m < b·(1 − threshold) (rel) or m < b − threshold (abs);
    mode "max" mirrors both.  After a reduction, `cooldown` steps are not counted as bad.
    A reduction goes to max(lr·factor, min_lr), and is left out if it changes the LR by `eps` or less.
    Raises ValueError for a step beyond the metrics.

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
        self._set("metrics", _metrics(self.metrics))
        one_of("mode", self.mode, ("min", "max"))
        one_of("threshold_mode", self.threshold_mode, ("rel", "abs"))
        self._set("factor", real("factor", self.factor, below=1.0))
        for name in ("patience", "cooldown"):
            self._set(name, integer(name, getattr(self, name)))
        for name in ("threshold", "min_lr", "eps"):
            self._set(name, real(name, getattr(self, name)))

    def _bar(self, best: float) -> float:
        """A metric must be strictly better than this to improve on `best`."""
        sign = 1.0 if self.mode == "min" else -1.0
        if self.threshold_mode == "rel":
            return best * (1.0 - sign * self.threshold)
        return best - sign * self.threshold

    def _improvements(self, metrics: Rates) -> Iterator[int]:
        """The indices of the metrics that improve on the best before them.

        A metric better than the bar is also the best so far from there on, so the next one
        is found by bisection in the running best instead of by looking at every metric.
        """
        sign = 1.0 if self.mode == "min" else -1.0
        falling = np.minimum.accumulate(sign * metrics)
        at = 0
        while at < metrics.size:
            yield at
            bar = sign * self._bar(float(metrics[at]))
            # first index where falling < bar, i.e. where −falling > −bar; −falling never falls
            at = max(at + 1, int(np.searchsorted(-falling, -bar, "right")))

    @functools.cached_property
    def _reductions(self) -> list[int]:
        """The step calls (counted from 1) at which a reduction is due; worked out once."""
        due: list[int] = []
        cooling = 0
        improved = list(self._improvements(np.array(self.metrics)))
        for at, until in zip(improved, [*improved[1:], len(self.metrics)], strict=True):
            cooling = max(0, cooling - 1)  # the improving step itself counts down too
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
        return levels(t, steps, rates)

    def _ladder(self, base: float) -> tuple[tuple[int, ...], Rates]:
        """The steps at which the LR falls and the LR before, between and after them; kept for the last base."""
        kept = self.__dict__.get("_last_ladder")
        if kept is not None and kept[0] == base:
            return kept[1], kept[2]
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
