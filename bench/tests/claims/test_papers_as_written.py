"""Written down by hand, the edges that each paper describes replicate it; intervals of one page cover together."""

from __future__ import annotations

import math

import pytest

from bench.claims.replications.core.prediction import NOT_REPLICATED, REPLICATED
from bench.tests.claims.invented_papers import SEEDS, Key, invented, keys, middle, paper_of, verdicts

pytest.importorskip("pandas")

#: log2 of edges as each paper would have them, up to the edge of a reference arm; what is not named is 0.
AS_WRITTEN: dict[str, dict[Key, float]] = {
    "kosson": {
        ("batch 8", 40): 0.1,
        ("batch 32", 40): 0.6,
        ("batch 128", 40): 1.1,
        ("β1 0.9", 40): 0.8,
        ("β1 0.98", 40): 0.3,
    },
    "gilmer": {("no clipping", 160): 1.5, ("clipped at 1", 0): 2.0, ("clipped at 1", 160): 2.0},
    "liu": {("Adam, β2 0.999", 40): 0.8, ("Adam, β2 0.95", 40): 0.4, ("Lion", 40): 0.1},
    "yang": {
        ("width 16", 0): 1.0,
        ("width 32", 0): 0.3,
        ("width 64", 0): -0.4,
        ("width 16", 40): 1.8,
        ("width 32", 40): 1.1,
        ("width 64", 40): 0.4,
    },
    "xiong": {("post-LN", 40): 0.9, ("pre-LN", 40): 0.1},
}


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_signs_are_those_of_the_paper(name: str) -> None:
    """Edges written down by hand as the paper has them replicate all of it; the opposite replicates none of it."""
    paper = paper_of(name)
    reference = middle(paper.arms[0])

    def octaves(sign: float) -> dict[Key, float]:
        shift = {arm.name: 0.0 if name != "yang" else reference - middle(arm) for arm in paper.arms}
        return {key: sign * AS_WRITTEN[name].get(key, 0.0) + shift[key[0]] for key in keys(paper)}

    assert set(verdicts(paper.claim(invented(paper, octaves(1.0))))) == {REPLICATED}
    opposite_sign = verdicts(paper.claim(invented(paper, octaves(-1.0))))
    bounded = [math.isfinite(each.low) and math.isfinite(each.high) for each in paper.predictions]
    assert all(word == NOT_REPLICATED for word, both in zip(opposite_sign, bounded, strict=True) if not both)


def test_intervals_of_a_page_cover_together() -> None:
    """With three predictions each interval has 98.3 %: wider than by itself, by the ratio of t quantiles."""
    from scipy.stats import t

    paper = paper_of("xiong")
    runs = invented(paper, dict.fromkeys(keys(paper), 0.0))
    noisy = (runs["warmup_steps"] == 40) & (runs["seed"] % 2 == 0) & (runs["loss"].between(0.03, 2))
    runs.loc[noisy, "loss"] *= 1.1
    claim = paper.claim(runs)
    wide, narrow = (t.ppf(1 - (1 - level) / 2, SEEDS - 1) for level in (1 - 0.05 / 3, 0.95))
    for i in (0, 1):  # the same noise in both norms leaves no interval in the third
        together, alone = claim.table["measured"][i], claim.headlines[i].estimate
        assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(wide / narrow, rel=1e-9)
