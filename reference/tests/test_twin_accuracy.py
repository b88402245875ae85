"""Twins of torch's schedulers agree with 50-digit arithmetic within 4 ulp times a derived factor (see twins.py)."""

from __future__ import annotations

import zlib
from typing import Any

import mpmath
import numpy as np
import pytest

import reference
from reference import Schedule
from reference.tests.exact import Exact
from reference.tests.test_convention_accuracy import DIGITS, excess
from reference.tests.twins import KINDS

DRAWS = 5
#: Consecutive steps per call; above 1024 `half_cosine` uses the angle addition formula.
WINDOW = 1500


def steps_for(exact: Exact, draw: np.random.Generator) -> list[int]:
    """Both ends, and steps in between: some log-uniform, some uniform."""
    last = exact.length
    spread = (10 ** draw.uniform(0, np.log10(last + 1), 12)).astype(int) - 1
    inside = draw.integers(0, last + 1, 16)
    edges = [min(k, last) for k in (0, 1, 2)] + [max(last - k, 0) for k in (0, 1, 2)]
    return [*edges, *spread.tolist(), *inside.tolist()]


@pytest.mark.parametrize("kind", KINDS)
def test_twin_is_exact_to_rounding(kind: str) -> None:
    """For random parameters, at steps up to 1e6, the error is within the derived bound."""
    draw = np.random.default_rng(zlib.crc32(kind.encode()))
    with mpmath.workdps(DIGITS):
        for _ in range(DRAWS):
            exact = KINDS[kind](draw)
            assert excess(exact, steps_for(exact, draw)) <= 1.0, exact.schedule


@pytest.mark.parametrize("kind", KINDS)
def test_trace_is_exact_to_rounding(kind: str) -> None:
    """The same for consecutive steps in one call, ascending or descending, which may be evaluated differently."""
    draw = np.random.default_rng(zlib.crc32(kind.encode()))
    with mpmath.workdps(DIGITS):
        for direction in (1, -1, 1, -1):
            exact = KINDS[kind](draw)
            first = int(draw.integers(0, max(exact.length - WINDOW, 0) + 1))
            steps = np.arange(first, min(first + WINDOW, exact.length + 1))[::direction]
            values = np.asarray(exact.schedule(steps, exact.base))[::direction]
            looked_up: Any = lambda step, base, values=values, first=first: values[step - first]  # noqa: E731
            traced = Exact(looked_up, exact.base, exact.value, exact.factor, exact.length)
            sample = draw.choice(steps, min(25, steps.size), replace=False)
            assert excess(traced, sample.tolist()) <= 1.0, exact.schedule


@pytest.mark.parametrize("kind", KINDS)
def test_bound_detects_a_shift_by_one_step(kind: str) -> None:
    """For every kind, values that are one step late exceed the bound at some step."""
    draw = np.random.default_rng(zlib.crc32(kind.encode()))
    with mpmath.workdps(DIGITS):
        exact = KINDS[kind](draw)

        def late(step: Any, base: float) -> Any:
            return exact.schedule(np.maximum(np.asarray(step) - 1, 0), base)

        shifted: Any = late
        steps = [*range(min(exact.length, 40)), *range(max(exact.length - 40, 0), exact.length + 1)]
        changes = _changes(exact)
        assert excess(Exact(shifted, exact.base, exact.value, exact.factor, exact.length), [*steps, *changes]) > 1.0


def _changes(exact: Exact) -> list[int]:
    """The first three steps, up to step 4000, at which the LR changes; in some kinds changes are rare."""
    values = np.asarray(exact.schedule(np.arange(min(exact.length + 1, 4000)), exact.base))
    return [1 + int(k) for k in np.flatnonzero(np.diff(values))[:3]]


@pytest.mark.parametrize("kind", KINDS)
def test_bound_detects_a_relative_error(kind: str) -> None:
    """For every kind, a relative error of 1e-9 exceeds the bound at some step."""
    draw = np.random.default_rng(zlib.crc32(kind.encode()))
    with mpmath.workdps(DIGITS):
        exact = KINDS[kind](draw)
        off: Any = lambda step, base: np.asarray(exact.schedule(step, base)) * (1 + 1e-9)  # noqa: E731 - a call
        assert excess(Exact(off, exact.base, exact.value, exact.factor, exact.length), steps_for(exact, draw)) > 1.0


def test_every_twin_is_measured() -> None:
    """Every public twin has exact values, except the base class, which cannot be constructed."""
    classes = {n for n, c in vars(reference).items() if isinstance(c, type) and issubclass(c, Schedule)}
    twins = {
        n for n in classes if getattr(reference, n).__module__.startswith(("reference.torch_", "reference.compose"))
    }
    expected = twins - {"LRScheduler"}
    measured = {kind.split("-")[0] for kind in KINDS}
    assert measured == expected, f"the exact values in reference/tests/twin_*.py must match: {measured ^ expected}"
