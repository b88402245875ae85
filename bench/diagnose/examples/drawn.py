"""What the benchmark draws: a run with its setting, and the healthy run beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from reference import Schedule

from .loops import Log
from .setting import Setting

Rng = np.random.Generator


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A run: its setting, its log, the healthy LR of any step, and the schedule that the user expects.

    `plain`: the setting is an ordinary warmup and decay, so that its numbers alone say what is healthy.
    """

    setting: Setting
    log: Log
    healthy: Callable[[int], float]
    expected: Schedule
    plain: bool = True


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of mistake: how it is drawn, the cause that is right, and what the diagnosis may be told."""

    cause: str
    draw: Callable[[Rng], Drawn | None]
    modes: tuple[str, ...] = ("expect",)


def run(setting: Setting, log: Log, expected: Schedule | None = None, *, plain: bool = True) -> Drawn:
    """The draw of a log under a setting."""
    return Drawn(setting, log, setting.lr, setting.expected() if expected is None else expected, plain)


def small(rng: Rng, most: int) -> int:
    """A small whole number >= 1, mostly 1 or 2."""
    return int(min(most, rng.geometric(0.45)))
