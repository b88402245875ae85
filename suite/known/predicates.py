"""Why a case can deviate: one predicate for each entry of known.toml, on the structure of the case alone.

A predicate says where a defect *can* show; whether it does is measured.
It never looks at what torch did, so it cannot excuse a deviation of another cause and another shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reference import (
    SWALR,
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
    StepLR,
)
from suite.engine.case import Case, is_composite

Path = tuple[tuple[Schedule, int], ...]
Predicate = Callable[[Case], bool]


def places(schedule: Schedule, path: Path = ()) -> Iterator[tuple[Schedule, Path]]:
    """Every scheduler of a composition with its path: the composites above it and its index in each."""
    yield schedule, path
    for i, part in enumerate(getattr(schedule, "schedulers", ())):
        yield from places(part, (*path, (schedule, i)))


def _later(path: Path) -> bool:
    """It is a later phase of the SequentialLR directly above it."""
    return bool(path) and isinstance(path[-1][0], SequentialLR) and path[-1][1] > 0


def _is_a(*kinds: type[Schedule], where: Callable[[Path], bool] = lambda path: True) -> Predicate:
    return lambda case: any(isinstance(s, kinds) and where(path) for s, path in places(case.schedule))


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


def _fraction(value: object) -> bool:
    return isinstance(value, float) and not isinstance(value, bool)


def _fractional_length(case: Case) -> bool:
    """A length or milestone of a single scheduler that is not a whole number."""
    names = ("total_iters", "T_max", "step_size")
    for s, _ in places(case.schedule):
        if any(_fraction(getattr(s, name, None)) for name in names):
            return True
        if isinstance(s, MultiStepLR) and any(_fraction(m) for m in s.milestones):
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
            rising = list(s.milestones) == sorted(s.milestones)
            if not rising or any(_fraction(m) or m < 0 for m in s.milestones):
                return True
    return False


def _own_base(case: Case) -> bool:
    """OneCycleLR or CyclicLR beside another scheduler on the same optimizer."""
    return is_composite(case.schedule) and _is_a(OneCycleLR, CyclicLR)(case)


def _sequential_in_chain(path: Path) -> bool:
    return any(isinstance(above, ChainedScheduler) for above, _ in path)


def _nested_first(path: Path) -> bool:
    """It lies in the first phase of a SequentialLR, at any depth."""
    return any(isinstance(above, SequentialLR) and i == 0 for above, i in path)


def _built_backwards(case: Case) -> bool:
    return case.setup.reverse and isinstance(case.schedule, ChainedScheduler)


def _resumed(order: str, *kinds: type[Schedule]) -> Predicate:
    """Restored in this order (or one whose name begins so), with one of these schedulers in the composition."""
    holds = _is_a(*kinds) if kinds else (lambda case: True)
    return lambda case: case.setup.resume.startswith(order) and holds(case)


def _jumped(*kinds: type[Schedule]) -> Predicate:
    return lambda case: bool(case.setup.jumps) and _is_a(*kinds)(case)


def _shared_plateau(case: Case) -> bool:
    return case.setup.lr_type == "shared" and isinstance(case.schedule, ReduceLROnPlateau)


def _inside(path: Path) -> bool:
    return bool(path)


def _goals(case: Case) -> bool:
    """More than one SWALR, with different goals."""
    return len({s.swa_lr for s, _ in places(case.schedule) if isinstance(s, SWALR)}) > 1


def _zero_start(case: Case) -> bool:
    return any(isinstance(s, LinearLR) and s.start_factor == 0 for s, _ in places(case.schedule))


def _cycled_beta(case: Case) -> bool:
    """CyclicLR that moves the momentum of an optimizer that calls it beta1."""
    cycles = any(isinstance(s, CyclicLR) and s.cycle_momentum for s, _ in places(case.schedule))
    return cycles and case.setup.optimizer == "adam"


def _milestone_zero(case: Case) -> bool:
    return any(isinstance(s, SequentialLR) and 0 in s.milestones for s, _ in places(case.schedule))


def _switches(case: Case) -> bool:
    """A SequentialLR with a milestone, anywhere."""
    return any(isinstance(s, SequentialLR) and s.milestones for s, _ in places(case.schedule))


def _tensor(case: Case) -> bool:
    return case.setup.lr_type != "float" and _is_a(SequentialLR)(case)


#: Entry of known.toml → where it can show.  The first that matches names the deviation, so what lies in
#: the composition stands before what lies in the loop around it.
CAUSES: dict[str, Predicate] = {
    "length-zero-kept": _zero_length,
    "constant-factor-zero": _zero_factor,
    "empty-rise": _empty_rise,
    "fractional-length": _fractional_length,
    "zero-length-divides": _division_by_length,
    "milestones-unchecked": _bad_milestones,
    "milestone-zero": _milestone_zero,
    "linear-from-zero": _zero_start,
    "chain-of-nothing": lambda case: isinstance(case.schedule, ChainedScheduler) and not case.schedule.schedulers,
    "plateau-inside-composite": _is_a(ReduceLROnPlateau, where=_inside),
    "plateau-without-last-lr": lambda case: isinstance(case.schedule, ReduceLROnPlateau),
    "cyclic-without-beta": _cycled_beta,
    "composite-later-phase": lambda case: any(is_composite(s) and _later(p) for s, p in places(case.schedule)),
    "multiplicative-later-phase": _is_a(MultiplicativeLR, where=_later),
    "swalr-shared-goal": _goals,
    "swalr-later-phase": _is_a(SWALR, where=_later),
    "sequential-inside-chain": _is_a(SequentialLR, where=_sequential_in_chain),
    "chain-without-epoch": _is_a(ChainedScheduler, where=_nested_first),
    "sequential-inside-blow-up": _is_a(SequentialLR, where=_nested_first),
    "sequential-inside-first-phase": _is_a(SequentialLR, where=_nested_first),
    "cycle-replaces-base-lr": _own_base,
    "chain-as-first-phase": _is_a(ChainedScheduler, where=_nested_first),
    "chain-built-backwards": _built_backwards,
    "shared-tensor-plateau": _shared_plateau,
    "epoch-multiplicative": _jumped(MultiplicativeLR),
    "epoch-swalr": _jumped(SWALR),
    "epoch-warm-restarts": _jumped(CosineAnnealingWarmRestarts),
    "cyclic-state-emptied": lambda case: case.setup.resume == "loadedtwice" and isinstance(case.schedule, CyclicLR),
    "sequential-tensor-aliased": _tensor,
    "optimizer-loaded-before-build": _resumed("optimizerfirst"),
    "last-epoch-sequential": _resumed("lastepoch", SequentialLR),
    "last-epoch-drop-twice": _resumed("lastepoch", StepLR, MultiStepLR, ConstantLR),
    "last-epoch-warm-restarts": _resumed("lastepoch", CosineAnnealingWarmRestarts),
    "last-epoch-swalr": _resumed("lastepoch", SWALR),
    "cyclic-state": lambda case: bool(case.setup.resume) and isinstance(case.schedule, CyclicLR),
    "last-epoch-cycled-momentum": _resumed("lastepoch", CyclicLR),
    "last-epoch-recursive": _resumed("lastepoch"),
    "epoch-warning-at-milestone": _switches,
    "sequential-keeps-construction": _switches,
}
