"""Does the advice hold? Settings that failed are changed as advised, and run with seeds of their own."""

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
#: Settings that are drawn have a warmup of at most so many steps.
LONGEST = 30
#: Of each kind of run so many settings are drawn, to have enough that fail.
DRAWN = 70
#: A setting is run with seed FIRST_SEED + its number, and its changes with two further ones.
FIRST_SEED = 3000


class Family(NamedTuple):
    """A model and a decay; the LRs of its table, half-octaves apart, and the range that settings are drawn from."""

    config: str
    norm: str
    decay: str
    lrs: tuple[float, ...]
    drawn: tuple[float, float]

    @property
    def words(self) -> str:
        """The family in words."""
        return f"{self.config}, {self.norm}-LN, {self.decay} decay"

    def setting(self, warmup_steps: int, lr: float) -> TrainingSetup:
        """One of its settings."""
        return TrainingSetup(self.config, self.norm, STEPS, pair("linear", warmup_steps, self.decay, STEPS).slug, lr)


FAMILIES = (
    Family("small16", "post", "cosine", rates(0.005, 0.08, 9), (0.02, 0.05)),
    Family("small16", "post", "hold", rates(0.005, 0.08, 9), (0.014, 0.04)),
    Family("small16", "pre", "cosine", rates(0.01, 0.16, 9), (0.05, 0.11)),
)


class TriedChange(NamedTuple):
    """A change that was advised for a setting that failed; `loss`: the validation loss of the changed run."""

    family: str
    failed: TrainingSetup
    seed: int
    change: str
    advised: Trial
    loss: float

    @property
    def holds(self) -> bool:
        """Whether the changed run did not fail."""
        return self.loss <= FAILED_LOSS


class Advice(NamedTuple):
    """All that came of it: the settings that failed, and the changes that were advised for them."""

    drawn: int
    failed: int
    without: int
    cases: list[TriedChange]


def table_of(family: Family, trainer: Trainer) -> list[Mapping[str, Any]]:
    """A sweep of the family, as rows of its runs.csv."""
    cells = list(itertools.product(WARMUPS, family.lrs, SEARCH_SEEDS))
    settings = [family.setting(length, lr) for length, lr, _ in cells]
    records = trainer([setting.plans([seed])[0] for setting, (_, _, seed) in zip(settings, cells, strict=True)])
    return [
        {**setting._asdict(), "warmup_steps": length, "lr": lr, "seed": seed, "loss": loss}
        for setting, (length, lr, seed), loss in zip(settings, cells, records.final.tolist(), strict=True)
    ]


def measured(trainer: Trainer, drawn: int = DRAWN) -> Advice:
    """Draw settings, keep those that fail, advise a longer warmup and a lower LR, and try each with a new seed."""
    random = np.random.default_rng(0)
    tables = {family: table_of(family, trainer) for family in FAMILIES}
    settings: list[tuple[Family, TrainingSetup]] = []
    for family in FAMILIES:
        for _ in range(integer("drawn", drawn, 1)):
            lr = float(f"{np.exp(random.uniform(*np.log(family.drawn))):.3g}")
            settings.append((family, family.setting(int(random.integers(LONGEST + 1)), lr)))
    count = len(settings)
    finals = trainer([setting.plans([FIRST_SEED + i])[0] for i, (_, setting) in enumerate(settings)]).final
    failed = [i for i in range(count) if not finals[i] <= FAILED_LOSS]
    choices = [part for i in failed for part in candidates(settings[i][1], tables[settings[i][0]])[:2]]
    advised, _ = checked(choices, trainer)
    plans, about = [], []
    for k, one in enumerate(advised):
        i, kind = failed[k // 2], ("longer warmup", "lower LR")[k % 2]
        if one is not None:
            family, setting = settings[i]
            changed = setting._replace(schedule=one.schedule, base_lr=one.base_lr)
            plans.append(changed.plans([FIRST_SEED + count * (1 + k % 2) + i])[0])
            about.append((family.words, setting, FIRST_SEED + i, kind, one))
    losses = trainer(plans).final.tolist()
    cases = [TriedChange(*known, loss) for known, loss in zip(about, losses, strict=True)]
    return Advice(count, len(failed), sum(one is None for one in advised), cases)
