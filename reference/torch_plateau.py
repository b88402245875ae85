"""Twin of ReduceLROnPlateau for a known sequence of metrics.

Source: the docstring in ``torch/optim/lr_scheduler.py``, release 2.13.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .check import Rates, Steps, integer, one_of, plain_repr, real
from .schedule import Schedule, arg, schedule
from .shapes import staircase
from .slug import register


def _checked_metrics(values: object) -> tuple[float, ...]:
    """Return the metrics as floats, infinite ones and NaN included; raise unless all are real numbers."""
    if not isinstance(values, tuple | list):
        raise TypeError(f"metrics={values!r} must be a list or tuple of numbers")
    plain = set(map(type, values)) <= {int, float}  # saves a look at each entry of a long list
    for i, value in enumerate(() if plain else values):
        if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
            raise TypeError(f"metrics[{i}]={plain_repr(value)} must be a real number")
    # Every NaN becomes the one object math.nan, because a tuple equals another only if its NaNs are the same objects.
    return tuple(math.nan if value != value else float(value) for value in values)


@schedule
class ReduceLROnPlateau(Schedule):
    """Multiplies the LR by `factor` when the metric has not improved for more than `patience` steps.

    lr(t) depends on the first t metrics: ``metrics[k]`` is the argument of the (k + 1)th call of step().
    A metric m improves on the best b if m < b·(1 − threshold) (rel) or m < b − threshold (abs);
    in mode "max" if m > b·(1 + threshold) or m > b + threshold. An improvement becomes the best.
    After a reduction, the next `cooldown` steps do not count as bad.
    A reduction goes to max(lr·factor, min_lr) and is skipped if it changes the LR by less than `eps`.

    How the docstring of torch is read where it is silent, or contradicts itself:

    * The formulas hold for every metric. For a best below 0, b·(1 − threshold) lies above b, so in "rel" mode a
      metric that is equal or slightly worse is an improvement, and becomes the best: a constant metric never reduces
      the LR, and the best may drift the wrong way. After a best of 0 any smaller metric improves.
    * The first metric is an improvement, whatever it is ("always considered good as there's no previous baseline").
    * NaN is never less or greater than a number, so it is a bad step. As the first metric it sets no baseline:
      the next number does.
    * An infinite metric follows the formulas: nothing improves on the best infinity; after the worst one as the
      first metric, every finite metric does, as long as ``1 − threshold`` is positive.
    * Apart from that, a metric equal to the best is no improvement, as `patience` says. (Its example says that the
      LR is not adjusted if the performance "remains the same"; a schedule for plateaus cannot mean that.)
    * min_lr limits reductions; an LR that is below it from the start stays there.

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
        self._set("factor", real("factor", self.factor, 0.0, below=1.0))
        for name in ("patience", "cooldown"):
            self._set(name, integer(name, getattr(self, name)))
        for name in ("threshold", "eps"):
            self._set(name, real(name, getattr(self, name), 0.0))
        self._set("min_lr", real("min_lr", self.min_lr))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpickle without validation, with the one NaN that all metrics share, so that copies are equal."""
        state["metrics"] = tuple(math.nan if metric != metric else metric for metric in state["metrics"])
        self.__dict__.update(state)

    def _bar(self, best: float) -> float:
        """The value that a metric must beat, strictly, to improve on `best`."""
        sign = 1.0 if self.mode == "min" else -1.0
        if self.threshold_mode == "rel":
            return best * (1.0 - sign * self.threshold)
        return best - sign * self.threshold

    def _improves(self, metric: float, best: float) -> bool:
        """Whether `metric` is an improvement on `best`; a `best` of NaN means that there is no baseline yet."""
        if math.isnan(best):
            return not math.isnan(metric)
        return metric < self._bar(best) if self.mode == "min" else metric > self._bar(best)

    def _improvements(self) -> Iterator[int]:
        """The indices of the metrics that improve on the best before them; the first always does."""
        best = math.nan
        for at, metric in enumerate(self.metrics):
            if at == 0 or self._improves(metric, best):
                best = metric
                yield at

    @functools.cached_property
    def _reductions(self) -> list[int]:
        """The calls of step(), counted from 1, at which a reduction is due; computed once."""
        due: list[int] = []
        cooling = 0
        improved = list(self._improvements())
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
            if lower < lr and lr - lower >= self.eps:
                lr = lower
                steps.append(call)
                rates.append(lr)
        self._set("_last_ladder", (base, tuple(steps), np.array(rates)))
        return tuple(steps), np.array(rates)

    def _multiplies_until(self) -> float:
        return -1


register(ReduceLROnPlateau)
