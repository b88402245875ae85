"""Which cases the entries of docs.toml can affect: the class, and the group of rules about its docstring."""

from __future__ import annotations

from reference import (
    SWALR,
    ChainedScheduler,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    LambdaLR,
    LinearLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
)
from suite.cases.experiments.docs import Documented
from suite.engine.case import Case

from .places import Predicate


def _docs(*groups: str, of: tuple[type[Schedule], ...] = (Schedule,)) -> Predicate:
    """Cases of these groups of rules about these classes."""

    def includes(case: Case) -> bool:
        chosen = any(isinstance(action, Documented) and action.group in groups for action in case.setup.actions)
        return chosen and isinstance(case.schedule, of)

    return includes


#: Entry → the cases that it can affect.
PREDICATES: dict[str, Predicate] = {
    "docs-swalr-names": _docs("names", "defaults", of=(SWALR,)),
    "docs-not-listed": _docs("names"),
    "docs-default-unsaid": _docs("defaults", of=(OneCycleLR, SequentialLR)),
    "docs-verbose-default": _docs("defaults"),
    "docs-verbose-silent": _docs("statements"),
    "docs-annotation": _docs("annotations", of=(CyclicLR,)),
    "docs-type-unchecked": _docs("types"),
    "docs-range-unchecked": _docs("ranges"),
    "docs-range-unsaid": _docs("ranges", "raises"),
    "docs-not-chainable": _docs("ranges", of=(OneCycleLR,)),
    "docs-deprecation-unsaid": _docs("deprecations"),
    "docs-example-next-lr": _docs("examples", of=(LinearLR, PolynomialLR)),
    "docs-example-chained": _docs("examples", of=(ChainedScheduler,)),
    "docs-example-sequential": _docs("examples", of=(SequentialLR,)),
    "docs-example-self": _docs("examples"),
    "docs-example-opt": _docs("examples", of=(LambdaLR,)),
    "docs-example-warns": _docs("examples", of=(SequentialLR,)),
    "docs-restart-minimum": _docs("statements", of=(CosineAnnealingWarmRestarts,)),
    "docs-cycle-iterations": _docs("statements", of=(CyclicLR,)),
    "docs-batches-computed": _docs("statements", of=(CyclicLR, OneCycleLR)),
    "docs-linear-text": _docs("statements", of=(LinearLR,)),
    "docs-lambda-summary": _docs("statements", of=(LambdaLR,)),
    "docs-patience-count": _docs("statements", of=(ReduceLROnPlateau,)),
    "docs-patience-same": _docs("statements", of=(ReduceLROnPlateau,)),
    "docs-eps-equal": _docs("statements", of=(ReduceLROnPlateau,)),
    "docs-get-lr-type": _docs("returns", of=(CyclicLR, OneCycleLR)),
    "docs-last-lr-count": _docs("returns"),
    "docs-state-entries": _docs("returns", of=(CyclicLR,)),
    "docs-references": _docs("references", of=(OneCycleLR, SWALR)),
}
