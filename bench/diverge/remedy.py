"""What would have held: the shortest longer warmup, and the highest lower LR, found by running and checked anew."""

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

#: A setting holds where no run failed and at least this share learned the task.
HOLDS_SHARE = 0.75
#: Seeds of the search and of the check. A user's own begin at 0 and stay below.
SEARCH_SEEDS = tuple(range(1000, 1004))
CHECK_SEEDS = tuple(range(1100, 1104))
#: So many candidates of each kind are checked before it is given up.
MOST_CHECKS = 3

#: Trains plans, all of one length.
Trainer = Callable[[Sequence[Plan]], Records]


class Trial(NamedTuple):
    """How the runs of one setting ended: how many there were, how many learned the task, how many failed."""

    schedule: str
    base_lr: float
    runs: int
    learned: int
    failed: int

    @property
    def holds(self) -> bool:
        """Whether none failed and nearly all learned the task."""
        return self.failed == 0 and self.learned >= HOLDS_SHARE * self.runs


class TrainingSetup(NamedTuple):
    """What is run: a plan without its seed."""

    config: str
    norm: str
    steps: int
    schedule: str
    base_lr: float

    def plans(self, seeds: Iterable[int]) -> list[Plan]:
        """A run for each seed."""
        return [Plan(*self, seed) for seed in seeds]


@dataclasses.dataclass(frozen=True)
class Remedy:
    """What would have held a setting that failed.

    `warmup`: the shortest longer warmup at this LR, `lr`: the highest lower LR at this warmup, each as the fresh
    seeds of its check ended; None where none was found. `faster`: a higher LR that learned where no lower one did:
    then the run was too slow, not unstable. `tried`: all settings of the search;
    `learned_by`: the step by which a good run of the search is at or below a loss of 1.0, None where none was good.
    """

    warmup: Trial | None
    lr: Trial | None
    faster: Trial | None
    tried: tuple[Trial, ...]
    learned_by: int | None


def trial(setting: TrainingSetup, finals: Rates) -> Trial:
    """How the runs of a setting ended, from their validation losses.

    >>> setup = TrainingSetup("small16", "post", 200, "linear20+cosine180", 0.01)
    >>> trial(setup, np.array([0.02, 0.03, 0.5, 0.01])).holds
    True
    """
    failed = int((~(finals <= FAILED_LOSS)).sum())
    return Trial(setting.schedule, setting.base_lr, finals.size, int(stable(finals).sum()), failed)


def trials(
    settings: Sequence[TrainingSetup], seeds: Sequence[int], trainer: Trainer
) -> tuple[list[Trial], Records | None]:
    """Run settings together, each with these seeds: how they ended, and all records (None without a setting)."""
    if not settings:
        return [], None
    records = trainer([plan for setting in settings for plan in setting.plans(seeds)])
    finals = records.final.reshape(len(settings), len(seeds))
    return [trial(setting, row) for setting, row in zip(settings, finals, strict=True)], records


def candidates(setting: TrainingSetup) -> tuple[list[TrainingSetup], list[TrainingSetup]]:
    """The settings with longer warmups, and those with lower LRs: the smallest change first."""
    warmups = longer_warmups(parse(setting.schedule), setting.steps)
    return (
        [setting._replace(schedule=slug) for slug in warmups],
        [setting._replace(base_lr=lr) for lr in lower_lrs(setting.base_lr)],
    )


def search(setting: TrainingSetup, trainer: Trainer) -> Remedy:
    """Try longer warmups and lower LRs on a few seeds, and check what held on other ones.

    A change that does not hold in the check is passed over for the next one that held in the search.
    """
    warmups, lrs = candidates(setting)
    found, records = trials([*warmups, *lrs], SEARCH_SEEDS, trainer)
    parts = [] if records is None else [records]
    faster = None
    if not any(one.learned for one in found):
        higher = [setting._replace(base_lr=float(f"{setting.base_lr * factor:.3g}")) for factor in FASTER]
        sped, more = trials(higher, SEARCH_SEEDS, trainer)
        faster = next((one for one in sped if one.learned), None)
        found += sped
        parts += [] if more is None else [more]
    everything = joined(parts)
    held = [one for one in found if one.holds]
    slugs = {one.schedule for one in held if one.base_lr == setting.base_lr}
    rates = {one.base_lr for one in held if one.schedule == setting.schedule}
    choices = [[s for s in warmups if s.schedule in slugs], [s for s in lrs if s.base_lr in rates]]
    (longer, lower), _ = checked(choices, trainer)
    return Remedy(longer, lower, faster, tuple(found), learned_by(everything, np.arange(everything.final.size)))


def checked(choices: Sequence[Sequence[TrainingSetup]], trainer: Trainer) -> tuple[list[Trial | None], Records | None]:
    """Of each list the first setting, the smallest change first, that holds on the seeds of the check; else None.

    The first of all lists run together, then the second of those whose first did not hold, and so on.
    Also the records of all these runs, None where nothing was to be checked.
    """
    found: list[Trial | None] = [None for _ in choices]
    parts: list[Records] = []
    for turn in range(MOST_CHECKS):
        open_ones = [i for i, settings in enumerate(choices) if found[i] is None and turn < len(settings)]
        ended, records = trials([choices[i][turn] for i in open_ones], CHECK_SEEDS, trainer)
        found = [None if one is None or not one.holds else one for one in _filled(found, open_ones, ended)]
        parts += [] if records is None else [records]
    return found, joined(parts) if parts else None


def _filled(found: Sequence[Trial | None], places: Sequence[int], values: Sequence[Trial]) -> list[Trial | None]:
    new = dict(zip(places, values, strict=True))
    return [new.get(i, one) for i, one in enumerate(found)]
