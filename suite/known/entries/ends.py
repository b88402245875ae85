"""Which cases the entries of ends.toml can affect."""

from __future__ import annotations

from reference import CosineAnnealingLR, CyclicLR, LinearLR, OneCycleLR
from suite.cases.experiments.far import LAST_CYCLE, Stepped
from suite.engine.case import Case
from suite.engine.tolerances import HALF
from suite.known.entries.places import Predicate, acted, both, places


def _reached(case: Case) -> int:
    """A step that the schedule does not go beyond."""
    started = sum(action.offset for action in case.setup.actions)
    return max(started + case.steps, *(jump + case.steps for jump in case.setup.jumps), 0)


def _completes_cycle(case: Case) -> bool:
    """All LRs of a OneCycleLR are used."""
    return any(isinstance(s, OneCycleLR) and s.max_lr and s.length <= _reached(case) for s, _ in places(case.schedule))


def _falls_to_zero(case: Case) -> bool:
    return any(isinstance(s, LinearLR) and s.end_factor == 0 for s, _ in places(case.schedule))


def _halves_too_often(case: Case) -> bool:
    """CyclicLR gets into the cycle whose power of 2 is too large."""
    for s, _ in places(case.schedule):
        if isinstance(s, CyclicLR) and s.mode == "triangular2" and s.scale_fn is None:
            down = s.step_size_up if s.step_size_down is None else s.step_size_down
            return (LAST_CYCLE - 1) * (s.step_size_up + down) <= _reached(case)
    return False


def _tensor(case: Case) -> bool:
    return case.setup.lr_type != "float"


def _half(case: Case) -> bool:
    return case.setup.precision in HALF


def _passes_minimum(case: Case) -> bool:
    """A CosineAnnealingLR comes past its minimum."""
    return any(isinstance(s, CosineAnnealingLR) and s.T_max <= _reached(case) for s, _ in places(case.schedule))


#: Entry → the cases that it can affect.
PREDICATES: dict[str, Predicate] = {
    "one-cycle-last-step": _completes_cycle,
    "linear-below-zero": _falls_to_zero,
    "cyclic-halving-overflows": _halves_too_often,
    "half-type-stuck": both(acted(Stepped), _half),
    "tensor-cosine-after-minimum": both(acted(Stepped), _tensor, _passes_minimum),
    "tensor-drifts": both(acted(Stepped), _tensor, lambda case: not _passes_minimum(case)),
}
