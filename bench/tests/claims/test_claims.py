"""The sentences and tables of the claims follow from the runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bench.claims import advice, cost, noam, warmup_kind, warmup_length
from bench.claims.core.grid import from_table
from bench.claims.core.publish import interval
from bench.claims.core.runs import PUBLISHED, stamped
from bench.tests.claims.invented import SEEDS, STEEPNESS, made, runs_of
from bench.toy.measures import Estimate, paired_factor

pandas = pytest.importorskip("pandas")

#: The interpolated edge is exact where the losses are a power of the LR, up to rounding of the LRs to 4 digits.
EXACT = 1e-3


def test_the_factor_of_a_warmup_is_paired_by_seed() -> None:
    """Edges that differ by a third between seeds leave no interval, because every seed gains the same factor."""
    claim = made(warmup_length, slope=0.25)
    factor = 1.1 * 8**0.25  # a warmup of 20 % is 8 times 5 steps
    by_words = {headline.words: headline.estimate for headline in claim.headlines}
    for norm in ("post-LN", "pre-LN"):
        estimate = by_words[f"factor on the peak, warmup of 20%, {norm}"]
        assert list(estimate) == pytest.approx([factor] * 3, rel=EXACT)
        assert list(by_words[f"factor of a doubling, {norm}"]) == pytest.approx([2**0.25] * 3, rel=EXACT)
    assert claim.answer[0].startswith("A warmup of 20% of the run allows a peak LR 1.85 [1.85, 1.85] times as high")
    assert claim.answer[0].endswith("the same within a factor of 1.25.")
    edges = claim.table["edge"].iloc[0]
    assert edges.high / edges.low > 1.1  # the spread between seeds is in the edge itself


def test_a_warmup_without_benefit() -> None:
    """If the edge does not depend on W, the factor is 1, no row has a small p, and only a lower peak is advised."""
    claim = made(warmup_length, slope=0.0)
    assert "allows a peak LR 1 [1, 1] times as high in post-LN and 1 [1, 1] times" in claim.answer[0]
    assert {text for text in claim.table["p"] if isinstance(text, str)} == {"1"}
    assert "only a lower peak helps" in "\n".join(made(advice, slope=0.0).answer)


def test_post_ln_that_gains_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ratio of the factors above 1 is called more in post-LN, below 1 less."""
    for ratio, words in ((1.5, "more in post-LN than in pre-LN"), (0.6, "less in post-LN than in pre-LN")):
        monkeypatch.setattr(
            warmup_length, "difference_of_norms", lambda post, pre, r=ratio: r * np.linspace(0.99, 1.01, 5)
        )
        assert made(warmup_length).answer[0].endswith(f"{words}.")


def test_the_sensitivity_is_quoted_with_its_range() -> None:
    """Each sentence on the LR sensitivity names the LRs, and a narrower range beside the whole one."""
    lines = [line for line in made(warmup_length).answer if "LR sensitivity, " in line]
    assert [line.count("over the LRs") for line in lines] == [2, 2]
    assert "over the LRs 0.00625 to 0.1 it is" in lines[0]
    assert "over the LRs 0.025 to 0.1 it is" in lines[1]


def test_edges_outside_the_grid_are_counted() -> None:
    """A warmup that moves the edge beyond the largest LR is reported, seed by seed."""
    claim = made(warmup_length, slope=0.6)
    assert "0 of 910 runs" in claim.answer[-1]
    outside = dict(
        zip(zip(claim.table["norm"], claim.table["steps"], strict=True), claim.table["edges outside"], strict=True)
    )
    assert outside["post-LN", 160] == SEEDS
    assert outside["post-LN", 5] == 0
    assert f"{sum(outside.values())} of 70 edges lie outside the grid" in claim.answer[-1]


@pytest.mark.parametrize("slope", [0.25, 0.5])
def test_longer_warmup_or_lower_peak(slope: float) -> None:
    """The fitted slope is that of the invented edges."""
    for spec in advice.specs(range(SEEDS)):
        curves = from_table(spec, runs_of(advice, slope=slope))
        if not any(curves.outside(setting).any() for setting in spec.settings()):
            assert advice.slopes(curves) == pytest.approx([slope] * SEEDS, rel=EXACT)
    answer = "\n".join(made(advice, slope=0.25).answer)
    assert "a warmup twice as long allows a peak 1.19 [1.19, 1.19] times as high" in answer
    assert "so halving the peak is worth a warmup 16 [16, 16] times as long" in answer


def test_steps_or_share() -> None:
    """In the invented runs the gain depends on the steps of warmup alone, so that the page says so."""
    answer = "\n".join(made(advice, slope=0.25).answer)
    assert "of the same share (10%) raises the peak 1.41 [1.41, 1.41] times as much" in answer
    assert "as many steps (80) 1 [1, 1] times as much: its number of steps says more than its share." in answer
    assert "says more" not in "\n".join(made(advice, slope=0.0).answer)


def test_a_small_slope_gives_a_bound() -> None:
    """Where halving the peak would be worth a thousandfold warmup, only the lower bound is given."""
    assert advice._length_worth_half(Estimate(0.2, 0.05, 0.25)) == "more than 16 times as long"


def test_shortest_warmup_that_prevents_failure() -> None:
    """The rescue of an LR is the first share with which most seeds learn; above the last edge there is none."""
    spec = advice.specs(range(SEEDS))[0]
    rescues = advice.rescue(from_table(spec, runs_of(advice, slope=0.25)))
    limit = (0.1 / 0.5) ** (1 / STEEPNESS)  # of the edge: there the loss is 0.1
    gains = {share: 1.1 * (share * 200 / 5) ** 0.25 if share else 1.0 for share in advice.SHARES}
    for lr, share in rescues.items():
        assert share == next((known for known in advice.SHARES if lr < 0.02 * gains[known] * limit), None)
    assert {None, 0.0} < set(rescues.values())


@pytest.mark.parametrize(
    ("kinds", "words"),
    [(1.0, "equal within 10%"), (0.8, "a lower peak than linear"), (1.3, "a higher peak than linear")],
)
def test_kinds_are_compared(kinds: float, words: str) -> None:
    """If the edge does not depend on W, kinds differ by their own factor only: all of them, or none."""
    claim = made(warmup_kind, slope=0.0, kinds=kinds)
    assert [line.count(words) for line in claim.answer[:2]] == [3, 3]
    assert claim.headlines[0].estimate.value == pytest.approx(kinds, rel=EXACT)


def test_a_small_difference_is_called_small() -> None:
    """A difference that is certain and within the margin says both."""
    assert "a lower peak than linear, but by less than 10%" in made(warmup_kind, slope=0.0, kinds=0.97).answer[0]


def noam_runs(late: int = 300) -> Any:
    """Runs whose seeds learn at step `late`, or never if the peak is above 0.01."""
    rows = []
    for candidate in noam.candidates(noam.budget()):
        peak = float(candidate.schedule.trace(candidate.steps, candidate.base_lr).max())
        for seed in range(SEEDS):
            for t in range(0, candidate.steps + 1, noam.EVERY):
                loss = 2.0 if t < late or peak > 0.01 else 0.01 + 0.001 * seed
                rows.append((candidate.title, seed, t, loss, peak))
    return stamped(pandas.DataFrame(rows, columns=noam.COLUMNS), PUBLISHED, "0123456789ab")


def test_noam_ends_during_its_warmup() -> None:
    """At step 280 of 4000 the LR is 7 % of the peak, and a task learned at step 300 is not yet learned."""
    claim = noam.claim(noam_runs())
    assert "reaches only 7% of its peak LR" in claim.answer[0]
    assert "after 300 [300, 300] steps, long before its warmup ends at step 4000" in claim.answer[0]
    assert claim.answer[2].endswith(f"0 of {SEEDS} seeds learned the task.")


def test_noam_needs_all_validations() -> None:
    """A table of runs that lacks a validation is refused."""
    with pytest.raises(ValueError, match="must have a loss at every 20th of 5000 steps"):
        noam.claim(noam_runs().iloc[:-400])


def test_cost_names_what_is_slower() -> None:
    """The share is the time of the LR over that of the step, and only steps more than 5 % longer are listed."""
    random = np.random.default_rng(0)
    rows = []
    for config in cost.CONFIGS:
        for name in cost.rules(config):
            length = 1.04 if name == "noam" else 1.2 if name == "radam" else 1.0
            steps = length * np.exp(random.normal(0, 1e-3, SEEDS))
            rows += [(config, name, seed, step, 0.01 * step) for seed, step in enumerate(steps)]
    runs = stamped(pandas.DataFrame(rows, columns=cost.COLUMNS), PUBLISHED, "0123456789ab")
    answer = cost.claim(runs).answer
    assert "1% (linear, SequentialLR)" in answer[0] or "the maximum is 1%" in answer[0]
    assert "Of 12 schedules, 11 have steps as long" in answer[0]
    assert ": radam (1.2 [" in answer[0]
    with pytest.raises(ValueError, match="must be timed with every seed"):
        cost.claim(runs[runs["schedule"] != "noam"])


def test_intervals_that_hold_together_are_wider() -> None:
    """The gains of single doublings have wider intervals than one by itself would have."""
    runs = runs_of(warmup_length)
    random = np.random.default_rng(1)
    runs["loss"] *= np.exp(random.normal(0, 0.5, len(runs)))
    curves = from_table(warmup_length.specs(range(SEEDS))[0], runs)
    edges = warmup_length.edges(curves)
    alone = paired_factor(edges[10], edges[5])
    together = warmup_length.doublings(curves)[0]
    assert together.value == pytest.approx(alone.value)
    assert math.log(together.high / together.low) > 1.3 * math.log(alone.high / alone.low)
    assert interval(together) in "\n".join(warmup_length.claim(runs).answer)
