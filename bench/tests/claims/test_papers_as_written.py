"""Written down by hand, the edges that each paper describes replicate it; intervals of one page cover together."""

from __future__ import annotations

import dataclasses
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.claims.replications.core.prediction import NOT_REPLICATED, REPLICATED
from bench.commands.claim import PAPERS
from bench.sweep.engine import run_sweep
from bench.tests.claims.invented_papers import SEEDS, Key, invented, keys, middle, paper_of, verdicts

pytest.importorskip("pandas")

#: log2 of edges as each paper would have them, up to the edge of a reference arm; what is not named is 0.
AS_WRITTEN: dict[str, dict[Key, float]] = {
    "kosson": {
        ("batch 8", 80): 0.1,
        ("batch 32", 80): 0.7,
        ("batch 128", 80): 1.1,
        ("β1 0.9", 160): 0.8,
        ("β1 0.98", 160): 0.3,
    },
    "gilmer": {("no clipping", 160): 1.5, ("clipped at 1", 0): 2.0, ("clipped at 1", 160): 2.0},
    "liu": {("Adam, β2 0.999", 160): 0.8, ("Adam, β2 0.95", 160): 0.4, ("Lion", 160): 0.1},
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
#: The contrasts of these edges, worked out by hand, in the order of the predictions.
CONTRASTS = {
    "kosson": [0.25, -0.5],
    "gilmer": [1.5, 0.5, 0.0],
    "liu": [-0.4, -0.7, 0.1],
    "yang": [-0.7, -0.7],
    "xiong": [0.9, 0.1, -0.8],
}
#: LRs are rounded to 4 digits, which moves an edge by this many octaves at most, for up to four edges.
ROUNDED = 4 * 2e-3


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_signs_are_those_of_the_paper(name: str) -> None:
    """Edges written down by hand as the paper has them replicate all of it; the opposite replicates none of it."""
    paper = paper_of(name)
    reference = middle(paper.arms[0])

    def octaves(sign: float) -> dict[Key, float]:
        shift = {arm.name: 0.0 if name != "yang" else reference - middle(arm) for arm in paper.arms}
        return {key: sign * AS_WRITTEN[name].get(key, 0.0) + shift[key[0]] for key in keys(paper)}

    claim = paper.claim(invented(paper, octaves(1.0)))
    assert set(verdicts(claim)) == {REPLICATED}
    values = [estimate.value for estimate in claim.table["measured"]]
    assert values == pytest.approx(CONTRASTS[name], abs=ROUNDED)
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


@pytest.mark.slow
def test_every_arm_can_be_trained(tmp_path: Path) -> None:
    """Each arm of each paper is really trained for two steps: the trainer knows its configuration."""
    for name in PAPERS:
        paper = paper_of(name)
        specs = [
            dataclasses.replace(spec, steps=2, warmups=(0, 1), lrs=spec.lrs[:1]) for spec in paper.specs(range(7, 8))
        ]
        with ThreadPoolExecutor(1) as pool:
            results = [run_sweep(spec, pool, tmp_path) for spec in specs]
        for by_run in results:
            assert len(by_run) == 2
            assert all(0 < result.loss < 5 for result in by_run.values())
