"""Faults planted in a schedule, and which number reports each; an unchanged schedule must not be reported.

Each fault is trained as the asv benchmark trains, and so is the unchanged schedule, again and again, with every
initial weight moved by at most a unit in its last place: as much as another CPU or torch release does by rounding.
On one CPU and release an unchanged schedule gives the same bits, which is an easier test.

Which number can report which fault (the measured values are in results/stability/faults.csv):

* `steps_off` has no noise and reports every fault of a schedule; it sees nothing else.
* `early_loss` moves by some 1e-6 between CPUs: it reports whatever changes the first 10 steps (also of the model, the
  data or the optimizer), so a warmup halved, dropped or one step late, and no fault of the decay.
* `inverse_edge` and `lr_sensitivity` move by 1 to 2 % between CPUs: they report a warmup halved or dropped and a decay
  that never starts. A decay of twice the run is just beyond the threshold of the sensitivity alone. A schedule one
  step late of 200 moves them by 3 to 4 %, which no number of this size can tell from rounding between CPUs.
* On one CPU and release every number is compared exactly, and each fault changes at least one.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np

import reference as ref
from bench.toy.batched.stability import Numbers, Profile, numbers_of, schedules, train
from bench.toy.config import Config, named
from bench.toy.promised import TOTAL_STEPS, WARMUP_STEPS
from reference.check import Rates

from .asv_results import is_beyond, threshold_of

WARMUP = "linear"
#: The numbers that can report a fault.
WATCHED = ("steps_off", "early_loss", "inverse_edge", "lr_sensitivity")
#: A threshold is this many standard deviations of the difference of two runs: with 4, one false report is expected
#: in some 16 000 numbers.
DEVIATIONS = 4.0


def _linear(warmup: int, total: int) -> Rates:
    """Linear warmup and cosine over `total` steps, at the steps that are trained."""
    return ref.family("B", ref.LinearWarmup(warmup), ref.CosineDecay(total - warmup)).trace(TOTAL_STEPS)


def _late(factors: Rates) -> Rates:
    return np.concatenate([[0.0], factors[:-1]])


def _held(factors: Rates) -> Rates:
    return np.concatenate([factors[:WARMUP_STEPS], np.ones(TOTAL_STEPS - WARMUP_STEPS)])


#: From the right schedule to the faulty one.
FAULTS: dict[str, Callable[[Rates], Rates]] = {
    "warmup halved": lambda factors: _linear(WARMUP_STEPS // 2, TOTAL_STEPS),
    "warmup dropped": lambda factors: _linear(0, TOTAL_STEPS),
    "one step late": _late,
    "decay of twice the run": lambda factors: _linear(WARMUP_STEPS, 2 * TOTAL_STEPS),
    "decay that never starts": _held,
}


@dataclasses.dataclass(frozen=True)
class Power:
    """The numbers of the unchanged schedule, of each fault, and of each repeat of the unchanged schedule."""

    unchanged: Numbers
    faults: dict[str, Numbers]
    repeats: list[Numbers]

    def reports(self, numbers: Numbers, patterns: Mapping[str, float]) -> list[str]:
        """The watched numbers that would be reported as changed."""
        return [
            name
            for name in WATCHED
            if is_beyond(self.unchanged[name], numbers[name], threshold_of(full_name(name), patterns))
        ]

    def missed(self, patterns: Mapping[str, float]) -> list[str]:
        """The faults that no number reports."""
        return [fault for fault, numbers in self.faults.items() if not self.reports(numbers, patterns)]

    def false_reports(self, patterns: Mapping[str, float]) -> int:
        """The number of repeats of the unchanged schedule that some number reports."""
        return sum(bool(self.reports(numbers, patterns)) for numbers in self.repeats)

    def spread(self, name: str) -> float:
        """The standard deviation of a number's logarithm between runs that differ by rounding alone."""
        logs = [math.log(numbers[name]) for numbers in (self.unchanged, *self.repeats)]
        return float(np.std(logs, ddof=1)) if self.repeats else math.nan

    def needed(self, name: str) -> float:
        """The threshold that follows from the spread: `DEVIATIONS` of the difference of two runs."""
        return math.expm1(DEVIATIONS * math.sqrt(2) * self.spread(name))


def full_name(number: str) -> str:
    """The name of a number in asv.

    >>> full_name("steps_off")
    "stability.Stability.track_steps_off('linear')"
    """
    return f"stability.Stability.track_{number}({WARMUP!r})"


def measured(
    profile: Profile, repeats: int, report: Callable[[str], None] = lambda line: None, config: Config | None = None
) -> Power:
    """Train the unchanged schedule, every fault and the repeats; `report` gets a line before each part."""
    config, right = config or named("small16"), schedules()[WARMUP]
    report(f"the unchanged schedule and {len(FAULTS)} faults")
    trained = train(config, {"": right, **{name: plant(right) for name, plant in FAULTS.items()}}, profile)
    numbers = {name: numbers_of(runs, WARMUP, profile, WARMUP_STEPS, TOTAL_STEPS) for name, runs in trained.items()}
    again = []
    for k in range(repeats):
        report(f"unchanged, repeat {k + 1} of {repeats}")
        runs = train(config, {"": right}, profile, redraw=k)[""]
        again.append(numbers_of(runs, WARMUP, profile, WARMUP_STEPS, TOTAL_STEPS))
    return Power(numbers.pop(""), numbers, again)
