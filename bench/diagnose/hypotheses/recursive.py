"""Hypotheses of schedulers that compute the next LR from the present one, read or written at the wrong moment.

The recursions are those of torch.optim.lr_scheduler (release 2.13.0): each class multiplies the LR that it finds, or
the part of it above eta_min, by the ratio of two consecutive values of its formula.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from reference import (
    ConstantDecay,
    CosineDecay,
    ExponentialDecay,
    LinearWarmup,
    OneCycleLR,
    PolynomialDecay,
    WarmupDecay,
)
from reference.check import Rates, Steps

from .anatomy import SAME, decay_length, with_length
from .curves import evaluated, switched
from .evidence import Evidence, Hypothesis, LRFunction
from .resumes import recursive_floor
from .scales import TIMED, no_warmup, warmup_alone

#: OneCycleLR starts at this part of max_lr (div_factor).
CYCLE_START = 25.0
#: What a decay by equal ratios adds to the cost of a warmup written over it.
EQUAL_RATIOS = 1.3
#: Even stairs have at least this many drops; what ReduceLROnPlateau leaves out (its default eps).
DROPS, PLATEAU_EPS = 3, 1e-8
#: The ways to write a warmup of W steps by hand: the numbers a and b of (t + a)/(W + b).
WRITTEN = ((1, 0), (0, 0), (0, -1), (1, 1))


def recursive(evidence: Evidence) -> Iterator[Hypothesis]:
    """Every recursion that could have been disturbed."""
    yield from _bad_epochs(evidence)
    yield from _warmup_again(evidence)
    if evidence.anatomy.pair is None:
        return
    yield from _get_lr(evidence)
    yield from _written_over(evidence, evidence.anatomy.pair)
    yield from _cycle_behind(evidence)
    yield from _decay_from_zero(evidence)


def _get_lr(evidence: Evidence) -> Iterator[Hypothesis]:
    """get_lr() between two steps: the recursion applied once more to the LR in use."""
    expected, pair = evidence.anatomy, evidence.anatomy.pair
    assert pair is not None
    w, low = expected.warmup_steps, recursive_floor(expected)
    if w and decay_length(pair.decay) is not None:
        return  # a SequentialLR has no recursion of its own
    # What each class multiplies by at step 0, where its formula has no step before.
    first = expected.first - low
    before_first = first
    if w:  # LinearLR and ConstantLR: the start factor
        before_first = expected.pair_base - low
    elif isinstance(pair.decay, CosineDecay):  # the wave is even
        before_first = float(expected.at(np.array([1]))[0]) - low
    elif isinstance(pair.decay, ExponentialDecay) and pair.decay.gamma is not None:
        before_first = first / pair.decay.gamma
    elif isinstance(pair.decay, PolynomialDecay) and pair.decay.decay_steps:
        before_first = first * (1 + 1 / pair.decay.decay_steps) ** pair.decay.power

    def at(t: Steps) -> Rates:
        now = expected.at(t) - low
        before = np.where(t == 0, before_first, expected.at(t - 1) - low)
        return np.asarray(low + now * np.where(before == 0, 1.0, now / np.where(before == 0, 1.0, before)))

    yield Hypothesis("get-lr-logged", at)


def _bad_epochs(evidence: Evidence) -> Iterator[Hypothesis]:
    """Even stairs by one factor, as ReduceLROnPlateau makes them where every epoch counts as bad.

    The first stair is longer by the epoch that sets the best metric; a change of at most eps (1e-8) is left out.
    """
    y, tol = evidence.y, evidence.tol
    fell = np.flatnonzero(y[1:] < y[:-1] - tol[1:] - tol[:-1]) + 1
    if fell.size < DROPS or y.min() <= 0:
        return
    gaps = np.diff(evidence.t[fell])
    ratios = y[fell] / y[fell - 1]
    c = float(f"{np.median(ratios):.2g}")
    n = round(float(evidence.t[fell[-1]] - evidence.t[fell[0]]) / (fell.size - 1))
    if not 0 < c < 1 or np.abs(ratios - c).max() > 0.02 or np.ptp(gaps) > 2 * evidence.stride:
        return
    top = float(y[0])
    most = int(np.log(PLATEAU_EPS / (1 - c) / top) / np.log(c)) + 1 if top * (1 - c) > PLATEAU_EPS else 0
    last = int(evidence.t[fell[-1]])
    for period in range(max(1, n - 1), n + 2):
        for place in evidence.gap(int(fell[0])):
            if evidence.stride > 1 and (last - place) // period > fell.size:
                continue

            def at(t: Steps, period: int = period, place: int = place) -> Rates:
                drops = np.clip((t - place) // period + 1, 0, most)
                return np.asarray(top * np.power(c, drops.astype(np.float64)))

            yield Hypothesis("plateau-wrong-mode", at, {"n": period, "c": c, "r": place})


def _written_over(evidence: Evidence, pair: WarmupDecay) -> Iterator[Hypothesis]:
    """A warmup written into the optimizer over a scheduler that multiplies the LR it finds."""
    expected = evidence.anatomy
    w, base, total = expected.warmup_steps, expected.pair_base, expected.total
    warm = warmup_alone(expected)
    if w < 1 or warm is None or isinstance(pair.decay, ConstantDecay):
        return
    # Equal ratios forget when they started: then it is one phase times a factor, of which there are other causes.
    extra = EQUAL_RATIOS if isinstance(pair.decay, ExponentialDecay) and pair.decay.gamma is not None else 0.0
    written: list[LRFunction] = [evaluated(warm, base)]
    written += [_line(base, a, max(w + b, 1)) for a, b in WRITTEN]
    own = decay_length(pair.decay)
    lengths = dict.fromkeys(n for n in (total, own, own and own + w) if n)
    decays = [pair.decay] if own is None else [with_length(pair.decay, n) for n in lengths]
    for rise in written:
        for decay in decays:
            for low in {0.0, recursive_floor(expected)}:
                if decay is None:
                    continue
                if isinstance(decay, TIMED):
                    decay = dataclasses.replace(decay, min_lr=low)
                curve = evaluated(dataclasses.replace(pair, warmup=LinearWarmup(0), decay=decay), base)
                start, here = (float(f(np.array([w - 1]))[0]) for f in (rise, curve))
                if here == low or here >= base * (1 - SAME) or not np.isfinite(start):
                    continue  # a decay that has not moved during the warmup is as expected
                at = switched(w, rise, _above(curve, low, (start - low) / (here - low)))
                yield Hypothesis("hand-warmup-over-recursive", at, {"c": start / here, "r": w}, extra=extra)


def _line(top: float, ahead: int, steps: int) -> LRFunction:
    """A warmup in a line up to `top`, and `top` from there on."""
    return lambda t: np.asarray(top * np.clip((t + ahead) / steps, 0.0, 1.0))


def _product(first: LRFunction, second: LRFunction, t: Steps) -> Rates:
    return np.asarray(first(t) * second(t))


def _above(at: LRFunction, low: float, c: float) -> LRFunction:
    return lambda t: low + c * (at(t) - low)


def _cycle_behind(evidence: Evidence) -> Iterator[Hypothesis]:
    """OneCycleLR as the phase behind a warmup: the warmup leads to where the cycle starts."""
    expected, total = evidence.anatomy, evidence.anatomy.total
    w, base = expected.warmup_steps, expected.pair_base
    warm = warmup_alone(expected)
    if total is None or w < 1 or warm is None:
        return
    rise = evaluated(warm, base / CYCLE_START)
    for length in dict.fromkeys((total - w, total - w + 1, total - w + 2, total)):
        if length < 3:
            continue
        cycle = OneCycleLR(base, total_steps=length)

        def at(t: Steps, cycle: OneCycleLR = cycle) -> Rates:
            return cycle(np.clip(t - w, 0, cycle.length - 1), base)

        yield Hypothesis("torch-cycle-base", switched(w, rise, at))


def _warmup_again(evidence: Evidence) -> Iterator[Hypothesis]:
    """A second warmup over the first: the same one, or one that counts otherwise."""
    expected, warm = evidence.anatomy, warmup_alone(evidence.anatomy)
    w = expected.warmup_steps
    if w == 0:
        return
    again: list[LRFunction] = [] if warm is None else [evaluated(warm, 1.0)]
    again += [_line(1.0, a, max(w + b, 1)) for a, b in WRITTEN]
    for factor in again:
        yield Hypothesis("warmup-twice", functools.partial(_product, expected.at, factor))


def _decay_from_zero(evidence: Evidence) -> Iterator[Hypothesis]:
    """The warmup as expected, then the decay on a clock that has counted from step 0."""
    expected, pair = evidence.anatomy, evidence.anatomy.pair
    warm = warmup_alone(expected)
    if pair is None or warm is None or expected.warmup_steps == 0 or pair.convention.clock != "prefix":
        return
    w, own = expected.warmup_steps, decay_length(pair.decay)
    lengths = dict.fromkeys(n for n in (expected.total, own) if n)
    decays = [pair.decay] if own is None else [with_length(pair.decay, n) for n in lengths]
    for decay in decays:
        if decay is not None:
            tail = dataclasses.replace(pair, warmup=no_warmup(0), decay=decay)
            at = switched(w, evaluated(warm, expected.pair_base), evaluated(tail, expected.pair_base))
            first, value = (float(v) for v in evaluated(tail, expected.pair_base)(np.array([0, w])))
            if value >= first * (1 - SAME):
                continue  # it does not move during the warmup: the same as both at once
            yield Hypothesis("decay-counts-from-zero", at, {"r": w, "value": value})
