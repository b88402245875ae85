"""Every warmup, decay and special schedule in 50-digit arithmetic, written from its formula alone.

Each entry of `KINDS` draws random parameters and returns an `Exact`: the schedule, its base LR,
the exact value at a step, and the factor by which rounding may be amplified there (derived in exact.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from reference.decay import ExponentialDecay, InverseSqrtDecay, MultiStepDecay, StepDecay
from reference.hyperparameters import CosineWeightDecay, TeacherTemperature
from reference.noam import COUNTS, Noam
from reference.tests.exact import SQUARE, Exact, Random, base_of, half_wave, small, steps_of
from reference.timed_decay import CosineDecay, LinearDecay, PolynomialDecay, StableDecay
from reference.untuned import RAdamWarmup, UntunedExponentialWarmup, UntunedLinearWarmup
from reference.warmup import ConstantWarmup, CosineWarmup, ExponentialWarmup, LinearWarmup, PolynomialWarmup, StepWarmup


def _constant(amount: float) -> Callable[[int], float]:
    return lambda t: amount


def _warmup(kind: Callable[..., Any], shape: Callable[[Any, Any], Any], factor: Any = 1.0) -> Any:
    """A warmup with factor `shape(x, s)` while t < W, then 1."""

    def make(draw: Random) -> Exact:
        w, s, base = steps_of(draw), small(draw), base_of(draw)
        amount = factor(s) if callable(factor) else factor
        return Exact(
            kind(w, start_factor=s),
            base,
            lambda t: mpmath.mpf(base) * (shape(mpmath.mpf(t) / w, mpmath.mpf(s)) if t < w else 1),
            _constant(amount),
            w,
        )

    return make


def _power_warmup(draw: Random) -> Exact:
    power = float(draw.uniform(0.2, 4))
    make = _warmup(
        lambda w, start_factor: PolynomialWarmup(w, power, start_factor),
        lambda x, s: s + (1 - s) * x**power,
        1 + power,
    )
    return make(draw)  # type: ignore[no-any-return]  # built by the untyped helper above


def _stepwise(draw: Random) -> Exact:
    w, levels, gamma, base = (
        steps_of(draw),
        int(draw.integers(1, 30)),
        float(draw.uniform(1.01, 4)),
        base_of(draw),
    )
    return Exact(
        StepWarmup(w, levels, gamma),
        base,
        lambda t: mpmath.mpf(base) * mpmath.mpf(gamma) ** (levels * t // w - levels if t < w else 0),
        _constant(1.0),
        w,
    )


def _untuned_linear(draw: Random) -> Exact:
    beta, base = 1 - small(draw), base_of(draw)
    rest = 1 - mpmath.mpf(beta)
    return Exact(
        UntunedLinearWarmup(beta),
        base,
        lambda t: base * min(mpmath.mpf(1), (t + 1) * rest / 2),
        _constant(1.0),
        10**6,
    )


def _untuned_exponential(draw: Random) -> Exact:
    beta, base = 1 - small(draw), base_of(draw)
    rest = 1 - mpmath.mpf(beta)
    return Exact(
        UntunedExponentialWarmup(beta),
        base,
        lambda t: -base * mpmath.expm1(-rest * (t + 1)),
        _constant(1.0),
        10**6,
    )


def _radam(draw: Random) -> Exact:
    beta, threshold, base = 1 - float(10 ** draw.uniform(-5, -0.6)), int(draw.integers(4, 6)), base_of(draw)
    b = mpmath.mpf(beta)
    limit = 2 / (1 - b) - 1

    def rho(t: int) -> Any:
        s = t + 1
        return limit - 2 * s * b**s / (1 - b**s)

    def value(t: int) -> Any:
        r = rho(t)
        if r <= threshold:
            return mpmath.mpf(0)
        return base * mpmath.sqrt((r - 4) * (r - 2) * limit / ((limit - 4) * (limit - 2) * r))

    def rectified(t: int) -> float:
        r = rho(t)
        terms = r / (r - 4) + r / (r - 2) + limit / (limit - 4) + limit / (limit - 2) + 2
        return 1 + float(abs(terms)) / 2

    return Exact(RAdamWarmup(beta, threshold), base, value, rectified, round(20 / (1 - beta)))


def _timed(kind: Callable[..., Any], share: Callable[[Any], Any], factor: float) -> Any:
    """A decay to min_lr with the remaining share `share(p)`."""

    def make(draw: Random) -> Exact:
        length, base = steps_of(draw), base_of(draw)
        low = base * small(draw) if draw.random() < 0.7 else 0.0

        def value(t: int) -> Any:
            left = share(min(mpmath.mpf(t) / length, mpmath.mpf(1)))
            return mpmath.mpf(low) + (mpmath.mpf(base) - low) * left

        return Exact(kind(length, min_lr=low), base, value, _constant(factor), length)

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


def _exponential_to(draw: Random) -> Exact:
    length, base = steps_of(draw), base_of(draw)
    low = base * small(draw)
    ratio = mpmath.mpf(low) / mpmath.mpf(base)

    def value(t: int) -> Any:
        return mpmath.mpf(base) * ratio ** min(mpmath.mpf(t) / length, mpmath.mpf(1))

    factor = 2 + abs(float(mpmath.log(ratio)))
    return Exact(ExponentialDecay(length, low), base, value, _constant(factor), length)


def _per_step(draw: Random) -> Exact:
    gamma, base = 1 - float(10 ** draw.uniform(-6, -3.8)), base_of(draw)  # still above 1e-80 after 1e6 steps
    return Exact(
        ExponentialDecay(gamma=gamma),
        base,
        lambda t: mpmath.mpf(base) * mpmath.mpf(gamma) ** t,
        _constant(1.0),
        10**6,
    )


def _step(draw: Random) -> Exact:
    size, gamma, base = int(draw.integers(20_000, 10**6)), float(draw.uniform(0.05, 1)), base_of(draw)
    return Exact(
        StepDecay(size, gamma),
        base,
        lambda t: mpmath.mpf(base) * mpmath.mpf(gamma) ** (t // size),
        _constant(1.0),
        size,
    )


def _multistep(draw: Random) -> Exact:
    marks = tuple(sorted(int(m) for m in draw.integers(0, 10**6, 5)))
    gamma, base = float(draw.uniform(0.05, 1)), base_of(draw)
    return Exact(
        MultiStepDecay(marks, gamma),
        base,
        lambda t: mpmath.mpf(base) * mpmath.mpf(gamma) ** sum(m <= t for m in marks),
        _constant(1.0),
        marks[2],
    )


def _inverse_sqrt(draw: Random) -> Exact:
    k, base = steps_of(draw), base_of(draw)
    return Exact(InverseSqrtDecay(k), base, lambda t: base / mpmath.sqrt(mpmath.mpf(t + k) / k), _constant(1.0), k)


def _noam(count: str) -> Callable[[Random], Exact]:
    def make(draw: Random) -> Exact:
        w, d, factor, base = steps_of(draw), int(draw.integers(1, 20000)), base_of(draw), base_of(draw)

        def value(t: int) -> Any:
            s = mpmath.mpf({"from_one": t + 1, "max_one": max(t, 1), "from_zero": t}[count])
            if s == 0:
                return s
            peak = mpmath.mpf(base) * factor / mpmath.sqrt(d)
            return peak * min(1 / mpmath.sqrt(s), s * mpmath.mpf(w) ** mpmath.mpf("-1.5"))

        return Exact(Noam(w, d, factor, count), base, value, _constant(1.0), w)

    return make


def _weight_decay(draw: Random) -> Exact:
    first, final, total = base_of(draw), base_of(draw), steps_of(draw)

    def value(t: int) -> Any:
        return final + (mpmath.mpf(first) - final) * half_wave(mpmath.mpf(min(t, total)) / total)

    return Exact(CosineWeightDecay(first, final, total), 1.0, value, _constant(SQUARE), total)


def _teacher(draw: Random) -> Exact:
    first, final, w = base_of(draw), base_of(draw), steps_of(draw, 2)

    def value(t: int) -> Any:
        return first + (mpmath.mpf(final) - first) * mpmath.mpf(min(t, w - 1)) / (w - 1)

    return Exact(TeacherTemperature(first, final, w), 1.0, value, _constant(1.0), w)


KINDS: dict[str, Callable[[Random], Exact]] = {
    "constant": _warmup(ConstantWarmup, lambda x, s: s),
    "linear": _warmup(LinearWarmup, lambda x, s: s + (1 - s) * x),
    "exponential": _warmup(ExponentialWarmup, lambda x, s: s ** (1 - x), lambda s: 1 + abs(np.log(s))),
    "cosinewarmup": _warmup(CosineWarmup, lambda x, s: s + (1 - s) * half_wave(1 - x), SQUARE),
    "polynomialwarmup": _power_warmup,
    "stepwise": _stepwise,
    "untunedlinear": _untuned_linear,
    "untunedexponential": _untuned_exponential,
    "radam": _radam,
    "lineardecay": _timed(LinearDecay, lambda p: 1 - p, 1.0),
    "cosine": _timed(CosineDecay, half_wave, SQUARE),
    "polynomial": _power_decay,
    "exponentialdecay": _exponential_to,
    "exponentialdecay_gamma": _per_step,
    "step": _step,
    "multistep": _multistep,
    "invsqrt": _inverse_sqrt,
    "wsd_linear": _stable("linear", lambda p: 1 - p, 1.0),
    "wsd_cosine": _stable("cosine", half_wave, SQUARE),
    "wsd_sqrt": _stable("sqrt", lambda p: 1 - mpmath.sqrt(p), 1.0),
    **{f"noam_{count}": _noam(count) for count in COUNTS},
    "weightdecay": _weight_decay,
    "teachertemp": _teacher,
}
