"""What a public schedule is: a plain function of the scheduler's counter, with the release it was read in.

Nothing here knows the rules of the diagnosis or the closed forms of `reference`: the functions were written from the
libraries' own files, so a mistake in our picture of a library cannot be in both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol


@dataclasses.dataclass(frozen=True)
class PublicPlan:
    """What a user writes into a configuration, in the unit that the scheduler counts.

    `base`: the LR at the peak; `warmup`, `total`: steps; `floor`: the last LR as a share of `base`.
    """

    base: float
    warmup: int
    total: int
    floor: float = 0.0

    @property
    def decay(self) -> int:
        """The steps after the warmup."""
        return self.total - self.warmup


#: The LR after `t` calls of the scheduler's step().
Formula = Callable[[int, PublicPlan], float]


class SteppedScheduler(Protocol):
    """A scheduler as a training loop sees it."""

    @property
    def lr(self) -> float:
        """The LR that the next update uses."""
        ...

    def update(self) -> None:
        """Call optimizer.step()."""
        ...

    def step(self) -> None:
        """Call scheduler.step()."""
        ...


@dataclasses.dataclass
class CountingScheduler:
    """A formula behind a counter, as LambdaLR is: `count` calls of step() so far."""

    formula: Formula
    plan: PublicPlan
    count: int = 0

    @property
    def lr(self) -> float:
        """The formula at the counter."""
        return self.formula(self.count, self.plan)

    def update(self) -> None:
        """Nothing: no scheduler of this kind looks at the optimizer."""

    def step(self) -> None:
        """Count."""
        self.count += 1


@dataclasses.dataclass(frozen=True)
class PublicSchedule:
    """A schedule of a library.

    `start`: makes its scheduler; `formula`: its LRs by counter, None where torch's own scheduler runs;
    `after_end`: what it does when the run is longer than its total: ``stays`` at the last LR, ``rises`` again,
    turns ``negative``, ``restarts``, ``unended`` (it has no total) or ``fails`` (an exception);
    `floors`: whether it has a floor; `tells_base`: whether the user's base LR is the peak (not so in the Noam form,
    whose peak follows from the model's width); `warms`: whether it has a rising warmup at all.
    """

    name: str
    source: str
    start: Callable[[PublicPlan], SteppedScheduler]
    after_end: str
    formula: Formula | None = None
    floors: bool = False
    tells_base: bool = True
    warms: bool = True


#: Every schedule by name; the modules beside this one fill it.
SCHEDULES: dict[str, PublicSchedule] = {}


def public(
    name: str,
    source: str,
    after_end: str,
    *,
    floors: bool = False,
    tells_base: bool = True,
    warms: bool = True,
) -> Callable[[Formula], Formula]:
    """Register the decorated function as a schedule; the arguments are the fields of `PublicSchedule`."""

    def register(formula: Formula) -> Formula:
        def start(plan: PublicPlan) -> SteppedScheduler:
            return CountingScheduler(formula, plan)

        SCHEDULES[name] = PublicSchedule(name, source, start, after_end, formula, floors, tells_base, warms)
        return formula

    return register
