"""The expected schedule with other lengths, as a configuration with other numbers would have built it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from reference import (
    Decay,
    ExponentialDecay,
    InverseSqrtDecay,
    MultiStepDecay,
    StableDecay,
    StepDecay,
    WarmupDecay,
)
from reference.check import Rates, Steps

from .anatomy import SAME, Anatomy, decay_length, resized, with_length
from .evidence import LRFunction

#: Configurations give a phase as a share of the run, to this fraction: 0.1, 0.15, 0.85.
SHARE = 0.01
#: Residuals in units of the tolerance up to which a length is possible: as much as a fit is allowed.
POSSIBLE = 1.2


def decays_behind(expected: Anatomy, warmup_steps: int, total: int) -> list[Decay]:
    """The decay of a run of `total` steps behind a warmup: phases as shares of the run, or of their own length.

    The forms come in the same order for every total; some are equal.
    """
    pair, old = expected.pair, expected.total
    if pair is None or old is None or total <= 0:
        return []
    decay, ratio, old_length = pair.decay, total / old, decay_length(pair.decay)
    if isinstance(decay, StepDecay):
        sizes = _integers_near(decay.step_size * ratio)
        return [dataclasses.replace(decay, step_size=max(1, size)) for size in sizes]
    if isinstance(decay, MultiStepDecay):
        near = [_integers_near(m * ratio) for m in decay.milestones]
        return [dataclasses.replace(decay, milestones=tuple(each)) for each in zip(*near, strict=True)]
    if isinstance(decay, InverseSqrtDecay):
        return [InverseSqrtDecay(warmup_steps)] if decay.timescale == expected.warmup_steps and warmup_steps else []
    if isinstance(decay, ExponentialDecay) and decay.gamma is not None:
        return [ExponentialDecay(gamma=float(decay.gamma ** (1 / ratio)))]
    if old_length is None:
        return []
    length = round(old_length * ratio)
    if old_length == old - expected.warmup_steps:
        length = total - warmup_steps
    if length <= 0:
        return []
    if not isinstance(decay, StableDecay):
        other = with_length(decay, length)
        return [] if other is None else [other]
    share = round(decay.decay_steps / old / SHARE) * SHARE
    falls = (int(share * total + 1e-9), round(share * total), round(decay.decay_steps * ratio), decay.decay_steps)
    return [
        dataclasses.replace(decay, stable_steps=length - fall, decay_steps=fall)
        for fall in (max(1, min(fall, length)) for fall in falls)
    ]


def _integers_near(value: float) -> list[int]:
    """The integers that rounding a product can give: down, to the nearest, up."""
    return [int(value), round(value), int(value) + 1]


def warmups_of(expected: Anatomy, steps: int) -> list[WarmupDecay]:
    """The expected pair with a warmup of another length; its first LR may follow from the length, as in family F."""
    pair = expected.pair
    if pair is None or steps < 0:
        return []
    others = [dataclasses.replace(pair, warmup=resized(pair.warmup, steps))]
    if expected.warmup_steps and abs(pair.warmup.start_factor * (expected.warmup_steps + 1) - 1) < SAME:
        others.insert(0, dataclasses.replace(pair, warmup=resized(pair.warmup, steps, start_factor=1 / (steps + 1))))
    return others


def rescaled(expected: Anatomy, warmup_steps: int, total: int) -> Iterator[WarmupDecay]:
    """The expected pair with both lengths changed."""
    for pair in warmups_of(expected, warmup_steps):
        for decay in dict.fromkeys(decays_behind(expected, warmup_steps, total)):
            yield dataclasses.replace(pair, decay=decay)


def possible(
    curve_of: Callable[[int], LRFunction | None],
    rows: tuple[Steps, Rates, NDArray[np.float64]],
    low: int,
    high: int,
) -> range:
    """The lengths from `low` to `high` whose curve passes all rows within tolerance, where a larger one is higher.

    Two bisections; empty where no length fits.
    """
    t, y, tol = rows
    if not t.size or high < low:
        return range(0)

    def residuals(length: int) -> NDArray[np.float64]:
        at = curve_of(length)
        return np.full(t.shape, np.nan) if at is None else np.asarray((at(t) - y) / tol)

    def first(enough: Callable[[int], bool]) -> int:
        a, b = low, high + 1
        while a < b:
            middle = (a + b) // 2
            a, b = (a, middle) if enough(middle) else (middle + 1, b)
        return a

    start = first(lambda length: bool(residuals(length).min() >= -POSSIBLE))
    if start > high or not residuals(start).max() <= POSSIBLE:
        return range(0)
    return range(start, first(lambda length: bool(residuals(length).max() > POSSIBLE)))


def roundest(numbers: range) -> list[int]:
    """Members of a range to try: its middle, and the one with the most trailing zeros.

    >>> roundest(range(953, 1049)), roundest(range(7, 8))
    ([1001, 1000], [7])
    """
    if not numbers:
        return []
    middle = numbers[len(numbers) // 2]
    unit = 1
    while numbers[-1] // (10 * unit) * 10 * unit >= numbers[0]:
        unit *= 10
    nearest = max(min(round(middle / unit) * unit, numbers[-1] // unit * unit), -(-numbers[0] // unit) * unit)
    return list(dict.fromkeys((middle, nearest)))
