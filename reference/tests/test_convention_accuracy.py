"""Schedules agree with 50-digit arithmetic within 4 ulp times a derived factor (see exact.py)."""

from __future__ import annotations

import zlib

import mpmath
import numpy as np
import pytest

from reference.convention import CLOCKS, Convention
from reference.decay import ConstantDecay
from reference.pair import WarmupDecay
from reference.slug import REGISTRY
from reference.tests.exact import Exact
from reference.tests.oracle import KINDS
from reference.tests.pairs import DECAYS, WARMUPS
from reference.timed_decay import CosineDecay, LinearDecay
from reference.untuned import RAdamWarmup, UntunedExponentialWarmup, UntunedLinearWarmup
from reference.warmup import CosineWarmup, ExponentialWarmup, LinearWarmup, PolynomialWarmup, Warmup, effective_period

#: 4 ulp-sized relative errors.
UNIT = 4 * float(np.finfo(float).eps)
DRAWS = 6
#: Decimal digits of the exact values; float64 has 16.
DIGITS = 50


def excess(exact: Exact, steps: list[int]) -> float:
    """The largest ratio of relative error to allowed error over the steps; infinite where 0 is expected but not met."""
    values = exact.schedule(np.array(steps), exact.base)
    worst = 0.0
    for t, value in zip(steps, values.tolist(), strict=True):
        true = exact.value(t)
        if true == 0:
            worst = max(worst, 0.0 if value == 0 else np.inf)
        else:
            error = float(abs((mpmath.mpf(value) - true) / true))
            worst = max(worst, error / (UNIT * exact.factor(t)))
    return worst


@pytest.mark.parametrize("kind", KINDS)
def test_closed_form_is_exact_to_rounding(kind: str) -> None:
    """For random parameters, at steps up to 1e6 and at the edges, the error is within the derived bound."""
    draw = np.random.default_rng(zlib.crc32(kind.encode()))
    with mpmath.workdps(DIGITS):
        for _ in range(DRAWS):
            exact = KINDS[kind](draw)
            inside = draw.integers(0, exact.length, 25).tolist()
            edges = [max(exact.length + k, 0) for k in (-2, -1, 0, 1)]
            steps = [*range(10), *inside, *edges, *draw.integers(0, 10**6, 10).tolist()]
            assert excess(exact, steps) <= 1.0, exact.schedule


def test_bound_can_fail() -> None:
    """The value of the next step, or a relative error of 1e-14, exceeds the bound."""
    draw = np.random.default_rng(0)
    with mpmath.workdps(DIGITS):
        exact = KINDS["cosine"](draw)
        late = Exact(exact.schedule, exact.base, lambda t: exact.value(t + 1), exact.factor, exact.length)
        off = Exact(exact.schedule, exact.base * (1 + 1e-14), exact.value, exact.factor, exact.length)
        inside = [exact.length // 2]
        assert excess(exact, inside) <= 1.0
        assert excess(late, inside) > 1.0
        assert excess(off, inside) > 1.0


def test_every_kind_is_measured() -> None:
    """Every warmup and decay has exact values in oracle.py, except `hold`, which is the base LR itself."""
    kinds = {part.slug_name for part in (*WARMUPS, *DECAYS)} - {ConstantDecay.slug_name}
    assert kinds <= {name.split("_")[0] for name in KINDS}
    assert all(name.split("_")[0] in REGISTRY for name in KINDS)


@pytest.mark.parametrize("start", ["zero", "first", "affine", "linspace"])
@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("end", ["open", "closed"])
def test_pair_is_exact_to_rounding(start: str, clock: str, end: str) -> None:
    """A linear warmup joined with a cosine decay stays within the sum of their factors, 1 + 2, in every convention.

    The warmup that meets the decay takes a start factor and a top from it, each with the decay's factor of 2.
    """
    draw = np.random.default_rng(7)
    s = 0.0 if start == "zero" else 0.01
    with mpmath.workdps(DIGITS):
        for w, length in ((4, 8), (2000, 30_000), (100_000, 900_000)):
            pair = WarmupDecay(LinearWarmup(w, s), CosineDecay(length), Convention(start, end, clock))

            def value(t: int, w: int = w, length: int = length) -> object:
                x = {"first": mpmath.mpf(t + 1) / w, "linspace": mpmath.mpf(t) / (w - 1)}.get(start, mpmath.mpf(t) / w)
                weight = mpmath.mpf(s) + (1 - mpmath.mpf(s)) * x if t < w else mpmath.mpf(1)
                at = w if clock == "meeting" and t < w else t
                n = at + (end == "closed") - (w if clock == "prefix" else 0)
                left = (1 + mpmath.cos(mpmath.pi * min(n, length) / length)) / 2
                if clock == "meeting" and t < w:
                    return mpmath.mpf(s) * (1 - x) + left * x
                return weight * (1 if clock in ("prefix", "absolute") and t < w else left)

            exact = Exact(pair, 1.0, value, lambda t: 7.0 if clock == "meeting" else 3.0, w + length)
            inside = draw.integers(0, w + length, 30).tolist()
            assert excess(exact, [0, w - 1, w, w + 1, length - 1, length, w + length - 1, *inside]) <= 1.0


@pytest.mark.parametrize("low", [0.0, 1e-3])
def test_unbounded_decay_is_exact_to_rounding(low: float) -> None:
    """Past its end a linear decay subtracts two terms; its error is within their factor (|a| + |b|)/|a + b|."""
    length, draw = 1000, np.random.default_rng(3)
    pair = WarmupDecay(LinearWarmup(0), LinearDecay(length, low), Convention(past_end="unbounded"))

    def value(t: int) -> object:
        return 1 - (1 - mpmath.mpf(low)) * mpmath.mpf(t) / length

    def factor(t: int) -> float:
        a, b = 1 - mpmath.mpf(t) / length, mpmath.mpf(low) * t / length
        return float((abs(a) + abs(b)) / abs(a + b))

    with mpmath.workdps(DIGITS):
        steps = [999, 1000, 1001, 1002, 10**6, *draw.integers(1, 10**6, 100).tolist()]
        assert excess(Exact(pair, 1.0, value, factor, length), steps) <= 1.0


@pytest.mark.parametrize(
    "warmup",
    [
        *WARMUPS,
        LinearWarmup(0),
        LinearWarmup(777, 0.2),
        ExponentialWarmup(777, 1e-5),
        ExponentialWarmup(9, 1.0),
        CosineWarmup(777, 0.1),
        PolynomialWarmup(777, 3.0),
        UntunedLinearWarmup(0.97),
        UntunedExponentialWarmup(0.97),
        RAdamWarmup(0.99),
    ],
    ids=lambda w: w.slug,
)
def test_effective_period_is_the_sum(warmup: Warmup) -> None:
    """The effective period is Σ(1 − w(t)), summed here until the terms are negligible."""
    terms = 1.0 - warmup.trace(max(warmup.warmup_steps, 1) * 60 + 1)
    with mpmath.workdps(DIGITS):
        total = mpmath.fsum(mpmath.mpf(term) for term in terms.tolist())
    # Each 1 − w has an absolute error of half an ulp of 1, so the bound is proportional to the number of terms.
    assert effective_period(warmup) == pytest.approx(float(total), rel=0, abs=UNIT * terms.size)
