"""How a run ended, judged by its losses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.diverge.outcome import (
    COLLAPSED,
    FAILURES,
    LEARNED,
    NEVER,
    NOT_FINITE,
    UNFINISHED,
    Outcome,
    learned_at,
    outcome,
)
from bench.tests.diverge_runs import BAD, COLLAPSING, GOOD, LEARNING, MIDDLE, PLATEAU, STEPS
from bench.watch.thresholds import levels
from suite.cases.hypothesis_profiles import budget

LOSSES = st.lists(st.one_of(st.floats(0, 4), st.sampled_from([float("nan"), float("inf")])), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("losses", "final", "expected"),
    [
        (LEARNING, GOOD, Outcome(LEARNED, None)),
        (LEARNING, MIDDLE, Outcome(UNFINISHED, None)),
        (COLLAPSING, BAD, Outcome(COLLAPSED, 30)),
        (PLATEAU, BAD, Outcome(NEVER, STEPS)),
        (np.append(PLATEAU, np.nan), np.nan, Outcome(NOT_FINITE, STEPS)),
        (LEARNING, np.inf, Outcome(NOT_FINITE, STEPS)),
        (LEARNING, BAD, Outcome(COLLAPSED, STEPS)),
    ],
    ids=["learned", "unfinished", "collapsed", "never", "nan", "infinite at the end", "validation alone"],
)
def test_outcomes_are_distinguished(losses: np.ndarray, final: float, expected: Outcome) -> None:
    """Each outcome has its name and the step at which the loss shows it."""
    assert outcome(losses, final) == expected


def test_a_run_that_never_learned_fails_when_a_good_one_has_learned() -> None:
    """The failure of a plateau is visible at the step by which a good run is below the limit, not at the end."""
    assert outcome(PLATEAU, BAD, learned_by=12) == Outcome(NEVER, 12)
    assert outcome(PLATEAU, BAD, learned_by=10 * STEPS) == Outcome(NEVER, STEPS)


def test_a_single_loss_is_not_a_collapse() -> None:
    """One bad batch does not turn a run that learned into a failure, and does not move a later collapse."""
    spiked = LEARNING.copy()
    spiked[20] = 5.0
    assert outcome(spiked, GOOD).kind == LEARNED
    twice = COLLAPSING.copy()
    twice[:10], twice[10:15] = 3.0, (0.9, 3.0, 0.9, 0.9, 0.9)
    assert outcome(twice, BAD) == Outcome(COLLAPSED, 30)


def test_the_level_is_the_median_of_the_last_losses() -> None:
    """Each entry is the median of up to five losses, up to and including its own step."""
    losses = np.random.default_rng(0).exponential(size=(3, 17))
    expected = [[sorted(row[max(t - 4, 0) : t + 1]) for t in range(17)] for row in losses.tolist()]
    middle = [[(s[(len(s) - 1) // 2] + s[len(s) // 2]) / 2 for s in row] for row in expected]
    assert levels(losses).tolist() == middle


@budget(100)
@given(LOSSES, st.one_of(st.floats(0, 4), st.just(float("nan"))))
def test_failures_and_their_steps_agree(losses: list[float], final: float) -> None:
    """A run has a failure step, within its length, exactly if it failed; failing is a high or missing last loss."""
    ending = outcome(losses, final)
    assert ending.failed == (ending.kind in FAILURES) == (ending.step is not None)
    assert ending.failed == (not final <= 1.0 or not np.isfinite(losses).all())
    if ending.kind == COLLAPSED and ending.step is not None and ending.step < len(losses):
        assert losses[ending.step] > 1.0
        assert learned_at(losses) < ending.step


def test_a_run_without_losses_is_refused() -> None:
    """A run without a step has no outcome."""
    with pytest.raises(ValueError, match=r"losses=\[0\] must be \[T\]"):
        outcome([], 1.0)
