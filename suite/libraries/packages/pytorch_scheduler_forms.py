"""The closed forms in the docstrings of pytorch-scheduler."""

from __future__ import annotations

import numpy as np

from reference import (
    CosineAnnealingLR,
    CosineDecay,
    CosineWarmup,
    Decay,
    InverseSqrtDecay,
    LinearWarmup,
    PolynomialDecay,
    PolynomialWarmup,
    Schedule,
    StableDecay,
    StepDecay,
    Warmup,
    family,
)
from reference.check import Rates, Steps, integer
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, RateFunction, ShapedDecay, rising_from, then


def after_warmup(a: Arguments, decay: Decay) -> Schedule:
    """Family A: a linear ramp from 0, then the decay."""
    return family("A", LinearWarmup(a.warmup_steps), decay)


def chebyshev(a: Arguments) -> Schedule:
    """The nodes in their order, each between the floor and the base LR."""

    def values(t: Steps, base: float) -> Rates:
        node = np.cos(np.pi * (2 * np.minimum(t, a.total_steps - 1) + 1) / (2 * a.total_steps))
        return np.asarray(a.min_lr + (base - a.min_lr) * 0.5 * (1.0 + node))

    return Formula(values)


def restarts(a: Arguments) -> Schedule:
    """Cycle i has T·cycle_mult^i steps, a warmup from the floor, and the top base·gamma^i."""

    def values(t: Steps, base: float) -> Rates:
        rates = np.empty(t.shape)
        for i, step in enumerate(t):
            cycle, start, length = 0, 0, a.total_steps
            while start + length <= step:
                start, cycle = start + length, cycle + 1
                length = int(a.total_steps * a.cycle_mult**cycle)
            top = base * a.gamma**cycle
            wave = rising_from(a.min_lr, top, a.warmup_steps, CosineDecay(length - a.warmup_steps, a.min_lr))
            rates[i] = wave(int(step) - start, top)
        return rates

    return Formula(values)


def _rise(a: Arguments) -> RateFunction:
    """f(x) - f(0) of the hyperbolic schedules, from 0 down."""
    steps, bound = a.decay_steps, a.upper_bound

    def hyperbola(n: Steps) -> Rates:
        x = np.minimum(n, steps)
        return np.asarray(np.sqrt((steps - x) / bound * (2.0 - (steps + x) / bound)))

    return lambda n, base: hyperbola(n) - hyperbola(np.zeros(1, np.int64))


def hyperbolic(a: Arguments) -> Schedule:
    """A linear ramp from the floor, then along a hyperbola towards it."""
    rise, ramp = _rise(a), rising_from(a.min_lr, a.base_lr, a.warmup_steps, StableDecay(1, 1))
    return then(ramp, a.warmup_steps, lambda n, base: base + (base - a.min_lr) * rise(n, base))


def exp_hyperbolic(a: Arguments) -> Schedule:
    """The same on a logarithmic scale."""
    rise, ramp = _rise(a), rising_from(a.min_lr, a.base_lr, a.warmup_steps, StableDecay(1, 1))
    return then(ramp, a.warmup_steps, lambda n, base: base * (base / a.min_lr) ** rise(n, base))


def flat(a: Arguments, steps: int) -> Schedule:
    """Some steps at the base LR, then a cosine."""
    return StableDecay(steps, a.total_steps - steps, "cosine", a.min_lr)


def inverse_sqrt(a: Arguments) -> Schedule:
    """The schedule of the Transformer, whose peak is the base LR."""
    return after_warmup(a, InverseSqrtDecay(a.warmup_steps))


def k_decay(a: Arguments) -> Schedule:
    """A cosine of p^k."""
    return ShapedDecay(a.total_steps, lambda p: 0.5 * (1.0 + np.cos(np.pi * p**a.k)), a.min_lr)


def polynomial(a: Arguments) -> Schedule:
    """A ramp and a power; with `cycle` both start over after total_steps."""
    once = after_warmup(a, PolynomialDecay(a.decay_steps, a.power, a.min_lr))
    return Formula(lambda t, base: once(t % a.total_steps, base)) if a.cycle else once


def power_decay(a: Arguments) -> Schedule:
    """A ramp, then (t/W)^(-alpha); without a warmup (t+1)^(-alpha)."""
    first, unit = max(1, a.warmup_steps), a.warmup_steps or 1
    falling: RateFunction = lambda n, base: np.maximum(base * ((n + first) / unit) ** -a.alpha, a.min_lr)  # noqa: E731
    return then(LinearWarmup(a.warmup_steps), a.warmup_steps, falling)


def rex(p: Rates) -> Rates:
    """Chen et al. 2022."""
    return (1.0 - p) / (1.0 - p / 2)


def slanted(total_steps: int, cut_frac: float, ratio: float) -> Schedule:
    """Howard & Ruder 2018, equation 3."""
    cut = int(total_steps * cut_frac)

    def values(t: Steps, base: float) -> Rates:
        down = 1.0 - (t - cut) / (total_steps - cut)
        p = np.maximum(np.where(t < cut, t / max(cut, 1), down), 0.0)
        return np.asarray(base * (1.0 + p * (ratio - 1.0)) / ratio)

    return Formula(values)


def trapezoid(a: Arguments, fall: int, shape: str) -> Schedule:
    """A ramp, a plateau, and a fall over the last steps."""
    return after_warmup(a, StableDecay(a.decay_steps - fall, fall, shape, a.min_lr))


def wsd(a: Arguments) -> Schedule:
    """The same, with at least one step to fall."""
    return trapezoid(a, integer("decay_steps", min(4, a.decay_steps), 1), a.decay_type)


def wrapped_rex(a: Arguments) -> Schedule:
    """A warmup of any kind, then REX."""
    kinds = {"linear": LinearWarmup, "cosine": CosineWarmup, "exponential": PolynomialWarmup}
    warmup: Warmup = kinds[a.kind](a.warmup_steps)
    return family("A", warmup, ShapedDecay(max(1, a.decay_steps), rex))


def wrapped_cosine(a: Arguments) -> Schedule:
    """A warmup, then torch's cosine, which is documented to rise again."""
    wave = CosineAnnealingLR(max(1, a.decay_steps))
    return then(LinearWarmup(a.warmup_steps), a.warmup_steps, wave)


def wrapped_steps(a: Arguments) -> Schedule:
    """A warmup, then torch's StepLR."""
    return family("A", LinearWarmup(a.warmup_steps), StepDecay(3))


def composed(a: Arguments) -> Schedule:
    """Family E, with torch's LinearLR and cosine."""
    wave = CosineAnnealingLR(max(1, a.decay_steps))
    return then(LinearWarmup(a.warmup_steps, 0.1), a.warmup_steps, wave)
