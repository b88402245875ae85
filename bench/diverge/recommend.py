"""Does the advice work? Setups that failed are changed as advised and rerun with fresh seeds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from bench.sweep.options import rates
from bench.sweep.schedules import pair
from bench.toy.measures import FAILED_LOSS
from reference.check import integer

from .remedy import SEARCH_SEEDS, Trainer, TrainingSetup, checked
from .sweep_table import candidates

STEPS = 200
#: The warmups of the table, in steps.
WARMUPS = (0, 10, 20, 40, 70, 100, 150)
#: The longest warmup of the setups that are drawn, in steps.
LONGEST = 30
#: Setups drawn per family, so that enough of them fail.
DRAWN = 70
#: Setup i is run with seed FIRST_SEED + i, and its two changes with two further seeds.
FIRST_SEED = 3000
LONGER, LOWER = "longer warmup", "lower LR"


class Family(NamedTuple):
    """A model and a decay, the LRs of its sweep (half-octaves apart), and the range from which LRs are drawn."""

    config: str
    norm: str
    decay: str
    lrs: tuple[float, ...]
    drawn: tuple[float, float]

    @property
    def words(self) -> str:
        """The family as text."""
        return f"{self.config}, {self.norm}-LN, {self.decay} decay"

    def setup(self, warmup_steps: int, lr: float) -> TrainingSetup:
        """The setup with this warmup and LR."""
        return TrainingSetup(self.config, self.norm, STEPS, pair("linear", warmup_steps, self.decay, STEPS).slug, lr)


FAMILIES = (
    Family("small16", "post", "cosine", rates(0.005, 0.08, 9), (0.02, 0.05)),
    Family("small16", "post", "hold", rates(0.005, 0.08, 9), (0.014, 0.04)),
    Family("small16", "pre", "cosine", rates(0.01, 0.16, 9), (0.05, 0.11)),
)


class TriedChange(NamedTuple):
    """A change that was advised for a failed setup, and the validation loss of the changed run."""

    schedule: str
    base_lr: float
    loss: float


class DrawnSetup(NamedTuple):
    """A setup that was drawn, with the validation loss of its run, and the changes advised if it failed.

    `longer`: a longer warmup at the same LR; `lower`: a lower LR with the same warmup; None where none was found.
    """

    family: str
    setup: TrainingSetup
    seed: int
    loss: float
    longer: TriedChange | None
    lower: TriedChange | None

    @property
    def failed(self) -> bool:
        """Whether the run failed."""
        return not self.loss <= FAILED_LOSS

    @property
    def changes(self) -> dict[str, TriedChange]:
        """The changes that were advised, by kind."""
        both = {LONGER: self.longer, LOWER: self.lower}
        return {kind: change for kind, change in both.items() if change is not None}


def table_of(family: Family, trainer: Trainer) -> list[Mapping[str, Any]]:
    """A sweep of the family, as the rows of a runs.csv."""
    cells = list(itertools.product(WARMUPS, family.lrs, SEARCH_SEEDS))
    setups = [family.setup(length, lr) for length, lr, _ in cells]
    records = trainer([setup.plans([seed])[0] for setup, (_, _, seed) in zip(setups, cells, strict=True)])
    return [
        {**setup._asdict(), "warmup_steps": length, "lr": lr, "seed": seed, "loss": loss}
        for setup, (length, lr, seed), loss in zip(setups, cells, records.final.tolist(), strict=True)
    ]


def measured(trainer: Trainer, drawn: int = DRAWN) -> list[DrawnSetup]:
    """Draw setups; for those that fail look up a longer warmup and a lower LR, and try each with a fresh seed."""
    random = np.random.default_rng(0)
    tables = {family: table_of(family, trainer) for family in FAMILIES}
    setups: list[tuple[Family, TrainingSetup]] = []
    for family in FAMILIES:
        for _ in range(integer("drawn", drawn, 1)):
            lr = float(f"{np.exp(random.uniform(*np.log(family.drawn))):.3g}")
            setups.append((family, family.setup(int(random.integers(LONGEST + 1)), lr)))
    count = len(setups)
    finals = trainer([setup.plans([FIRST_SEED + i])[0] for i, (_, setup) in enumerate(setups)]).final.tolist()
    failed = [i for i in range(count) if not finals[i] <= FAILED_LOSS]
    choices = [part for i in failed for part in candidates(setups[i][1], tables[setups[i][0]])[:2]]
    advised, _ = checked(choices, trainer)
    plans, places = [], []
    for k, trial in enumerate(advised):
        i = failed[k // 2]
        if trial is not None:
            changed = setups[i][1]._replace(schedule=trial.schedule, base_lr=trial.base_lr)
            plans.append(changed.plans([FIRST_SEED + count * (1 + k % 2) + i])[0])
            places.append((i, k % 2))
    losses = trainer(plans).final.tolist() if plans else []
    changes = {
        place: TriedChange(plan.schedule, plan.base_lr, loss)
        for place, plan, loss in zip(places, plans, losses, strict=True)
    }
    return [
        DrawnSetup(family.words, setup, FIRST_SEED + i, finals[i], changes.get((i, 0)), changes.get((i, 1)))
        for i, (family, setup) in enumerate(setups)
    ]
