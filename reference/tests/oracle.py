"""Every warmup, decay and special schedule in 50-digit arithmetic, written from its formula alone.

Each entry of `KINDS` draws random parameters and returns an `Exact`: the schedule, its base LR,
the exact value at a step, and the factor by which rounding may be amplified there (derived in exact.py).
The decays are in oracle_decays.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from reference.hyperparameters import CosineWeightDecay, TeacherTemperature
from reference.noam import COUNTS, Noam
from reference.tests.exact import SQUARE, Exact, Random, base_of, constant, half_wave, small, steps_of
from reference.tests.oracle_decays import DECAY_KINDS
from reference.untuned import RAdamWarmup, UntunedExponentialWarmup, UntunedLinearWarmup
from reference.warmup import (
    ConstantWarmup,
    CosineWarmup,
    ExponentialWarmup,
    LinearWarmup,
    LogWarmup,
    PolynomialWarmup,
    StepWarmup,
)


def _warmup(kind: Callable[..., Any], shape: Callable[[Any, Any], Any], factor: Any = 1.0) -> Any:
    """A warmup with factor `shape(x, s)` while t < W, then 1."""

    def make(draw: Random) -> Exact:
        w, s, base = steps_of(draw), small(draw), base_of(draw)
        amount = factor(s) if callable(factor) else factor
        return Exact(
            kind(w, start_factor=s),
            base,
            lambda t: mpmath.mpf(base) * (shape(mpmath.mpf(t) / w, mpmath.mpf(s)) if t < w else 1),
            constant(amount),
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


def _log_warmup(draw: Random) -> Exact:
    w, s, base = steps_of(draw), small(draw), base_of(draw)

    def value(t: int) -> Any:
        share = mpmath.log(t + 1) / mpmath.log(w + 1)
        return mpmath.mpf(base) * (s + (1 - mpmath.mpf(s)) * share if t < w else 1)

    return Exact(LogWarmup(w, s), base, value, constant(1.0), w)


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
        constant(1.0),
        w,
    )


def _untuned_linear(draw: Random) -> Exact:
    beta, base = 1 - small(draw), base_of(draw)
    rest = 1 - mpmath.mpf(beta)
    return Exact(
        UntunedLinearWarmup(beta),
        base,
        lambda t: base * min(mpmath.mpf(1), (t + 1) * rest / 2),
        constant(1.0),
        10**6,
    )


def _untuned_exponential(draw: Random) -> Exact:
    beta, base = 1 - small(draw), base_of(draw)
    rest = 1 - mpmath.mpf(beta)
    return Exact(
        UntunedExponentialWarmup(beta),
        base,
        lambda t: -base * mpmath.expm1(-rest * (t + 1)),
        constant(1.0),
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


def _noam(count: str) -> Callable[[Random], Exact]:
    def make(draw: Random) -> Exact:
        w, d, factor, base = steps_of(draw), int(draw.integers(1, 20000)), base_of(draw), base_of(draw)

        def value(t: int) -> Any:
            s = mpmath.mpf({"from_one": t + 1, "max_one": max(t, 1), "from_zero": t}[count])
            if s == 0:
                return s
            peak = mpmath.mpf(base) * factor / mpmath.sqrt(d)
            return peak * min(1 / mpmath.sqrt(s), s * mpmath.mpf(w) ** mpmath.mpf("-1.5"))

        return Exact(Noam(w, d, factor, count), base, value, constant(1.0), w)

    return make


def _weight_decay(draw: Random) -> Exact:
    first, final, total = base_of(draw), base_of(draw), steps_of(draw)

    def value(t: int) -> Any:
        return final + (mpmath.mpf(first) - final) * half_wave(mpmath.mpf(min(t, total)) / total)

    return Exact(CosineWeightDecay(first, final, total), 1.0, value, constant(SQUARE), total)


def _teacher(draw: Random) -> Exact:
    first, final, w = base_of(draw), base_of(draw), steps_of(draw, 2)

    def value(t: int) -> Any:
        return first + (mpmath.mpf(final) - first) * mpmath.mpf(min(t, w - 1)) / (w - 1)

    return Exact(TeacherTemperature(first, final, w), 1.0, value, constant(1.0), w)


KINDS: dict[str, Callable[[Random], Exact]] = {
    "constant": _warmup(ConstantWarmup, lambda x, s: s),
    "linear": _warmup(LinearWarmup, lambda x, s: s + (1 - s) * x),
    "exponential": _warmup(ExponentialWarmup, lambda x, s: s ** (1 - x), lambda s: 1 + abs(np.log(s))),
    "cosinewarmup": _warmup(CosineWarmup, lambda x, s: s + (1 - s) * half_wave(1 - x), SQUARE),
    "polynomialwarmup": _power_warmup,
    "logwarmup": _log_warmup,
    "stepwise": _stepwise,
    "untunedlinear": _untuned_linear,
    "untunedexponential": _untuned_exponential,
    "radam": _radam,
    **DECAY_KINDS,
    **{f"noam_{count}": _noam(count) for count in COUNTS},
    "weightdecay": _weight_decay,
    "teachertemp": _teacher,
}
