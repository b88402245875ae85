"""At steps in the hundred thousands and millions the twins still agree with 50-digit arithmetic."""

from __future__ import annotations

import zlib

import mpmath
import numpy as np
import pytest

from reference.tests.test_convention_accuracy import DIGITS, excess
from reference.tests.twins import KINDS

#: Steps far beyond what test_twin_accuracy.py reaches; the last ones are in CyclicLR's cycles 1025 and later.
FAR = [start + k for start in (100_003, 999_999, 2_000_003, 4_096_000) for k in range(-3, 4)]
#: Twins without a value there: their schedule, or the table of their exact values, ends before.
ENDING = ("OneCycleLR", "MultiplicativeLR", "ReduceLROnPlateau", "SequentialLR", "ChainedScheduler")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith(ENDING)])
def test_twin_is_exact_at_far_steps(kind: str) -> None:
    """For random parameters the error is within the bound of test_twin_accuracy.py."""
    draw = np.random.default_rng(zlib.crc32(kind.encode()))
    with mpmath.workdps(DIGITS):
        for _ in range(5):
            exact = KINDS[kind](draw)
            assert excess(exact, FAR) <= 1.0, exact.schedule
