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
from suite.cases.experiments.loading.callables import WithFunction
from suite.cases.experiments.loading.older import OlderState
from suite.cases.experiments.loading.resumed import Resumed
from suite.cases.experiments.loading.states import Branched, RolledBack, SavedApart
from suite.cases.experiments.objects.copied import CopyBeside, StateTaken
from suite.engine.case import Case
from suite.known.entries.places import Predicate, acted, beside, both, contains, has_tensor_lr, jumped, places, resumed


def _shared_plateau(case: Case) -> bool:
    return case.setup.lr_type == "shared" and isinstance(case.schedule, ReduceLROnPlateau)


def _saved(case: Case) -> bool:
    taken = (StateTaken("file"), StateTaken("json"), StateTaken("pickled"))
    return case.setup.saved or any(action in taken for action in case.setup.actions)


def _loaded_twice(case: Case) -> bool:
    return case.setup.resume == "loadedtwice" or acted(RolledBack)(case) or StateTaken("reloaded") in case.setup.actions


def _restored(case: Case) -> bool:
    loads = acted(
        RolledBack, Branched, SavedApart, Resumed, OlderState, WithFunction, AddedAndRestored, StateTaken, CopyBeside
    )
    return bool(case.setup.resume) or loads(case)


def _switches(case: Case) -> bool:
    """A composition that the case builds contains a SequentialLR with a milestone."""
    others = [action.new for action in case.setup.actions if isinstance(action, Resumed)]
    built = [case.schedule, *others, *beside(case)]
    return any(isinstance(s, SequentialLR) and s.milestones for schedule in built for s, _ in places(schedule))


def _tensor(case: Case) -> bool:
    return has_tensor_lr(case) and contains(SequentialLR)(case)


#: Entry → the cases that it can affect; causes in the composition come before causes in the training loop.
PREDICATES: dict[str, Predicate] = {
    "shared-tensor-plateau": _shared_plateau,
    "epoch-multiplicative": jumped(MultiplicativeLR),
    "epoch-swalr": jumped(SWALR),
    "epoch-warm-restarts": jumped(CosineAnnealingWarmRestarts),
    "cyclic-function-unsaved": lambda case: (
        _saved(case) and any(isinstance(s, CyclicLR) and s.scale_fn is not None for s, _ in places(case.schedule))
    ),
    "cyclic-state-emptied": both(_loaded_twice, contains(CyclicLR)),
    "sequential-tensor-aliased": _tensor,
    "optimizer-loaded-before-build": resumed("optimizerfirst"),
    "last-epoch-sequential": resumed("lastepoch", SequentialLR),
    "last-epoch-drop-twice": resumed("lastepoch", StepLR, MultiStepLR, ConstantLR),
    "last-epoch-warm-restarts": resumed("lastepoch", CosineAnnealingWarmRestarts),
    "last-epoch-swalr": resumed("lastepoch", SWALR),
    "cyclic-state": both(_restored, contains(CyclicLR)),
    "last-epoch-cycled-momentum": resumed("lastepoch", CyclicLR),
    "last-epoch-recursive": resumed("lastepoch"),
    "epoch-warning-at-milestone": _switches,
    "sequential-keeps-construction": _switches,
}
