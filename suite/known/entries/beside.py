"""Which cases the entries of beside.toml can affect."""

from __future__ import annotations

from reference import (
    SWALR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    LambdaLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
)
from suite.cases.experiments.beside import Beside, HandedOver
from suite.cases.experiments.built_again import BuiltAgain, Discarded
from suite.cases.experiments.lowered import FallWatched
from suite.cases.experiments.other_scheduler import OVERWRITES, RANGES
from suite.cases.experiments.same_object import SameObject, UntouchedOptimizer
from suite.engine.case import Case
from suite.known.entries.places import Predicate, acted, beside, both, places

#: Classes that compute from base_lrs, all the time or at some of their steps.
READS_BASE = (LambdaLR, CosineAnnealingWarmRestarts, CosineAnnealingLR, SequentialLR)
#: Classes that keep their settings in the parameter group.
IN_GROUP = (OneCycleLR, SWALR)


def _other(case: Case) -> Schedule | None:
    """The second scheduler on the optimizer, in the lines of the script."""
    return next(beside(case), None)


def _either(*kinds: type[Schedule]) -> Predicate:
    return lambda case: isinstance(case.schedule, kinds) or isinstance(_other(case), kinds)


def _other_is(*kinds: type[Schedule]) -> Predicate:
    return lambda case: isinstance(_other(case), kinds)


def _is(*kinds: type[Schedule]) -> Predicate:
    return lambda case: isinstance(case.schedule, kinds)


def _not(predicate: Predicate) -> Predicate:
    return lambda case: not predicate(case)


def _same_in_group(case: Case) -> bool:
    """Two schedulers of one class that keeps its settings in the group, beside each other or as parts."""
    parts = [part for part, _ in places(case.schedule)]
    pair = isinstance(case.schedule, IN_GROUP) and type(case.schedule) is type(_other(case))
    return pair or len({part for part in parts if isinstance(part, OneCycleLR)}) > 1


def _at_once(case: Case) -> bool:
    """A SWALR without a step of annealing waits for its turn."""
    return acted(HandedOver)(case) and isinstance(case.schedule, SWALR) and case.schedule.anneal_epochs == 0


def _watched(passes: bool) -> Predicate:
    """The LR is lowered under a cosine whose minimum the run goes past, or not."""
    return lambda case: (
        acted(FallWatched)(case)
        and isinstance(case.schedule, CosineAnnealingLR)
        and (case.steps > case.schedule.T_max) is passes
    )


#: Entry → the cases that it can affect; the narrower cause comes first.
PREDICATES: dict[str, Predicate] = {
    "same-object-twice": acted(SameObject),
    "lr-tensor-of-two-optimizers": both(acted(UntouchedOptimizer), lambda case: case.setup.lr_type == "tensor"),
    "swalr-at-once": _at_once,
    "cosine-rises-to-minimum": _watched(passes=False),
    "cosine-forgets-reduction": _watched(passes=True),
    "settings-shared-in-group": _same_in_group,
    "plateau-beside-overwriting": both(acted(Beside), _either(ReduceLROnPlateau), _either(*OVERWRITES)),
    "cycle-beside-base-lr": both(acted(Beside), _other_is(*RANGES), _is(*READS_BASE)),
    "overwritten-beside": both(acted(Beside), _either(*OVERWRITES), _not(_either(ReduceLROnPlateau))),
    "sequential-beside": both(acted(Beside), _either(SequentialLR)),
    "second-scheduler-old-base": acted(BuiltAgain),
    "unused-cycle": both(acted(Discarded), _other_is(*RANGES), _not(_same_in_group)),
    "unused-scheduler": both(acted(Discarded), _not(_other_is(*RANGES)), _not(_same_in_group)),
}
