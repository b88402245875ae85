"""The runs on which alarm rules are fitted and evaluated: near the edge of stability of each schedule."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from statistics import median_low

import numpy as np
from numpy.typing import NDArray

from bench.sweep.options import rates
from bench.sweep.schedules import pair
from bench.toy.measures import max_stable_lr, stable
from reference.check import Steps

from .outcome import FAILURES, LEARNED, TOO_SLOW, Outcome, learned_at, outcome
from .runs import Plan, Records, Report, train

#: A run is near the edge if its LR is within this factor of its schedule's largest stable LR.
NEAR = 3.0
#: LRs are rounded to 4 digits.
ROUNDING = 1e-3


@dataclasses.dataclass(frozen=True)
class Population:
    """Runs of one model and one length: decays × linear warmups × LRs × seeds."""

    name: str
    config: str
    norm: str
    steps: int
    decays: tuple[str, ...]
    warmups: tuple[int, ...]
    lrs: tuple[float, ...]
    seeds: tuple[int, ...]

    @property
    def schedules(self) -> list[str]:
        """The slugs of the schedules."""
        return [pair("linear", w, decay, self.steps).slug for decay in self.decays for w in self.warmups]

    def plans(self) -> list[Plan]:
        """All runs, ordered by schedule, LR and seed."""
        grid = itertools.product(self.schedules, self.lrs, self.seeds)
        return [Plan(self.config, self.norm, self.steps, slug, lr, seed) for slug, lr, seed in grid]


def _seeds(first: int, count: int) -> tuple[int, ...]:
    return tuple(range(first, first + count))


TRAINING = Population(
    "training runs",
    "small16",
    "post",
    200,
    ("cosine", "hold"),
    (0, 2, 10, 20, 50, 100),
    rates(0.00707, 0.08, 8),
    _seeds(0, 8),
)
#: The first differs from the training runs in seeds, warmups and LRs; the others also in length or model.
FRESH = (
    Population(
        "fresh seeds",
        "small16",
        "post",
        200,
        ("cosine", "hold"),
        (0, 5, 15, 30, 70),
        rates(0.006, 0.068, 8),
        _seeds(5000, 4),
    ),
    Population(
        "400 steps", "small16", "post", 400, ("cosine",), (0, 20, 100), rates(0.00707, 0.0566, 7), _seeds(5000, 4)
    ),
    Population("pre-LN", "small16", "pre", 200, ("cosine",), (0, 10, 50), rates(0.01, 0.16, 9), _seeds(5000, 4)),
    Population("d=32", "small32", "post", 200, ("cosine",), (0, 10, 50), rates(0.005, 0.04, 7), _seeds(5000, 4)),
    Population("d=32, pre-LN", "small32", "pre", 200, ("cosine",), (0, 10), rates(0.005, 0.08, 9), _seeds(5000, 3)),
)


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """The runs of a population near the edge, and how each ended."""

    population: Population
    plans: list[Plan]
    records: Records
    outcomes: list[Outcome]

    def ended(self, *kinds: str) -> NDArray[np.bool_]:
        """Which runs ended in one of these ways."""
        return np.array([outcome.kind in kinds for outcome in self.outcomes], dtype=bool)

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Which runs failed."""
        return self.ended(*FAILURES)

    @property
    def good(self) -> NDArray[np.bool_]:
        """Which runs learned the task."""
        return self.ended(LEARNED)


def learned_by(records: Records, rows: Steps) -> int | None:
    """The step by which a good run is at or below 1.0: the median over the runs that learned; None if none did."""
    good = rows[stable(records.final[rows])]
    return int(np.median(learned_at(records.losses[good]))) if good.size else None


def sample(population: Population, folder: Path | None = None, report: Report = lambda done, total: None) -> Sample:
    """Train a population, find the edge of stability of each schedule, and keep the runs near it.

    The edge is the largest LR that learned the task (lower median over the seeds), or the lowest LR if half of the
    seeds learned at none. The step by which a run should have learned is taken from the good runs of its schedule,
    or of the whole population if its schedule has none.
    """
    plans = population.plans()
    records = train(plans, folder, report)
    shape = (len(population.schedules), len(population.lrs), len(population.seeds))
    finals = records.final.reshape(shape)
    index = np.arange(len(plans)).reshape(shape)
    overall = learned_by(records, index.ravel())
    kept: list[int] = []
    outcomes: list[Outcome] = []
    for k in range(shape[0]):
        largest = max_stable_lr(finals[k].T, population.lrs).tolist()
        edge = median_low(largest) or population.lrs[0]
        own = learned_by(records, index[k].ravel())
        slowest = _least_learning(finals[k])
        for i, j in np.ndindex(shape[1:]):
            lr, row = population.lrs[i], int(index[k, i, j])
            if edge / NEAR / (1 + ROUNDING) <= lr <= edge * NEAR * (1 + ROUNDING):
                by = overall if own is None else own
                ending = outcome(records.losses[row], float(records.final[row]), by)
                kept.append(row)
                outcomes.append(Outcome(TOO_SLOW, None) if ending.failed and i < slowest else ending)
    return Sample(population, [plans[row] for row in kept], records[kept], outcomes)


def _least_learning(finals: NDArray[np.float64]) -> int:
    """The index of the lowest LR at which a run learned the task: below it a high loss means that a run is slow."""
    learned = stable(finals).any(1)
    return int(learned.argmax()) if learned.any() else 0
