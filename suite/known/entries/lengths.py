"""Which cases the entries of lengths.toml can affect: one predicate for each, on the case alone."""

from __future__ import annotations

from reference import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CyclicLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    SequentialLR,
    StepLR,
)
from suite.engine.case import Case, asks_for_negative
from suite.known.entries.places import Predicate, is_float, places


def _zero_length(case: Case) -> bool:
    return any(
        isinstance(s, LinearLR | ConstantLR | PolynomialLR) and s.total_iters == 0 for s, _ in places(case.schedule)
    )


def _zero_factor(case: Case) -> bool:
    return any(isinstance(s, ConstantLR) and s.factor == 0 for s, _ in places(case.schedule))


def _empty_rise(case: Case) -> bool:
    return any(
        (
            isinstance(s, OneCycleLR)
            and s.max_lr
            and s.total_steps
            and (s.pct_start * s.total_steps <= 1 or s.pct_start == 1)
        )
        or (isinstance(s, CyclicLR) and s.step_size_up == 0)
        for s, _ in places(case.schedule)
    )


def _fractional_length(case: Case) -> bool:
    """A length or milestone of a single scheduler is not an integer."""
    names = ("total_iters", "T_max", "step_size")
    for s, _ in places(case.schedule):
        if any(is_float(getattr(s, name, None)) for name in names):
            return True
        if isinstance(s, MultiStepLR) and any(is_float(m) for m in s.milestones):
            return True
    return False


def _division_by_length(case: Case) -> bool:
    return any(
        (isinstance(s, CosineAnnealingLR) and s.T_max == 0) or (isinstance(s, StepLR) and s.step_size == 0)
        for s, _ in places(case.schedule)
    )


def _bad_milestones(case: Case) -> bool:
    for s, _ in places(case.schedule):
        if isinstance(s, SequentialLR):
            is_sorted = list(s.milestones) == sorted(s.milestones)
            if not is_sorted or any(is_float(m) or m < 0 for m in s.milestones):
                return True
    return False


def _zero_start(case: Case) -> bool:
    return any(isinstance(s, LinearLR) and s.start_factor == 0 for s, _ in places(case.schedule))


def _milestone_zero(case: Case) -> bool:
    return any(isinstance(s, SequentialLR) and 0 in s.milestones for s, _ in places(case.schedule))


#: Entry → the cases that it can affect; causes in the composition come before causes in the training loop.
PREDICATES: dict[str, Predicate] = {
    "length-zero-kept": _zero_length,
    "constant-factor-zero": _zero_factor,
    "empty-rise": _empty_rise,
    "fractional-length": _fractional_length,
    "zero-length-divides": _division_by_length,
    "milestones-unchecked": _bad_milestones,
    "milestone-zero": _milestone_zero,
    "linear-from-zero": _zero_start,
    "negative-lr": asks_for_negative,
    "chain-of-nothing": lambda case: isinstance(case.schedule, ChainedScheduler) and not case.schedule.schedulers,
}
