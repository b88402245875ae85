"""Replications of papers: the verdicts follow from the edges of invented runs, and the predictions are complete."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.claims.core.publish import text
from bench.claims.core.runs import REPLICATION, write_runs
from bench.claims.replications.core.arms import PaperArm
from bench.claims.replications.core.paper import Paper
from bench.claims.replications.core.prediction import (
    EDGE,
    NOT_REPLICATED,
    NOT_TESTABLE,
    REPLICATED,
    SENSITIVITY,
    UNDECIDED,
    Prediction,
    factor,
)
from bench.commands.claim import PAPERS
from bench.sweep.options import rates
from bench.tests.claims.invented import PLATEAU
from bench.tests.claims.invented_papers import SEEDS, Key, invented, keys, middle, paper_of, verdicts

pandas = pytest.importorskip("pandas")

#: LRs are rounded to 4 digits, and the edge is exact but for that: this much in octaves for each term of a contrast.
ROUNDED = 2e-3
#: Two cores may take this long for a page, in seconds.
LIMIT = 20 * 60


def solved(paper: Paper, targets: Mapping[int, float]) -> dict[Key, float]:
    """Edges in octaves about the middle of each arm's LRs for which the contrasts of the edge are the targets."""
    about, middles = keys(paper), {arm.name: middle(arm) for arm in paper.arms}
    rows, values = [], []
    for index, target in targets.items():
        terms = {(term.arm, term.warmup): term.weight for term in paper.predictions[index].terms}
        rows.append([terms.get(key, 0.0) for key in about])
        values.append(target - sum(weight * middles[arm] for (arm, _), weight in terms.items()))
    found = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    return {key: float(value) for key, value in zip(about, found, strict=True)}


def about_edges(paper: Paper) -> list[int]:
    """The predictions that are about the edge."""
    return [i for i, prediction in enumerate(paper.predictions) if prediction.measure == EDGE]


def inside(prediction: Prediction) -> float:
    """A contrast that is as predicted."""
    low, high = prediction.low, prediction.high
    return low + 0.1 if math.isinf(high) else high - 0.1 if math.isinf(low) else (low + high) / 2


def opposite(prediction: Prediction) -> float:
    """A contrast that falsifies the prediction."""
    return prediction.low - 0.2 if math.isfinite(prediction.low) else prediction.high + 0.2


@pytest.mark.parametrize("name", PAPERS)
def test_edges_as_predicted_replicate_the_paper(name: str) -> None:
    """Runs whose edges are where the paper says give the contrasts that were put in, and the verdict replicated."""
    paper = paper_of(name)
    indices = about_edges(paper)
    targets = {i: inside(paper.predictions[i]) for i in indices}
    claim = paper.claim(invented(paper, solved(paper, targets)))
    for i, target in targets.items():
        rounded = ROUNDED * sum(abs(term.weight) for term in paper.predictions[i].terms)
        assert claim.table["measured"][i].value == pytest.approx(target, abs=rounded)
        assert verdicts(claim)[i] == REPLICATED
    assert claim.headlines[indices[0]].estimate.value == claim.table["measured"][indices[0]].value


@pytest.mark.parametrize("name", PAPERS)
def test_each_prediction_can_be_falsified(name: str) -> None:
    """Edges for which one contrast is beyond its bound give the verdict not replicated, on that prediction."""
    paper = paper_of(name)
    for i in about_edges(paper):
        claim = paper.claim(invented(paper, solved(paper, {i: opposite(paper.predictions[i])})))
        assert verdicts(claim)[i] == NOT_REPLICATED
        assert NOT_REPLICATED in claim.answer[0]


@pytest.mark.parametrize("name", PAPERS)
def test_a_paper_is_complete(name: str) -> None:
    """Sign, size and falsification are data: bounds leave values out, the expected size is inside, the cost is low."""
    paper = paper_of(name)
    assert paper.name == name
    for prediction in paper.predictions:
        low, high = prediction.size
        assert prediction.low < prediction.high
        assert math.isfinite(prediction.low) or math.isfinite(prediction.high)
        assert prediction.low <= low <= high <= prediction.high
        assert (
            f"{high:.2g}"
            in paper.claim(invented(paper, dict.fromkeys(keys(paper), 0.0))).table["expected size"][
                paper.predictions.index(prediction)
            ]
        )
    assert paper.cost(seeds=10) / 2 < LIMIT
    assert len({spec.name + spec.norms[0] for spec in paper.specs((0,))}) == len(paper.arms)
    for words in (paper.statement, paper.known, paper.limits, paper.where, paper.link):
        assert words


def sensitive(name: str) -> tuple[Paper, list[int]]:
    """A paper and its predictions about the LR sensitivity."""
    paper = paper_of(name)
    return paper, [i for i, prediction in enumerate(paper.predictions) if prediction.measure == SENSITIVITY]


def test_radam_and_the_untuned_warmup_differ_or_not() -> None:
    """Equal edges give equal sensitivities; with edges an octave apart neither is equal within the margin."""
    paper, indices = sensitive("ma")
    same = dict.fromkeys(keys(paper), 0.0)
    equal = paper.claim(invented(paper, same))
    other = paper.claim(invented(paper, {key: float(key[0].startswith("RAdam")) for key in same}))
    assert [verdicts(equal)[i] for i in indices] == [REPLICATED] * 2
    assert [verdicts(other)[i] for i in indices] == [NOT_REPLICATED] * 2


def test_qk_norm_halves_the_sensitivity_or_not() -> None:
    """An edge two octaves higher leaves less than half of the sensitivity; an equal edge leaves all of it."""
    paper, indices = sensitive("wortsman")
    higher = paper.claim(invented(paper, {key: 2.0 if key[0] == "qk-norm" else -0.5 for key in keys(paper)}))
    equal = paper.claim(invented(paper, dict.fromkeys(keys(paper), 0.0)))
    assert [verdicts(higher)[i] for i in indices] == [REPLICATED] * 2
    assert [verdicts(equal)[i] for i in indices] == [NOT_REPLICATED] * 2


def small(low: float, high: float = math.inf) -> Paper:
    """A paper with one arm and one prediction."""
    prediction = Prediction("a factor", factor("arm", 40), low, high, (low, low))
    return Paper(
        "small",
        "Nobody 2000",
        "https://example.org",
        "section 1",
        "Does it?",
        "It does.",
        (PaperArm("arm", (0, 40), rates(0.01, 0.16, 9)),),
        (prediction,),
        "nothing",
        "all",
    )


def test_an_interval_across_a_bound_is_undecided() -> None:
    """Seeds whose factors differ leave an interval across the bound, and no verdict either way."""
    paper = small(low=0.5)
    runs = invented(paper, {("arm", 0): 0.0, ("arm", 40): 0.5})
    with_warmup = (runs["warmup_steps"] == 40) & (runs["seed"] % 2 == 0)
    runs.loc[with_warmup, "loss"] = np.minimum(PLATEAU, runs.loc[with_warmup, "loss"] * 2)
    claim = paper.claim(runs)
    estimate = claim.table["measured"][0]
    assert estimate.low < 0.5 < estimate.high
    assert verdicts(claim) == [UNDECIDED]


def test_edges_outside_the_grid_are_not_testable() -> None:
    """More than a tenth of the edges beyond the LRs give no verdict, whatever the interval; nor do runs that fail."""
    paper = small(low=0.5)
    beyond = paper.claim(invented(paper, {("arm", 0): 0.0, ("arm", 40): 3.0}))
    below = paper.claim(invented(paper, {("arm", 0): -4.0, ("arm", 40): 0.0}))
    inside_grid = paper.claim(invented(paper, {("arm", 0): 0.0, ("arm", 40): 1.0}))
    assert [verdicts(each) for each in (beyond, below, inside_grid)] == [[NOT_TESTABLE], [NOT_TESTABLE], [REPLICATED]]


def test_a_term_must_be_run() -> None:
    """A prediction about a warmup that is not among the arm's is refused when the paper is written."""
    arm = PaperArm("arm", (0,), rates(0.01, 0.16, 9))
    with pytest.raises(ValueError, match="term=arm, 40 must be an arm and one of its warmups"):
        Paper("x", "", "", "", "", "", (arm,), (Prediction("a", factor("arm", 40), 0.2, 1.0, (0.2, 1.0)),), "", "")


def test_papers_use_the_same_bounds() -> None:
    """The smallest effect that counts is the same in every paper: no bound is fitted to a result."""
    octaves = {
        round(abs(bound), 4)
        for name in PAPERS
        for prediction in paper_of(name).predictions
        if prediction.measure == EDGE and prediction.unit == "octaves"
        for bound in (prediction.low, prediction.high)
        if math.isfinite(bound)
    }
    assert octaves == {0.2, round(math.log2(1.25), 4)}


def test_arms_are_what_they_are_called() -> None:
    """The configuration of an arm is that of its changes, and its table says which they are."""
    by_name = {arm.name: arm.spec((0,)) for name in PAPERS for arm in paper_of(name).arms}
    assert by_name["batch 128"].config.batch_size == 128
    assert by_name["β1 0.98"].config.betas == (0.98, 0.999)
    assert by_name["RAdam, β2 0.95"].config.optimizer == "radam"
    assert by_name["clipped at 1"].config.max_norm == 1
    assert by_name["qk-norm"].config.qk_norm
    assert by_name["width 64"].config.d_model == 64
    assert by_name["Lion"].name == "small16 optimizer=lion betas=(0.9,0.99)"


def test_cost_counts_steps_batches_and_widths() -> None:
    """Twice the seeds, the batch or the steps cost twice as much; a wider network more than its share."""
    lrs = rates(0.01, 0.16, 9)
    plain, batch, long, wide = (
        PaperArm("a", (0,), lrs),
        PaperArm("a", (0,), lrs, {"batch_size": 64}),
        PaperArm("a", (0,), lrs, steps=400),
        PaperArm("a", (0,), lrs, config="small64"),
    )
    assert plain.cost(10) == 2 * plain.cost(5) == batch.cost(5) == long.cost(5)
    assert wide.cost(5) > plain.cost(5)


def test_a_page_from_the_runs_of_another_claim(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Kalra's page is computed from the runs of warmup_length in the folder, with fresh seeds beside; options to train
    are refused in one line.
    """
    paper = paper_of("kalra")
    octaves = {(arm, warmup): 0.02 * warmup for arm, warmup in keys(paper)}
    octaves = {key: min(value, 1.0) for key, value in octaves.items()}
    parts = [invented(paper, octaves), invented(paper, octaves, REPLICATION, 1000)]
    write_runs(pandas.concat(parts, ignore_index=True), tmp_path / "warmup_length.runs.csv.gz")
    assert main(["claim", "kalra", "--out", str(tmp_path)]) == 0
    page = (tmp_path / "kalra.md").read_text(encoding="utf-8")
    assert "**4 of 4 predictions are replicated.**" in page
    assert "`python -m bench claim warmup_length --seeds 6 --first-seed 1000`" in page
    assert "`python -m bench claim kalra --from results/claims/warmup_length.runs.csv.gz`" in page
    assert (tmp_path / "kalra.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    for option in ("--seeds", "--first-seed"):
        assert main(["claim", "kalra", option, "1000", "--out", str(tmp_path)]) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        assert f"{option[2:]}=1000 must be used with warmup_length, from whose runs kalra is computed" in lines[0]


def test_a_page_says_what_it_cost_and_what_was_known() -> None:
    """The page of a paper that trains has its estimated cost, what was known before, and its own command."""
    paper = paper_of("kosson")
    page = text(paper.claim(invented(paper, dict.fromkeys(keys(paper), 0.0))))
    assert "about 8 minutes on two cores" in page
    assert paper.known in page
    assert f"`python -m bench claim kosson --seeds {SEEDS}`" in page
    for first, second in itertools.pairwise(("# Does a warmup buy more", paper.statement, "predicted at least 0.05")):
        assert page.index(first) < page.index(second)
