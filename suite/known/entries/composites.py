"""Which cases the entries of composites.toml can affect: one predicate for each, on the case alone."""

from __future__ import annotations

import bisect
import math

from reference import (
    SWALR,
    ChainedScheduler,
    CyclicLR,
    LRScheduler,
    MultiplicativeLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
)
from suite.cases.experiments.order import CopiedOptimizer
from suite.engine.case import Case, cycles_momentum, is_composite
from suite.known.entries.places import (
    Path,
    Predicate,
    acted,
    beside,
    contains,
    in_chain,
    in_composite,
    in_first_phase,
    later,
    places,
)


def _built(case: Case) -> list[tuple[Schedule, Path]]:
    """The single schedulers of a composition with their paths, in the order of their construction."""
    leaves = [(part, path) for part, path in places(case.schedule) if not is_composite(part)]
    return leaves[::-1] if case.setup.reverse else leaves


def _cycle_in_composite(case: Case) -> bool:
    """OneCycleLR shares the optimizer with another class, or one is built after a CyclicLR that was the first."""
    built = _built(case)
    if not is_composite(case.schedule) or {type(part) for part, _ in built} == {OneCycleLR}:
        return False
    return contains(OneCycleLR)(case) or (len(built) > 1 and isinstance(built[0][0], CyclicLR))


def _cyclic_built_later(case: Case) -> bool:
    """CyclicLR sets the first LR, and another scheduler was built before it."""
    used = any(beside(case)) or acted(CopiedOptimizer)(case)  # the copy keeps what the first one's scheduler left
    later_ones = _built(case)[0 if used else 1 :]
    return any(isinstance(part, CyclicLR) and not later(path) for part, path in later_ones)


def _annealing_continues(case: Case) -> bool:
    """SWALR is a later phase, and the phase before it ends away from the base LR."""
    return any(
        isinstance(part, SWALR) and later(path) and not _ends_at_base(*path[-1]) for part, path in places(case.schedule)
    )


def _ends_at_base(sequence: Schedule, index: int) -> bool:
    """Whether the phases before this one end at the base LR."""
    assert isinstance(sequence, SequentialLR)
    start = sequence.milestones[index - 1]
    parts = [part for before in sequence.schedulers[:index] for part, _ in places(before)]
    if any(isinstance(part, ReduceLROnPlateau | LRScheduler) for part in parts) or start < 1:
        return False
    before = SequentialLR(sequence.schedulers[:index], sequence.milestones[: index - 1])
    return math.isclose(before.trace(start, 1.0)[-1], 1.0)


def _built_backwards(case: Case) -> bool:
    return case.setup.reverse and isinstance(case.schedule, ChainedScheduler)


def _different_targets(case: Case) -> bool:
    """More than one SWALR, with different target LRs."""
    return len({s.swa_lr for s, _ in places(case.schedule) if isinstance(s, SWALR)}) > 1


def _cycled_beta(case: Case) -> bool:
    """CyclicLR cycles the momentum of an optimizer that calls it beta1."""
    cycles = any(isinstance(s, CyclicLR) and s.cycle_momentum for s, _ in places(case.schedule))
    return cycles and case.setup.has_betas


def _cycling(case: Case) -> list[Path]:
    """The paths of the schedulers that cycle the momentum."""
    return [path for part, path in places(case.schedule) if not is_composite(part) and cycles_momentum(part)]


def _cycled_later(case: Case) -> bool:
    """A scheduler that cycles the momentum is inside a phase that is not the first in force, at any depth."""
    above = [place for path in _cycling(case) for place in path]
    # A first phase of no steps is not in force either.
    return any(isinstance(s, SequentialLR) and i != bisect.bisect(s.milestones, 0) for s, i in above)


#: Entry → the cases that it can affect; causes in the composition come before causes in the training loop.
PREDICATES: dict[str, Predicate] = {
    "plateau-inside-composite": contains(ReduceLROnPlateau, where=in_composite),
    "plateau-without-last-lr": lambda case: isinstance(case.schedule, ReduceLROnPlateau),
    "cyclic-without-beta": _cycled_beta,
    "composite-later-phase": lambda case: any(is_composite(s) and later(p) for s, p in places(case.schedule)),
    "multiplicative-later-phase": contains(MultiplicativeLR, where=later),
    "swalr-shared-goal": _different_targets,
    "swalr-later-phase": _annealing_continues,
    "swalr-counts-the-switch": contains(SWALR, where=later),
    "sequential-inside-chain": contains(SequentialLR, where=in_chain),
    "chain-without-epoch": contains(ChainedScheduler, where=in_first_phase),
    "sequential-inside-blow-up": contains(SequentialLR, where=in_first_phase),
    "sequential-inside-first-phase": contains(SequentialLR, where=in_first_phase),
    "cycle-replaces-base-lr": _cycle_in_composite,
    "momentum-at-construction": _cycled_later,
    "cyclic-first-lr-stale": _cyclic_built_later,
    "chain-as-first-phase": contains(ChainedScheduler, where=in_first_phase),
    "chain-built-backwards": _built_backwards,
    "momentum-limits-shared": lambda case: len(_cycling(case)) > 1,
}
