"""Random compositions for Hypothesis: every torch scheduler, nested to depth 3; `random_cases` adds the setups.

Left out, because it would compare nothing or is tested elsewhere:

* factors below 0.05 and growth above 1.1: after thirty steps the rates round to 0 or swamp the rest;
* a gamma of 0: after the first drop every later factor is multiplied by 0 and cannot be observed;
* ReduceLROnPlateau inside a composite, the base class, and invalid arguments: refused, see `compositions`;
* pct_start = 1 in OneCycleLR, which leaves no step for its fall;
* more parts than the tolerances are derived for: see `within_tolerances`.
"""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from reference import (
    SWALR,
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
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

from .schedules.compositions import singles

Schedules = st.SearchStrategy[Schedule]

#: Classes with a strategy in this file; any other is drawn from `singles`.
DRAWN = (
    *(StepLR, MultiStepLR, ConstantLR, LinearLR, ExponentialLR, PolynomialLR, LambdaLR, MultiplicativeLR),
    *(CosineAnnealingLR, CosineAnnealingWarmRestarts, OneCycleLR, CyclicLR, SWALR),
    *(ReduceLROnPlateau, SequentialLR, ChainedScheduler),
)

#: Maximum number of scheduler steps in a random case; lengths stay below `tolerances`' 24.
STEPS = 16

lengths = st.integers(1, 12)
shares = st.floats(0.05, 1.0)
growths = st.floats(0.5, 1.1)
#: A learning rate given in absolute terms: below, among and above the base LRs of a setup.
rates = st.floats(1e-3, 0.5)
floors = st.one_of(st.just(0.0), rates)
annealing = st.sampled_from(["cos", "linear"])
momenta = st.floats(0.5, 0.99)


def mostly(usual: st.SearchStrategy[Any], rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw `rare` one time in five: known deviations would hide the others if they were more frequent."""
    return st.sampled_from([usual] * 4 + [rare]).flatmap(lambda chosen: chosen)


def _factors(shortest: int) -> list[Schedules]:
    """The schedulers that are a factor of the base LR, with phases of at least `shortest` steps."""
    phases = mostly(lengths, st.integers(shortest, 1))
    marks = st.lists(lengths, max_size=4).map(tuple)
    return [
        st.builds(StepLR, lengths, growths),
        st.builds(MultiStepLR, marks, growths),
        st.builds(ConstantLR, shares if shortest else mostly(shares, st.just(0.0)), phases),
        st.builds(LinearLR, shares, st.one_of(st.just(0.0), st.just(1.0), shares), phases),
        st.builds(ExponentialLR, growths),
        st.builds(PolynomialLR, phases, st.floats(0.3, 3.0)),
    ]


def factors(shortest: int = 0) -> Schedules:
    """A scheduler that is a factor of the base LR."""
    return st.one_of(_factors(shortest))


def lambdas(shortest: int = 0) -> Schedules:
    """LambdaLR and its function."""
    return st.builds(LambdaLR, factors(shortest))


def cosines() -> Schedules:
    """CosineAnnealingLR; most runs are longer, so the LR rises again."""
    return st.builds(CosineAnnealingLR, lengths, floors)


def restarts() -> Schedules:
    """CosineAnnealingWarmRestarts with cycles of equal and of growing length."""
    return st.builds(CosineAnnealingWarmRestarts, st.integers(1, 6), st.integers(1, 3), floors)


def one_cycles() -> Schedules:
    """OneCycleLR, long enough for most runs, sometimes with a rise of zero steps."""
    return st.builds(
        OneCycleLR,
        rates,
        st.integers(STEPS + 1, 40),
        pct_start=mostly(st.floats(0.1, 0.95), st.just(0.0)),
        anneal_strategy=annealing,
        cycle_momentum=st.booleans(),
        base_momentum=momenta,
        max_momentum=momenta,
        div_factor=st.floats(1.0, 30.0),
        final_div_factor=st.floats(1.0, 1e4),
        three_phase=st.booleans(),
    )


@st.composite
def triangles(draw: st.DrawFn) -> Schedule:
    """CyclicLR in its modes and with a scale_fn; one of its two flanks may be empty."""
    up, down = draw(
        mostly(
            st.tuples(st.integers(1, 6), st.one_of(st.none(), st.integers(0, 6))),
            st.tuples(st.just(0), st.integers(1, 6)),
        )
    )
    return CyclicLR(
        draw(rates),
        draw(rates),
        up,
        down,
        mode=draw(st.sampled_from(["triangular", "triangular2", "exp_range"])),
        gamma=draw(growths),
        scale_fn=draw(st.one_of(st.none(), factors())),
        scale_mode=draw(st.sampled_from(["cycle", "iterations"])),
        cycle_momentum=draw(st.booleans()),
        base_momentum=draw(momenta),
        max_momentum=draw(momenta),
    )


def plateaus(metrics: int = STEPS) -> Schedules:
    """ReduceLROnPlateau with a metric for each step: like a loss, of both signs, or not even a number."""
    any_metric = st.one_of(st.floats(0.1, 2.0), st.floats(-2.0, 2.0), st.sampled_from((math.nan, math.inf, -math.inf)))
    values = st.lists(any_metric, min_size=metrics, max_size=metrics).map(tuple)
    return st.builds(
        ReduceLROnPlateau,
        values,
        st.sampled_from(["min", "max"]),
        st.floats(0.05, 0.95),
        st.integers(0, 4),
        st.floats(0.0, 0.3),
        st.sampled_from(["rel", "abs"]),
        st.integers(0, 3),
        floors,
        st.sampled_from([1e-8, 1e-2]),
    )


def leaves() -> Schedules:
    """A scheduler of any class that a composite accepts."""
    others = [schedule for schedule in singles() if not isinstance(schedule, DRAWN)]
    return st.one_of(
        *_factors(0),
        lambdas(),
        st.builds(MultiplicativeLR, factors()),
        cosines(),
        restarts(),
        one_cycles(),
        triangles(),
        st.builds(SWALR, rates, st.integers(0, 12), annealing),
        *([st.sampled_from(others)] if others else []),
    )


@st.composite
def sequentials(draw: st.DrawFn, parts: Schedules) -> Schedule:
    """SequentialLR of one to three parts; milestones may be 0, equal, or beyond the end."""
    chosen = draw(st.lists(parts, min_size=1, max_size=3))
    count = len(chosen) - 1
    places = draw(st.lists(st.integers(0, STEPS + 4), min_size=count, max_size=count))
    return SequentialLR(tuple(chosen), tuple(sorted(places)))


def chains(parts: Schedules) -> Schedules:
    """ChainedScheduler of one to three parts."""
    return st.lists(parts, min_size=1, max_size=3).map(lambda chosen: ChainedScheduler(tuple(chosen)))


@st.composite
def compositions(draw: st.DrawFn, parts: Schedules, depth: int = 3) -> Schedule:
    """A part, or a composite of such compositions, down to `depth` levels."""
    # Drawn in two steps: one flat choice would be a single scheduler nine times out of ten.
    kind = draw(st.sampled_from(["part", "sequential", "chain"])) if depth else "part"
    if kind == "part":
        return draw(parts)
    below = compositions(parts, depth - 1)
    return draw(sequentials(below) if kind == "sequential" else chains(below))


def sound_leaves() -> Schedules:
    """A scheduler without any known deviation, in any position of the compositions below."""
    return st.one_of(*_factors(1), lambdas(1), cosines(), restarts())


def sound() -> Schedules:
    """Compositions without any known deviation: leaves, flat sequences of them, chains of chains."""
    leaf = sound_leaves()
    chain = chains(leaf)
    return st.one_of(leaf, sequentials(leaf), chain, chains(st.one_of(leaf, chain, chains(chain))))


def leaf_list(schedule: Schedule) -> list[Schedule]:
    """The single schedulers of a composition, from left to right."""
    parts = getattr(schedule, "schedulers", None)
    return [schedule] if parts is None else [leaf for part in parts for leaf in leaf_list(part)]


def within_tolerances(schedule: Schedule) -> bool:
    """Few enough parts for the 24·128 roundings a step of `tolerances`.

    Sums (CosineAnnealingLR, SWALR) take 8 roundings, amplified by up to 117: three of them make 2808.
    The other parts only multiply, with up to 12 roundings and no amplification: nine of them make 108.
    """
    parts = leaf_list(schedule)
    return len(parts) <= 9 and sum(isinstance(part, CosineAnnealingLR | SWALR) for part in parts) <= 3
