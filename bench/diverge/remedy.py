"""What would have prevented a failure: the smallest increase of the warmup or decrease of the LR that trains stably.

Both are found by a search over a few seeds and then checked with fresh ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from bench.toy.measures import FAILED_LOSS, stable
from reference import parse
from reference.check import Rates

from .change import FASTER, longer_warmups, lower_lrs
from .populations import learned_by
from .runs import Plan, Records, joined

#: A setup is stable if no run failed and at least this share learned the task.
LEARNED_SHARE = 0.75
#: Seeds of the search and of the check. A user's own seeds are lower and start at 0.
SEARCH_SEEDS = tuple(range(1000, 1004))
CHECK_SEEDS = tuple(range(1100, 1104))
#: The most candidates of each kind that are checked.
MOST_CHECKS = 3

#: Trains plans, all of one length.
Trainer = Callable[[Sequence[Plan]], Records]


class Trial(NamedTuple):
    """How the runs of one setup ended: the number of runs, and how many learned the task or failed."""

    schedule: str
    base_lr: float
    runs: int
    learned: int
    failed: int

    @property
    def stable(self) -> bool:
        """Whether no run failed and nearly all learned the task."""
        return self.failed == 0 and self.learned >= LEARNED_SHARE * self.runs


class TrainingSetup(NamedTuple):
    """A model, length, schedule and base LR: a plan without its seed."""

    config: str
    norm: str
    steps: int
    schedule: str
    base_lr: float

    def plans(self, seeds: Iterable[int]) -> list[Plan]:
        """One run per seed."""
        return [Plan(*self, seed) for seed in seeds]


@dataclasses.dataclass(frozen=True)
class Remedy:
    """What would have prevented a failure.

    * `warmup`: the shortest stable warmup at this LR, longer than before, and `lr`: the highest stable LR at this
      warmup, lower than before; both with the results of their check on fresh seeds, None if there is none;
    * `faster`: a higher LR that learned although no lower one did: the run was too slow, not unstable;
    * `tried`: all setups of the search;
    * `learned_by`: the step by which a good run of the search has a loss at or below 1.0, None without a good run.
    """

    warmup: Trial | None
    lr: Trial | None
    faster: Trial | None
    tried: tuple[Trial, ...]
    learned_by: int | None


def trial(setup: TrainingSetup, finals: Rates) -> Trial:
    """How the runs of a setup ended, from their validation losses.

    >>> setup = TrainingSetup("small16", "post", 200, "linear20+cosine180", 0.01)
    >>> trial(setup, np.array([0.02, 0.03, 0.5, 0.01])).stable
    True
    """
    failed = int((~(finals <= FAILED_LOSS)).sum())
    return Trial(setup.schedule, setup.base_lr, finals.size, int(stable(finals).sum()), failed)


def trials(
    setups: Sequence[TrainingSetup], seeds: Sequence[int], trainer: Trainer
) -> tuple[list[Trial], Records | None]:
    """Run each setup with these seeds; returns how they ended, and all records (None without a setup)."""
    if not setups:
        return [], None
    records = trainer([plan for setup in setups for plan in setup.plans(seeds)])
    finals = records.final.reshape(len(setups), len(seeds))
    return [trial(setup, row) for setup, row in zip(setups, finals, strict=True)], records


def candidates(setup: TrainingSetup) -> tuple[list[TrainingSetup], list[TrainingSetup]]:
    """The setups with longer warmups and those with lower LRs, the smallest change first."""
    warmups = longer_warmups(parse(setup.schedule), setup.steps)
    return (
        [setup._replace(schedule=slug) for slug in warmups],
        [setup._replace(base_lr=lr) for lr in lower_lrs(setup.base_lr)],
    )


def search(setup: TrainingSetup, trainer: Trainer) -> Remedy:
    """Try longer warmups and lower LRs on a few seeds, and check the stable ones on other seeds.

    If a change fails the check, the next one that was stable in the search is checked.
    """
    warmups, lrs = candidates(setup)
    tried, records = trials([*warmups, *lrs], SEARCH_SEEDS, trainer)
    parts = [] if records is None else [records]
    faster = None
    if not any(trial.learned for trial in tried):
        higher = [setup._replace(base_lr=float(f"{setup.base_lr * factor:.3g}")) for factor in FASTER]
        sped, more = trials(higher, SEARCH_SEEDS, trainer)
        faster = next((trial for trial in sped if trial.learned), None)
        tried += sped
        parts += [] if more is None else [more]
    everything = joined(parts)
    stable_trials = [trial for trial in tried if trial.stable]
    slugs = {trial.schedule for trial in stable_trials if trial.base_lr == setup.base_lr}
    rates = {trial.base_lr for trial in stable_trials if trial.schedule == setup.schedule}
    choices = [[s for s in warmups if s.schedule in slugs], [s for s in lrs if s.base_lr in rates]]
    (longer, lower), _ = checked(choices, trainer)
    return Remedy(longer, lower, faster, tuple(tried), learned_by(everything, np.arange(everything.final.size)))


def checked(choices: Sequence[Sequence[TrainingSetup]], trainer: Trainer) -> tuple[list[Trial | None], Records | None]:
    """The first setup of each list that is stable on the seeds of the check, or None; and the records of all checks.

    The first setups of all lists run together, then the second ones of the lists whose first was not stable, and so on.
    The records are None if there was nothing to check.
    """
    passed: list[Trial | None] = [None for _ in choices]
    parts: list[Records] = []
    for turn in range(MOST_CHECKS):
        pending = [i for i, setups in enumerate(choices) if passed[i] is None and turn < len(setups)]
        results, records = trials([choices[i][turn] for i in pending], CHECK_SEEDS, trainer)
        for i, result in zip(pending, results, strict=True):
            passed[i] = result if result.stable else None
        parts += [] if records is None else [records]
    return passed, joined(parts) if parts else None
