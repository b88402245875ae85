"""Which cases the entries of groups.toml can affect."""

from __future__ import annotations

from reference import (
    SWALR,
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
)
from suite.cases.experiments.groups.added import Added, AddedAndRestored, AddedBetween, AddedLast
from suite.cases.experiments.groups.altered import DroppedByHand, GroupsChanged, RaisedFromZero
from suite.cases.experiments.groups.listed import GivenAs, OwnRates, WrongList
from suite.engine.build import for_group
from suite.engine.case import Case, is_composite
from suite.known.entries.places import Predicate, acted, both, contains

#: They keep a list with one value for each group of their construction.
LISTS = (LambdaLR, MultiplicativeLR, CosineAnnealingWarmRestarts, CyclicLR)
#: They keep values in the groups, under keys that a new group lacks.
KEYS = (OneCycleLR, SWALR)


def _need(schedule: Schedule, step: int) -> str:
    """What the step to `step` needs of every group and a new one lacks: a place in a list, a key, or nothing."""
    if isinstance(schedule, ChainedScheduler):
        return next((need for part in schedule.schedulers if (need := _need(part, step))), "")
    if isinstance(schedule, SequentialLR):
        phase = sum(milestone <= step for milestone in schedule.milestones)
        part, start = schedule.schedulers[phase], schedule.milestones[phase - 1] if phase else 0
        if phase and step == start and not is_composite(part):
            return "key" if isinstance(part, KEYS) else "list"  # it restarts from its list of base LRs
        return _need(part, step - start)
    if isinstance(schedule, CosineAnnealingLR):
        return "list" if (step - 1) % (2 * schedule.T_max) == schedule.T_max else ""
    return "list" if isinstance(schedule, LISTS) else "key" if isinstance(schedule, KEYS) else ""


def _first_need(case: Case) -> tuple[str, int]:
    """The first such need after the groups were changed, and its step; between two parts they change before step 0."""
    if case.setup.jumps:  # step(epoch) needs the base LR of each group
        return "key" if isinstance(case.schedule, KEYS) else "list", case.setup.jumps[0]
    action = case.setup.actions[0]
    at = action.at if isinstance(action, Added | AddedAndRestored | GroupsChanged) else -1
    needs = ((need, step) for step in range(at + 1, case.steps) if (need := _need(case.schedule, step)))
    return next(needs, ("", 0))


def _late(case: Case) -> bool:
    return acted(Added, AddedAndRestored, AddedBetween)(case)


def _restored(case: Case) -> bool:
    """The first need comes after the run was restored."""
    cuts = [action.cut for action in case.setup.actions if isinstance(action, AddedAndRestored)]
    return bool(cuts) and _first_need(case)[0] == "list" and cuts[0] < _first_need(case)[1]


def _lacks(need: str) -> Predicate:
    """A group was added late, and the first thing that it lacks is this."""
    return lambda case: _late(case) and _first_need(case)[0] == need and not _restored(case)


def _changed(change: str) -> Predicate:
    """The list of groups is changed in this way."""
    return lambda case: any(isinstance(a, GroupsChanged) and a.change == change for a in case.setup.actions)


def _without_lr(case: Case) -> bool:
    return any(isinstance(action, Added) and action.kind == "default" for action in case.setup.actions)


def _one_number(case: Case) -> bool:
    return any(isinstance(action, WrongList) and action.shape == "list" for action in case.setup.actions)


def _shared_with_lists(case: Case) -> bool:
    """One tensor in all groups, and a value or function of its own for each."""
    setup = case.setup
    return setup.lr_type == "shared" and setup.lists and for_group(case.schedule, 1) != case.schedule


def _given_as(*forms: str) -> Predicate:
    """One value for each group is given as such a collection."""
    return lambda case: any(isinstance(action, GivenAs) and action.form in forms for action in case.setup.actions)


#: A group is added to an optimizer with all parts of a SequentialLR, and before the SequentialLR is built.
BEFORE_SEQUENTIAL = both(acted(AddedLast), contains(SequentialLR))

#: Entry → the cases that it can affect.
PREDICATES: dict[str, Predicate] = {
    "added-before-sequential": BEFORE_SEQUENTIAL,
    "array-for-a-list": both(_given_as("arrays", "tensors"), contains(OneCycleLR, CyclicLR, SWALR)),
    "no-list-fails-late": both(
        _given_as("arrays", "tensors", "iterators"), contains(ReduceLROnPlateau, MultiplicativeLR)
    ),
    "added-group-zip": both(_lacks("list"), lambda case: not BEFORE_SEQUENTIAL(case)),
    "added-group-key": _lacks("key"),
    "restored-group-lost": _restored,
    "added-group-plateau": both(_late, contains(ReduceLROnPlateau), lambda case: not case.setup.lists),
    "added-group-plateau-list": both(acted(Added), contains(ReduceLROnPlateau), lambda case: case.setup.lists),
    "removed-group-zip": both(_changed("removed"), lambda case: _first_need(case)[0] == "list"),
    "replaced-group-key": both(_changed("replaced"), lambda case: _first_need(case)[0] == "key"),
    "list-for-a-number": _one_number,
    "cosine-raises-low-group": both(acted(OwnRates), contains(CosineAnnealingLR, CosineAnnealingWarmRestarts)),
    "cycle-flattens-groups": both(acted(OwnRates), contains(OneCycleLR, CyclicLR)),
    "added-group-no-base-lr": acted(Added),
    "added-group-ignored": _lacks("list"),
    "added-between-parts": both(acted(AddedBetween), contains(ChainedScheduler)),
    "added-group-without-lr": _without_lr,
    "added-group-misses-warmup": both(acted(Added), contains(LinearLR, ConstantLR)),
    "groups-by-position": _changed("reversed"),
    "drop-by-hand-lost": acted(DroppedByHand),
    "shared-last-wins": both(_shared_with_lists, lambda case: not isinstance(case.schedule, ReduceLROnPlateau)),
    "raised-from-zero": acted(RaisedFromZero),
}
