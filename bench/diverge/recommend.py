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

from .remedy import SEARCH_SEEDS, Trainer, TrainingSetup, Trial, checked
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
    """A change that was advised for a failed setup; `loss`: the validation loss of the changed run."""

    family: str
    failed: TrainingSetup
    seed: int
    change: str
    advised: Trial
    loss: float

    @property
    def succeeded(self) -> bool:
        """Whether the changed run did not fail."""
        return self.loss <= FAILED_LOSS


class Advice(NamedTuple):
    """The result: how many setups were drawn and failed, and the changes that were advised for them."""

    drawn: int
    failed: int
    without: int
    cases: list[TriedChange]


def table_of(family: Family, trainer: Trainer) -> list[Mapping[str, Any]]:
    """A sweep of the family, as the rows of a runs.csv."""
    cells = list(itertools.product(WARMUPS, family.lrs, SEARCH_SEEDS))
    setups = [family.setup(length, lr) for length, lr, _ in cells]
    records = trainer([setup.plans([seed])[0] for setup, (_, _, seed) in zip(setups, cells, strict=True)])
    return [
        {**setup._asdict(), "warmup_steps": length, "lr": lr, "seed": seed, "loss": loss}
        for setup, (length, lr, seed), loss in zip(setups, cells, records.final.tolist(), strict=True)
    ]


def measured(trainer: Trainer, drawn: int = DRAWN) -> Advice:
    """Draw setups, keep those that fail, look up a longer warmup and a lower LR, and try each with a fresh seed."""
    random = np.random.default_rng(0)
    tables = {family: table_of(family, trainer) for family in FAMILIES}
    setups: list[tuple[Family, TrainingSetup]] = []
    for family in FAMILIES:
        for _ in range(integer("drawn", drawn, 1)):
            lr = float(f"{np.exp(random.uniform(*np.log(family.drawn))):.3g}")
            setups.append((family, family.setup(int(random.integers(LONGEST + 1)), lr)))
    count = len(setups)
    finals = trainer([setup.plans([FIRST_SEED + i])[0] for i, (_, setup) in enumerate(setups)]).final
    failed = [i for i in range(count) if not finals[i] <= FAILED_LOSS]
    choices = [part for i in failed for part in candidates(setups[i][1], tables[setups[i][0]])[:2]]
    advised, _ = checked(choices, trainer)
    plans, changes = [], []
    for k, trial in enumerate(advised):
        i, kind = failed[k // 2], ("longer warmup", "lower LR")[k % 2]
        if trial is not None:
            family, setup = setups[i]
            changed = setup._replace(schedule=trial.schedule, base_lr=trial.base_lr)
            plans.append(changed.plans([FIRST_SEED + count * (1 + k % 2) + i])[0])
            changes.append((family.words, setup, FIRST_SEED + i, kind, trial))
    losses = trainer(plans).final.tolist()
    cases = [TriedChange(*change, loss) for change, loss in zip(changes, losses, strict=True)]
    return Advice(count, len(failed), sum(trial is None for trial in advised), cases)
