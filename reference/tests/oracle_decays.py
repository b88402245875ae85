"""Every decay in 50-digit arithmetic, written from its formula alone; see oracle.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath

from reference.decay import ExponentialDecay, InverseSqrtDecay, MultiStepDecay, PiecewiseDecay, StepDecay
from reference.restarts import SHRINKS, CosineRestartsDecay, WarmRestartsDecay
from reference.tests.exact import SQUARE, Exact, Random, base_of, constant, half_wave, small, steps_of
from reference.timed_decay import CosineDecay, LinearDecay, PolynomialDecay, StableDecay, TanhDecay


def _timed(kind: Callable[..., Any], share: Callable[[Any], Any], factor: float) -> Any:
    """A decay to min_lr with the remaining share `share(p)`."""

    def make(draw: Random) -> Exact:
        length, base = steps_of(draw), base_of(draw)
        low = base * small(draw) if draw.random() < 0.7 else 0.0

        def value(t: int) -> Any:
            left = share(min(mpmath.mpf(t) / length, mpmath.mpf(1)))
            return mpmath.mpf(low) + (mpmath.mpf(base) - low) * left

        return Exact(kind(length, min_lr=low), base, value, constant(factor), length)

    return make


def _power_decay(draw: Random) -> Exact:
    power = float(draw.uniform(0.2, 4))
    make = _timed(lambda n, min_lr: PolynomialDecay(n, power, min_lr), lambda p: (1 - p) ** power, 1 + power)
    return make(draw)  # type: ignore[no-any-return]  # built by the untyped helper above


def _stable(shape: str, share: Callable[[Any], Any], factor: float) -> Any:
    def make(draw: Random) -> Exact:
        stable, decay = steps_of(draw), _timed(lambda n, min_lr: (n, min_lr), share, factor)(draw)
        length, low = decay.schedule
        schedule = StableDecay(stable, length, shape, low)
        return Exact(schedule, decay.base, lambda t: decay.value(max(t - stable, 0)), decay.factor, stable + length)

    return make


def _geometric(draw: Random) -> Exact:
    stable, fall = steps_of(draw), _exponential_to(draw)
    decay = fall.schedule
    assert isinstance(decay, ExponentialDecay)
    schedule = StableDecay(stable, fall.length, "geometric", decay.min_lr)
    return Exact(schedule, fall.base, lambda t: fall.value(max(t - stable, 0)), fall.factor, stable + fall.length)


def _tanh(draw: Random) -> Exact:
    lower, upper, base = float(draw.uniform(-9, -1)), float(draw.uniform(0, 5)), base_of(draw)
    length, low = steps_of(draw), base * small(draw)

    def value(t: int) -> Any:
        p = mpmath.mpf(t) / length
        share = (1 - mpmath.tanh(lower * (1 - p) + upper * p)) / 2 if t < length else mpmath.mpf(0)
        return low + (mpmath.mpf(base) - low) * share

    # The argument z of e^(2z) is a sum of two terms up to |a| and |b|, each of a rounded quotient.
    factor = 1 + 2 * (abs(lower) + abs(upper))
    return Exact(TanhDecay(length, lower, upper, low), base, value, constant(factor), length)


def _hard_restarts(draw: Random) -> Exact:
    cycles, base = int(draw.integers(1, 9)), base_of(draw)
    length, low = steps_of(draw), base * small(draw)

    def value(t: int) -> Any:
        share = half_wave(mpmath.mpf(t * cycles % length) / length) if t < length else mpmath.mpf(0)
        return low + (mpmath.mpf(base) - low) * share

    return Exact(CosineRestartsDecay(length, cycles, low), base, value, constant(SQUARE), length)


def _warm_restarts(draw: Random) -> Exact:
    # A short first wave restarts so often that the LR would be below the smallest number.
    first, growth, base = steps_of(draw, 2000), int(draw.integers(1, 4)), base_of(draw)
    shrink, low, shrinks = float(draw.uniform(0.3, 1)), base * small(draw), SHRINKS[int(draw.integers(3))]

    def value(t: int) -> Any:
        start, length, height = 0, first, mpmath.mpf(1)
        while t >= start + length:
            start, length, height = start + length, length * growth, height * shrink
        wave = half_wave(mpmath.mpf(t - start) / length)
        if shrinks == "all":
            return height * (low + (mpmath.mpf(base) - low) * wave)
        return low + (height * (mpmath.mpf(base) - low) if shrinks == "range" else height * base - low) * wave

    def factor(t: int) -> float:
        # The top alone is lowered: 1 − c is off by half an ulp of 1, times the floor.
        return SQUARE + (low / float(value(t)) if shrinks == "top" else 0.0)

    return Exact(WarmRestartsDecay(first, growth, shrink, shrinks, low), base, value, factor, 3 * first)


def _exponential_to(draw: Random) -> Exact:
    length, base = steps_of(draw), base_of(draw)
    low = base * small(draw)
    ratio = mpmath.mpf(low) / mpmath.mpf(base)

    def value(t: int) -> Any:
        return mpmath.mpf(base) * ratio ** min(mpmath.mpf(t) / length, mpmath.mpf(1))

    factor = 2 + abs(float(mpmath.log(ratio)))
    return Exact(ExponentialDecay(length, low), base, value, constant(factor), length)


def _per_step(draw: Random) -> Exact:
    gamma, base = 1 - float(10 ** draw.uniform(-6, -3.8)), base_of(draw)  # still above 1e-80 after 1e6 steps
    return Exact(
        ExponentialDecay(gamma=gamma),
        base,
        lambda t: mpmath.mpf(base) * mpmath.mpf(gamma) ** t,
        constant(1.0),
        10**6,
    )


def _step(draw: Random) -> Exact:
    size, gamma, base = int(draw.integers(20_000, 10**6)), float(draw.uniform(0.05, 1)), base_of(draw)
    return Exact(
        StepDecay(size, gamma),
        base,
        lambda t: mpmath.mpf(base) * mpmath.mpf(gamma) ** (t // size),
        constant(1.0),
        size,
    )


def _multistep(draw: Random) -> Exact:
    marks = tuple(sorted(int(m) for m in draw.integers(0, 10**6, 5)))
    gamma, base = float(draw.uniform(0.05, 1)), base_of(draw)
    return Exact(
        MultiStepDecay(marks, gamma),
        base,
        lambda t: mpmath.mpf(base) * mpmath.mpf(gamma) ** sum(m <= t for m in marks),
        constant(1.0),
        marks[2],
    )


def _piecewise(draw: Random) -> Exact:
    marks = tuple(sorted(int(m) for m in draw.integers(0, 10**6, 3)))
    factors, base = tuple(float(f) for f in draw.uniform(0, 1, 3)), base_of(draw)

    def value(t: int) -> Any:
        return mpmath.mpf(base) * (1.0, *factors)[sum(m <= t for m in marks)]

    return Exact(PiecewiseDecay(marks, factors), base, value, constant(1.0), marks[1])


def _inverse_sqrt(draw: Random) -> Exact:
    k, base = steps_of(draw), base_of(draw)
    return Exact(InverseSqrtDecay(k), base, lambda t: base / mpmath.sqrt(mpmath.mpf(t + k) / k), constant(1.0), k)


def _stable_inverse_sqrt(draw: Random) -> Exact:
    k, stable, base = steps_of(draw), steps_of(draw), base_of(draw)
    low = base * small(draw)

    def value(t: int) -> Any:
        return max(base / mpmath.sqrt(mpmath.mpf(max(t - stable, 0) + k) / k), mpmath.mpf(low))

    return Exact(InverseSqrtDecay(k, stable, low), base, value, constant(1.0), stable + k)


DECAY_KINDS: dict[str, Callable[[Random], Exact]] = {
    "lineardecay": _timed(LinearDecay, lambda p: 1 - p, 1.0),
    "cosine": _timed(CosineDecay, half_wave, SQUARE),
    "polynomial": _power_decay,
    "exponentialdecay": _exponential_to,
    "exponentialdecay_gamma": _per_step,
    "step": _step,
    "multistep": _multistep,
    "piecewise": _piecewise,
    "invsqrt": _inverse_sqrt,
    "invsqrt_stable": _stable_inverse_sqrt,
    "tanh": _tanh,
    "cosinerestarts": _hard_restarts,
    "restarts": _warm_restarts,
    "wsd_linear": _stable("linear", lambda p: 1 - p, 1.0),
    "wsd_cosine": _stable("cosine", half_wave, SQUARE),
    "wsd_sqrt": _stable("sqrt", lambda p: 1 - mpmath.sqrt(p), 1.0),
    "wsd_exponential": _stable("exponential", lambda p: 2 * mpmath.mpf(0.5) ** p - 1, SQUARE),
    "wsd_geometric": _geometric,
}
