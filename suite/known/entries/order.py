"""Which cases the entries of order.toml can affect."""

from __future__ import annotations

from reference import CosineAnnealingWarmRestarts, CyclicLR, SequentialLR
from suite.cases.experiments.built_again import BuiltAgain
from suite.cases.experiments.objects.copied import CopyBeside
from suite.cases.experiments.order import (
    CopiedTogether,
    OtherOptimizer,
    ScaledUpdate,
    SteppedFirst,
    SteppedInHook,
    SteppedOnceFirst,
    UsedOptimizer,
)
from suite.cases.experiments.replaced import KeptStep, ReplacedStep, StepOfClass
from suite.engine.case import Case
from suite.known.entries.places import Predicate, acted, both, contains, places


def _replaced(*when: str) -> Predicate:
    """optimizer.step is replaced by something that is no method, at one of these times."""

    def affects(case: Case) -> bool:
        return any(isinstance(action, ReplacedStep) and action.when in when for action in case.setup.actions)

    return affects


def _not_a_method(case: Case) -> bool:
    """What optimizer.step was replaced by has no __func__."""
    return all(not isinstance(action, ReplacedStep) or action.by != "method" for action in case.setup.actions)


def _first_overflows(case: Case) -> bool:
    """GradScaler skips the first update."""
    return any(isinstance(action, ScaledUpdate) and action.at == 0 for action in case.setup.actions)


def _used_under_another(case: Case) -> bool:
    """The optimizer has made updates under another scheduler."""
    return acted(BuiltAgain)(case) or UsedOptimizer(under=True) in case.setup.actions


def _switches_at_once(case: Case) -> bool:
    """The first step of a SequentialLR starts its second part."""
    return any(isinstance(s, SequentialLR) and s.milestones[:1] == (1,) for s, _ in places(case.schedule))


#: Actions whose wrong order is to be warned of.
WRONG = acted(SteppedFirst, SteppedOnceFirst, OtherOptimizer)

#: Entry → the cases that it can affect.
PREDICATES: dict[str, Predicate] = {
    "warm-restarts-order-unchecked": both(WRONG, contains(CosineAnnealingWarmRestarts)),
    "second-scheduler-order-unchecked": both(WRONG, _used_under_another),
    "switch-order-unchecked": both(WRONG, _switches_at_once),
    "pre-hook-order-unchecked": lambda case: SteppedInHook("pre") in case.setup.actions,
    "step-not-a-method": both(_replaced("before"), _not_a_method),
    "replaced-step-warned": _replaced("after", "later"),
    "cyclic-not-copied": both(acted(CopiedTogether, CopyBeside), contains(CyclicLR)),
    "copies-warned": acted(CopiedTogether, CopyBeside),
    "kept-step-warned": acted(KeptStep, StepOfClass),
    "first-overflow-warned": _first_overflows,
}
