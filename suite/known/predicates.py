"""Which cases a known deviation can affect: one predicate per entry of known.toml, on the case alone.

A predicate says where a deviation *can* appear; whether it does is measured.
It never looks at what torch did, so it cannot excuse a deviation with a different cause or shape.
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
    """Every scheduler of a composition with its path: the enclosing composites and its index in each."""
    yield schedule, path
    for i, part in enumerate(getattr(schedule, "schedulers", ())):
        yield from places(part, (*path, (schedule, i)))


def _later(path: Path) -> bool:
    """Whether it is a later phase of the SequentialLR that directly contains it."""
    return bool(path) and isinstance(path[-1][0], SequentialLR) and path[-1][1] > 0


def _contains(*kinds: type[Schedule], where: Callable[[Path], bool] = lambda path: True) -> Predicate:
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


def _is_float(value: object) -> bool:
    return isinstance(value, float)


def _fractional_length(case: Case) -> bool:
    """A length or milestone of a single scheduler is not an integer."""
    names = ("total_iters", "T_max", "step_size")
    for s, _ in places(case.schedule):
        if any(_is_float(getattr(s, name, None)) for name in names):
            return True
        if isinstance(s, MultiStepLR) and any(_is_float(m) for m in s.milestones):
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
            if not is_sorted or any(_is_float(m) or m < 0 for m in s.milestones):
                return True
    return False


def _cycle_in_composite(case: Case) -> bool:
    """OneCycleLR or CyclicLR shares the optimizer with another scheduler."""
    return is_composite(case.schedule) and _contains(OneCycleLR, CyclicLR)(case)


def _in_chain(path: Path) -> bool:
    return any(isinstance(above, ChainedScheduler) for above, _ in path)


def _in_first_phase(path: Path) -> bool:
    """Whether it is inside the first phase of a SequentialLR, at any depth."""
    return any(isinstance(above, SequentialLR) and i == 0 for above, i in path)


def _built_backwards(case: Case) -> bool:
    return case.setup.reverse and isinstance(case.schedule, ChainedScheduler)


def _resumed(order: str, *kinds: type[Schedule]) -> Predicate:
    """Restored in an order whose name starts with `order`, with one of these schedulers in the composition."""
    present = _contains(*kinds) if kinds else (lambda case: True)
    return lambda case: case.setup.resume.startswith(order) and present(case)


def _jumped(*kinds: type[Schedule]) -> Predicate:
    return lambda case: bool(case.setup.jumps) and _contains(*kinds)(case)


def _shared_plateau(case: Case) -> bool:
    return case.setup.lr_type == "shared" and isinstance(case.schedule, ReduceLROnPlateau)


def _in_composite(path: Path) -> bool:
    return bool(path)


def _different_targets(case: Case) -> bool:
    """More than one SWALR, with different target LRs."""
    return len({s.swa_lr for s, _ in places(case.schedule) if isinstance(s, SWALR)}) > 1


def _zero_start(case: Case) -> bool:
    return any(isinstance(s, LinearLR) and s.start_factor == 0 for s, _ in places(case.schedule))


def _cycled_beta(case: Case) -> bool:
    """CyclicLR cycles the momentum of an optimizer that calls it beta1."""
    cycles = any(isinstance(s, CyclicLR) and s.cycle_momentum for s, _ in places(case.schedule))
    return cycles and case.setup.has_betas


def _milestone_zero(case: Case) -> bool:
    return any(isinstance(s, SequentialLR) and 0 in s.milestones for s, _ in places(case.schedule))


def _switches(case: Case) -> bool:
    """The composition contains a SequentialLR with a milestone."""
    return any(isinstance(s, SequentialLR) and s.milestones for s, _ in places(case.schedule))


def _tensor(case: Case) -> bool:
    return case.setup.lr_type != "float" and _contains(SequentialLR)(case)


#: Entry of known.toml → the cases that it can affect.  The first match wins, so causes in the composition
#: come before causes in the training loop.
PREDICATES: dict[str, Predicate] = {
    "length-zero-kept": _zero_length,
    "constant-factor-zero": _zero_factor,
    "empty-rise": _empty_rise,
    "fractional-length": _fractional_length,
    "zero-length-divides": _division_by_length,
    "milestones-unchecked": _bad_milestones,
    "milestone-zero": _milestone_zero,
    "linear-from-zero": _zero_start,
    "chain-of-nothing": lambda case: isinstance(case.schedule, ChainedScheduler) and not case.schedule.schedulers,
    "plateau-inside-composite": _contains(ReduceLROnPlateau, where=_in_composite),
    "plateau-without-last-lr": lambda case: isinstance(case.schedule, ReduceLROnPlateau),
    "cyclic-without-beta": _cycled_beta,
    "composite-later-phase": lambda case: any(is_composite(s) and _later(p) for s, p in places(case.schedule)),
    "multiplicative-later-phase": _contains(MultiplicativeLR, where=_later),
    "swalr-shared-goal": _different_targets,
    "swalr-later-phase": _contains(SWALR, where=_later),
    "sequential-inside-chain": _contains(SequentialLR, where=_in_chain),
    "chain-without-epoch": _contains(ChainedScheduler, where=_in_first_phase),
    "sequential-inside-blow-up": _contains(SequentialLR, where=_in_first_phase),
    "sequential-inside-first-phase": _contains(SequentialLR, where=_in_first_phase),
    "cycle-replaces-base-lr": _cycle_in_composite,
    "chain-as-first-phase": _contains(ChainedScheduler, where=_in_first_phase),
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
