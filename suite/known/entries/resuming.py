"""Which cases the entries of resuming.toml can affect: one predicate for each, on the case alone."""

from __future__ import annotations

from reference import (
    SWALR,
    ConstantLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    MultiplicativeLR,
    MultiStepLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from suite.cases.experiments.groups.added import AddedAndRestored
from suite.engine.case import Case
from suite.known.entries.places import Predicate, acted, contains, jumped, places, resumed


def _shared_plateau(case: Case) -> bool:
    return case.setup.lr_type == "shared" and isinstance(case.schedule, ReduceLROnPlateau)


def _switches(case: Case) -> bool:
    """The composition contains a SequentialLR with a milestone."""
    return any(isinstance(s, SequentialLR) and s.milestones for s, _ in places(case.schedule))


def _tensor(case: Case) -> bool:
    return case.setup.lr_type != "float" and contains(SequentialLR)(case)


#: Entry → the cases that it can affect; causes in the composition come before causes in the training loop.
PREDICATES: dict[str, Predicate] = {
    "shared-tensor-plateau": _shared_plateau,
    "epoch-multiplicative": jumped(MultiplicativeLR),
    "epoch-swalr": jumped(SWALR),
    "epoch-warm-restarts": jumped(CosineAnnealingWarmRestarts),
    "cyclic-state-emptied": lambda case: case.setup.resume == "loadedtwice" and isinstance(case.schedule, CyclicLR),
    "sequential-tensor-aliased": _tensor,
    "optimizer-loaded-before-build": resumed("optimizerfirst"),
    "last-epoch-sequential": resumed("lastepoch", SequentialLR),
    "last-epoch-drop-twice": resumed("lastepoch", StepLR, MultiStepLR, ConstantLR),
    "last-epoch-warm-restarts": resumed("lastepoch", CosineAnnealingWarmRestarts),
    "last-epoch-swalr": resumed("lastepoch", SWALR),
    "cyclic-state": lambda case: (
        isinstance(case.schedule, CyclicLR) and (bool(case.setup.resume) or acted(AddedAndRestored)(case))
    ),
    "last-epoch-cycled-momentum": resumed("lastepoch", CyclicLR),
    "last-epoch-recursive": resumed("lastepoch"),
    "epoch-warning-at-milestone": _switches,
    "sequential-keeps-construction": _switches,
}
