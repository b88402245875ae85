"""The published claims: their sentences follow from the numbers, and their files can be read back."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.claims import advice, cost, noam, warmup_kind, warmup_length
from bench.claims.grid import Curves
from bench.claims.publish import Claim, frame_as_markdown, publish, tidy
from bench.commands.claim import CLAIMS
from bench.sweep.spec import Run, Spec
from bench.sweep.train import Result
from bench.toy.config import named
from bench.toy.measures import Estimate

pytestmark = pytest.mark.slow  # trains and draws

pandas = pytest.importorskip("pandas")

SEEDS = 5
INITIAL, PLATEAU, GOOD = 3.4, 2.3, 0.05


def invented(spec: Spec, folder: Path, slope: float = 0.5, penalty: float = 0.0) -> Curves:
    """Results with max stable LR 0.01·(W/10)^slope; the loss of kinds other than linear is higher by `penalty`."""

    def loss(run: Run) -> float:
        edge = 0.01 * (max(run.warmup_steps, 1) / 10) ** slope * (1 + 0.002 * run.seed)
        return (GOOD if run.lr <= edge else PLATEAU) + (penalty if run.kind not in ("linear", "none") else 0.0)

    return Curves(spec, {run: Result(loss(run), INITIAL, None, None, 0.0, 0.0, 0.0) for run in spec.runs()})


def made(module, monkeypatch: pytest.MonkeyPatch, **options: float) -> Claim:  # type: ignore[no-untyped-def]
    """A claim made from invented results."""
    monkeypatch.setattr(module, "measured", lambda spec, folder: invented(spec, folder, **options))
    claim: Claim = module.claim(SEEDS, Path())
    return claim


def test_longer_warmup_lowers_the_sensitivity(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the edge rises with W, the claim says so for both LayerNorm positions, and that it does not saturate."""
    answer = "\n".join(made(warmup_length, monkeypatch).answer)
    assert answer.count("a warmup of 20% lowers the LR sensitivity") == 2
    assert f"falls in {SEEDS} of {SEEDS} seeds" in answer
    assert answer.count("It keeps falling up to the longest warmup tried, 75%") == 2


def test_a_warmup_without_benefit(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the edge does not depend on W, no warmup is measurably better than none, and only a lower peak is advised."""
    answer = "\n".join(made(warmup_length, monkeypatch, slope=0.0).answer)
    assert answer.count("does not measurably change the LR sensitivity") == 2
    assert answer.count("No warmup longer than 0 steps (0%) is measurably better") == 2
    assert "only a lower peak helps" in "\n".join(made(advice, monkeypatch, slope=0.0).answer)


@pytest.mark.parametrize("slope", [0.25, 0.5])
def test_longer_warmup_or_lower_peak(slope: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fitted slope is that of the invented edge, to within one grid step of the LRs over the range of lengths."""
    spec = Spec(named("small16"), "small16", 800, (20, 40, 80, 160, 320), advice.LRS, tuple(range(SEEDS)))
    grid = np.log(advice.LRS[1] / advice.LRS[0]) / np.log(320 / 20)
    assert advice.slopes(invented(spec, Path(), slope=slope)) == pytest.approx([slope] * SEEDS, abs=grid)
    assert "doubling the warmup allows a peak" in "\n".join(made(advice, monkeypatch, slope=slope).answer)


def test_shortest_warmup_that_prevents_failure() -> None:
    """The rescue of an LR is the first share whose edge is above it; beyond the last edge there is none."""
    lengths = tuple(round(share * 200) for share in advice.SHARES)
    curves = invented(
        Spec(named("small16"), "small16", 200, lengths, advice.LRS, tuple(range(SEEDS)), match=("steps",)),
        Path(),
    )
    edges = {share: 0.01 * (max(share * 200, 1) / 10) ** 0.5 for share in advice.SHARES}
    for lr, share in advice.rescue(curves).items():
        assert share == next((known for known in advice.SHARES if lr <= edges[known]), None)


@pytest.mark.parametrize(("penalty", "words"), [(0.0, "no measurable difference"), (0.3, "lower than linear")])
def test_kinds_are_compared(penalty: float, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the edge does not depend on W, kinds differ only by the penalty on their losses: all of them, or none."""
    # A loss that is higher everywhere leaves less room up to the ceiling, so sensitivity falls with the penalty.
    monkeypatch.setattr("bench.tests.claims.test_claims.PLATEAU", INITIAL)
    answer = made(warmup_kind, monkeypatch, slope=0.0, penalty=penalty).answer
    assert [line.count(words) for line in answer[:2]] == [3, 3]


def runs(chosen: list[noam.Candidate], seeds: int, folder: Path) -> list[noam.CandidateRuns]:
    """Runs whose seeds learn at step 300, or never if the peak is above 0.01."""
    results = []
    for candidate in chosen:
        at = list(range(0, candidate.steps + 1, noam.EVERY))
        peak = float(candidate.schedule.trace(candidate.steps, candidate.base_lr).max())
        losses = [[2.0 if t < 300 or peak > 0.01 else 0.01 + 0.001 * seed for t in at] for seed in range(seeds)]
        results.append(noam.CandidateRuns(candidate, at, np.array(losses), peak))
    return results


def test_noam_ends_during_its_warmup(monkeypatch: pytest.MonkeyPatch) -> None:
    """At step 280 of 4000 the LR is 7 % of the peak, and a task learned at step 300 is not yet learned."""
    monkeypatch.setattr(noam, "measured", runs)
    claim = noam.claim(SEEDS, Path())
    assert "reaches only 7% of its peak LR" in claim.answer[0]
    assert "after 300 [300, 300] steps, long before its warmup ends at step 4000" in claim.answer[0]
    assert claim.answer[2].endswith(f"0 of {SEEDS} seeds learned the task.")


def test_cost_names_what_is_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    """The share is the time of the LR over that of the step, and only steps more than 5 % longer are listed."""
    steps = {name: 1.04 if name == "noam" else 1.2 if name == "radam" else 1.0 for name in cost.rules("small16")}
    monkeypatch.setattr(
        cost, "one_seed", lambda config, seed: {name: (step, 0.01 * step) for name, step in steps.items()}
    )
    answer = cost.claim(SEEDS, Path()).answer
    assert "1% (linear, SequentialLR)" in answer[0]
    assert answer[0].endswith("in the loop: radam (1.2 [1.2, 1.2] times as long).")


def test_files_can_be_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim is published as a text with its command and versions, a table of single numbers, and a picture."""
    paths = publish(made(warmup_length, monkeypatch), tmp_path)
    assert [path.name for path in paths] == [f"warmup_length{kind}" for kind in (".md", ".csv", ".png")]
    text = paths[0].read_text()
    assert f"`python -m bench claim warmup_length --seeds {SEEDS}`" in text
    assert "torch " in text
    assert "![" in text
    rows = list(csv.DictReader(paths[1].read_text().splitlines()))
    assert len(rows) == 2 * len(warmup_length.WARMUPS)
    for row in rows:
        low, value, high = (float(row[f"LR sensitivity{end}"]) for end in (" low", "", " high"))
        assert low <= value <= high
    assert paths[2].read_bytes().startswith(b"\x89PNG")


def test_estimates_become_columns() -> None:
    """A cell with an interval becomes three cells, a missing one three empty cells; text shows both."""
    table = pandas.DataFrame([{"a": Estimate(0.5, 0.25, 0.75), "b": 1}, {"a": None, "b": 2}])
    assert tidy(table).to_csv(index=False) == "a,a low,a high,b\n0.5,0.25,0.75,1\n,,,2\n"
    assert frame_as_markdown(table).splitlines()[2:] == ["| 0.5 [0.25, 0.75] | 1 |", "| - | 2 |"]


@pytest.mark.parametrize("name", CLAIMS)
def test_every_name_is_a_module(name: str) -> None:
    """Each name that the command accepts is a module with a claim."""
    assert callable(importlib.import_module(f"bench.claims.{name}").claim)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "4"], "seeds=4 must be >= 5"),
        (["--out", "{file}"], "file must be a writable folder: "),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too few seeds for an interval, or a file instead of a folder: exit code 2 and one line."""

    (tmp_path / "file").touch()
    words = [word.format(file=tmp_path / "file") for word in arguments]
    assert main(["claim", "cost", *words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]
