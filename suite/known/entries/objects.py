"""Which cases the entries of objects.toml can affect."""

from __future__ import annotations

from reference import SWALR, ChainedScheduler, CyclicLR, MultiStepLR, OneCycleLR
from suite.cases.experiments.objects import (
    AskedRates,
    CountedSteps,
    EditedReport,
    KeptReports,
    LeftBehind,
)
from suite.cases.experiments.objects.copied import StateTaken
from suite.engine.case import Case
from suite.known.entries.places import Predicate, acted, both, contains, has_tensor_lr


def taken(*what: str) -> Predicate:
    """A state is taken, and this is done with it."""
    return lambda case: any(StateTaken(name) in case.setup.actions for name in what)


def _reads_get_lr(case: Case) -> bool:
    return acted(AskedRates)(case) or any(
        isinstance(action, EditedReport) and action.method == "get_lr" for action in case.setup.actions
    )


def _edits_report(case: Case) -> bool:
    return any(isinstance(a, EditedReport) and a.method == "get_last_lr" for a in case.setup.actions)


def _edits_tensors(case: Case) -> bool:
    return any(isinstance(action, EditedReport) and action.inside for action in case.setup.actions)


def _keeps_tensors(case: Case) -> bool:
    return acted(KeptReports)(case) or _edits_tensors(case) or taken("kept")(case)


#: Entry → the cases that it can affect.
PREDICATES: dict[str, Predicate] = {
    "report-list-shared": _edits_report,
    "report-is-the-tensor": both(has_tensor_lr, _keeps_tensors),
    "state-shares-lists": taken("edited"),
    "milestones-through-json": both(taken("json"), contains(MultiStepLR)),
    "get-lr-neither": acted(AskedRates),
    "get-lr-of-floats": both(acted(AskedRates), contains(OneCycleLR, CyclicLR, SWALR)),
    "swalr-get-lr-fails": both(_reads_get_lr, contains(SWALR)),
    "chain-without-last-epoch": lambda case: isinstance(case.schedule, ChainedScheduler) and acted(CountedSteps)(case),
    "tensor-lr-in-defaults": both(acted(LeftBehind), has_tensor_lr, lambda case: case.setup.groups == 1),
}
