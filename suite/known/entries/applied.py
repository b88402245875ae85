"""Which cases the entries of applied.toml can affect."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from suite.cases.experiments.applied import Measured
from suite.engine.case import Case, cycles_momentum, expected
from suite.engine.optimizers import OPTIMIZERS, has_momentum
from suite.known.entries.places import Predicate, acted, both


def _uses(*kinds: type[torch.optim.Optimizer]) -> Predicate:
    """Trained with one of these optimizers."""
    return lambda case: issubclass(OPTIMIZERS[case.setup.optimizer][0], kinds)


def _capped(case: Case) -> Iterator[bool]:
    """For each update, whether an LR of the schedule, or the base LR, exceeds 1/sqrt(update).

    A schedule that torch does not start leaves the base LR; a run has one position per update.
    """
    highest = np.maximum(expected(case, list(range(case.steps))).max(axis=1), max(case.setup.base_lrs()))
    for update in range(case.steps):
        yield bool(highest[update] > 1 / math.sqrt(update + 1))


def _without_momentum(case: Case) -> bool:
    """A cycled momentum, and an optimizer whose momentum is 0."""
    cls = OPTIMIZERS[case.setup.optimizer][0]
    accepts = issubclass(cls, torch.optim.SGD | torch.optim.RMSprop)
    return accepts and not has_momentum(case.setup.optimizer) and cycles_momentum(case.schedule)


#: Entry → the cases that it can affect.
PREDICATES: dict[str, Predicate] = {
    "asgd-one-step-late": both(acted(Measured), _uses(torch.optim.ASGD)),
    "rprop-first-lr-only": both(acted(Measured), _uses(torch.optim.Rprop)),
    "adafactor-caps-lr": both(
        acted(Measured), lambda case: case.setup.optimizer.startswith("adafactor"), lambda case: any(_capped(case))
    ),
    "momentum-turned-on": _without_momentum,
}
