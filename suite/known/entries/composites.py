"""Which cases the entries of composites.toml can affect: one predicate for each, on the case alone."""

from __future__ import annotations

from reference import SWALR, ChainedScheduler, CyclicLR, MultiplicativeLR, OneCycleLR, ReduceLROnPlateau, SequentialLR
from suite.engine.case import Case, is_composite
from suite.known.entries.places import Predicate, contains, in_chain, in_composite, in_first_phase, later, places


def _cycle_in_composite(case: Case) -> bool:
    """OneCycleLR or CyclicLR shares the optimizer with another scheduler."""
    return is_composite(case.schedule) and contains(OneCycleLR, CyclicLR)(case)


def _built_backwards(case: Case) -> bool:
    return case.setup.reverse and isinstance(case.schedule, ChainedScheduler)


def _different_targets(case: Case) -> bool:
    """More than one SWALR, with different target LRs."""
    return len({s.swa_lr for s, _ in places(case.schedule) if isinstance(s, SWALR)}) > 1


def _cycled_beta(case: Case) -> bool:
    """CyclicLR cycles the momentum of an optimizer that calls it beta1."""
    cycles = any(isinstance(s, CyclicLR) and s.cycle_momentum for s, _ in places(case.schedule))
    return cycles and case.setup.has_betas


#: Entry → the cases that it can affect; causes in the composition come before causes in the training loop.
PREDICATES: dict[str, Predicate] = {
    "plateau-inside-composite": contains(ReduceLROnPlateau, where=in_composite),
    "plateau-without-last-lr": lambda case: isinstance(case.schedule, ReduceLROnPlateau),
    "cyclic-without-beta": _cycled_beta,
    "composite-later-phase": lambda case: any(is_composite(s) and later(p) for s, p in places(case.schedule)),
    "multiplicative-later-phase": contains(MultiplicativeLR, where=later),
    "swalr-shared-goal": _different_targets,
    "swalr-later-phase": contains(SWALR, where=later),
    "sequential-inside-chain": contains(SequentialLR, where=in_chain),
    "chain-without-epoch": contains(ChainedScheduler, where=in_first_phase),
    "sequential-inside-blow-up": contains(SequentialLR, where=in_first_phase),
    "sequential-inside-first-phase": contains(SequentialLR, where=in_first_phase),
    "cycle-replaces-base-lr": _cycle_in_composite,
    "chain-as-first-phase": contains(ChainedScheduler, where=in_first_phase),
    "chain-built-backwards": _built_backwards,
}
