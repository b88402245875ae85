"""Valid traces, and the precision that a trace determines from its values."""

from __future__ import annotations

import numpy as np
import pytest

from bench.diagnose import Trace
from bench.diagnose.core.trace import significant_digits
from reference import parse


@pytest.mark.parametrize(
    ("steps", "lrs", "message"),
    [
        ([0], [0.1], "at least 2"),
        ([0, 1], [0.1], "shape"),
        ([0, 2, 2], [0.1, 0.2, 0.3], r"steps\[2\]=2 must be > steps\[1\]=2"),
        ([-1, 0], [0.1, 0.2], ">= 0"),
    ],
    ids=["one", "lengths", "twice", "negative"],
)
def test_bad_traces_are_refused(steps: list[int], lrs: list[float], message: str) -> None:
    """Every rule of a trace is checked, and the message names the place."""
    with pytest.raises(ValueError, match=message):
        Trace(np.array(steps), np.array(lrs))


def test_steps_are_integers() -> None:
    """Fractional steps are refused by type."""
    with pytest.raises(TypeError, match="must be integers"):
        Trace(np.array([0.0, 0.5]), np.array([0.1, 0.2]))


@pytest.mark.parametrize("digits", [3, 4, 5, 6])
def test_digits_of_a_rounded_log_are_found(digits: int) -> None:
    """The digits of rounded values are determined; exact values have none."""
    lrs = parse("linear37+cosine463")(np.arange(1, 500), 3e-4)
    rounded = np.array([float(f"{lr:.{digits - 1}e}") for lr in lrs])
    assert significant_digits(rounded) == digits
    assert significant_digits(lrs) is None


def test_tolerance_covers_the_rounding_and_little_more() -> None:
    """No rounded value is off by more than its tolerance, and the worst is close to it."""
    lrs = parse("linear37+cosine463")(np.arange(1, 500), 3e-4)
    rounded = np.array([float(f"{lr:.3e}") for lr in lrs])
    trace = Trace(np.arange(1, 500), rounded)
    used = np.abs(rounded - lrs) / trace.tolerance
    assert 0.9 < used.max() <= 1


def test_stride_is_the_most_common_distance() -> None:
    """A log of every 10th step with a gap has stride 10."""
    steps = np.array([0, 10, 20, 60, 70, 80])
    assert Trace(steps, np.linspace(0, 1, 6)).stride == 10
