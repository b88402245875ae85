"""The curves of decays from 1 at p = 0, for many lengths at once; each with its closed form."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reference import (
    CosineDecay,
    CosineRestartsDecay,
    Decay,
    LinearDecay,
    PolynomialDecay,
    TanhDecay,
    WarmRestartsDecay,
)

Floats = NDArray[np.float64]

#: A progress this far below an integer number of cycles is that number, missed by a rounding error.
ROUNDED = 1e-9


@dataclasses.dataclass(frozen=True)
class DecayCurve:
    """A decay over D steps from progress p: `parts` gives u and v, `decay` the closed form with D and a floor.

    `absolute`: p counts from step 0 instead of from the end of the warmup; `price`: how much it assumes.
    """

    parts: Callable[[Floats], tuple[Floats, Floats]]
    decay: Callable[[int, float], Decay]
    price: float
    absolute: bool = False


def _cosine(p: Floats) -> tuple[Floats, Floats]:
    share = 0.5 * (1 + np.cos(np.pi * np.minimum(p, 1)))
    return share, 1 - share


def _power(power: float) -> Callable[[Floats], tuple[Floats, Floats]]:
    def parts(p: Floats) -> tuple[Floats, Floats]:
        share = np.clip(1 - p, 0, 1) ** power
        return share, 1 - share

    return parts


def _tanh(lower: float, upper: float) -> Callable[[Floats], tuple[Floats, Floats]]:
    def parts(p: Floats) -> tuple[Floats, Floats]:
        share = np.where(p < 1, 0.5 * (1 - np.tanh(lower * (1 - p) + upper * p)), 0.0)
        return share, 1 - share

    return parts


def _equal_cycles(cycles: int) -> Callable[[Floats], tuple[Floats, Floats]]:
    def parts(p: Floats) -> tuple[Floats, Floats]:
        place = cycles * p - np.floor(cycles * p + ROUNDED)
        share = np.where(p < 1, 0.5 * (1 + np.cos(np.pi * place)), 0.0)
        return share, 1 - share

    return parts


def _cycles(growth: int, shrink: float, shrinks: str) -> Callable[[Floats], tuple[Floats, Floats]]:
    def parts(p: Floats) -> tuple[Floats, Floats]:
        cycle = np.floor(p + ROUNDED if growth == 1 else np.log1p((p + ROUNDED) * (growth - 1)) / np.log(growth))
        start = cycle if growth == 1 else (growth**cycle - 1) / (growth - 1)
        wave = 0.5 * (1 + np.cos(np.pi * (p - start) / growth**cycle))
        height = shrink**cycle
        return height * wave, {"all": height * (1 - wave), "range": 1 - height * wave, "top": 1 - wave}[shrinks]

    return parts


def plain_curves() -> list[DecayCurve]:
    """The decays that have one fall after the warmup, commonest first."""

    def power(exponent: float) -> DecayCurve:
        return DecayCurve(_power(exponent), lambda d, m: PolynomialDecay(d, exponent, m), 1.5)

    curves = [DecayCurve(_cosine, CosineDecay, 1.0), DecayCurve(_power(1), LinearDecay, 1.0)]
    return [*curves, *map(power, (2.0, 0.9, 0.5, 3.0, 1.5))]


def absolute_curves() -> list[DecayCurve]:
    """The decays of libraries whose warmup leads to where the decay is then."""

    def tangent(lower: float, upper: float) -> DecayCurve:
        return DecayCurve(_tanh(lower, upper), lambda d, m: TanhDecay(d, lower, upper, m), 1.3, True)

    # timm's default since 2021, and before.
    curves = [tangent(-7.0, 3.0), tangent(-6.0, 4.0)]
    return [*curves, DecayCurve(_cosine, CosineDecay, 1.3, True), DecayCurve(_power(1), LinearDecay, 1.3, True)]


def equal_cycles(cycles: int) -> DecayCurve:
    """Cosines of equal length that end with the run."""
    return DecayCurve(_equal_cycles(cycles), lambda d, m: CosineRestartsDecay(d, cycles, m), 1.3)


def growing_cycles(growth: int, shrink: float, shrinks: str = "all") -> DecayCurve:
    """Cosines of growing length or shrinking height; D is the length of the first."""
    price = 1.4 + 0.2 * (growth > 1) + 0.2 * (shrink < 1)
    return DecayCurve(
        _cycles(growth, shrink, shrinks), lambda d, m: WarmRestartsDecay(d, growth, shrink, shrinks, m), price
    )
