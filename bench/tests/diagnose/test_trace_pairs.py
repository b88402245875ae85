"""Two mistakes in one trace: each is named, whichever comes first."""

from __future__ import annotations

import numpy as np
import pytest

from bench.diagnose import Diagnosis, Trace, diagnose
from reference import parse
from reference.check import Rates, Steps

W, T, BASE = 40, 400, 1e-3
EXPECTED = f"linear{W}+cosine{T - W}"
STEPS = np.arange(T, dtype=np.int64)


def at(t: Steps, slug: str = EXPECTED) -> Rates:
    """A schedule at any steps; before 0 that of step 0."""
    return parse(slug)(np.maximum(t, 0), BASE)


def against(lrs: Rates) -> Diagnosis:
    """The diagnosis against a warmup and a cosine of T steps."""
    return diagnose(Trace(STEPS, lrs), parse(EXPECTED), base_lr=BASE, total_steps=T)


WAVE = f"with_szero_eopen_kprefix_pperiodic.{EXPECTED}"
#: The first cause, the LRs, and a part of the sentence about the second.
TWO: dict[str, tuple[str, Rates, str]] = {
    "fast, other base": ("per-process", 4 * at(4 * STEPS, WAVE), "4 times as high"),
    "short, other base": ("horizon-short", 0.5 * at(STEPS, f"linear{W}+cosine160"), "0.5 times as high"),
    "long warmup, other base": ("warmup-length", 2 * at(STEPS, f"linear80+cosine{T - 80}"), "2 times as high"),
    "restarted, other base": (
        "restarted",
        0.1 * np.where(STEPS < 150, at(STEPS), at(STEPS - 150)),
        "0.1 times as high",
    ),
    "long, logged after": ("horizon-long", at(STEPS + 1, f"linear{W}+cosine{T}"), "one step early"),
    "fast, comes back": ("per-process", at(2 * STEPS, WAVE), ""),
}


@pytest.mark.parametrize("digits", [5, 17])
@pytest.mark.parametrize("name", TWO)
def test_both_mistakes_are_named(name: str, digits: int) -> None:
    """The cause is that of the curve; a sentence says what comes on top of it."""
    cause, lrs, also = TWO[name]
    diagnosis = against(np.array([float(f"{lr:.{digits - 1}e}") for lr in lrs]))
    assert diagnosis.best is not None
    assert diagnosis.best.cause == cause
    assert also in diagnosis.best.sentence


def test_one_mistake_is_not_made_two() -> None:
    """Where a single mistake fits, no second one is added."""
    for lrs in (at(STEPS, f"linear{W}+cosine160"), 2 * at(STEPS), at(STEPS + 3)):
        best = against(lrs).best
        assert best is not None
        assert "Besides" not in best.sentence


def test_noise_is_not_two_mistakes() -> None:
    """Two mistakes do not explain a trace of no schedule."""
    noise = at(STEPS) * (1 + 0.1 * np.sin(STEPS**2))
    assert against(noise).best is None


def test_a_row_of_the_log_is_not_an_update() -> None:
    """Where only the log misleads, the sentence speaks of a row and not of a wrong update."""
    best = diagnose(Trace(4 * STEPS, at(STEPS)), parse(EXPECTED), base_lr=BASE, total_steps=T).best
    assert best is not None
    assert "First row that differs: step 4;" in best.sentence
    assert "First wrong update" not in best.sentence
