"""`diverge` and `alarms` from the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.claims import alarm_quality
from bench.commands import alarms, diverge
from bench.diverge import sharpness
from bench.diverge.populations import Population
from bench.diverge.runs import Plan, Records
from bench.diverge.sweep_table import COLUMNS
from bench.tests.diverge_runs import BAD, GOOD, STEPS, Ruled
from bench.tests.toy_models import ODD, one_thread
from bench.toy.config import CONFIGS

pytest.importorskip("pandas")  # of the extra `bench`
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures(one_thread.__name__)]
ARGUMENTS = ["diverge", "--config", "small16", "--steps", str(STEPS), "--seeds", "2", "--base-lr", "0.1"]


def edge(warmup: int, lr: float, seed: int) -> float:
    """A longer warmup allows a higher LR."""
    return GOOD if lr <= 0.02 * (1 + warmup / 2) else BAD


@pytest.fixture(autouse=True)
def ruled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace training: runs end according to a rule."""
    trainer = Ruled(edge)
    monkeypatch.setattr(diverge, "train", lambda plans, **options: trainer(plans))
    monkeypatch.setitem(CONFIGS, "odd", ODD)


def test_the_sentence_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    """A schedule that fails and one that is stable: exit code 1, a verdict each, tables after it, nothing cut."""
    assert main([*ARGUMENTS, "--schedule", "linear0+cosine40", "--schedule", "linear20+cosine20"]) == 1
    out = capsys.readouterr().out
    assert out.startswith(
        "No warmup, cosine decay from base LR 0.1 over 40 steps [linear0+cosine40]: "
        "2 of 2 runs failed (2 never learned; "
    )
    assert "a warmup of 8 steps at the same base LR [linear8+cosine32]" in out
    assert "cosine decay from base LR 0.1 over 20 steps [linear20+cosine20]: 0 of 2 runs failed" in out
    assert re.search(r"outcome +never learned +never learned", out)
    assert "…" not in out


def test_a_stable_schedule_is_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing failed, so there is no search for a remedy."""
    assert main([*ARGUMENTS, "--schedule", "linear20+cosine20", "--json"]) == 0
    (schedule,) = json.loads(capsys.readouterr().out)["schedules"]
    assert [run["outcome"] for run in schedule["runs"]] == ["learned", "learned"]
    assert schedule["tried"] == []


def test_json_picture_and_page_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page says the same as the JSON and contains its pictures; the picture is drawn."""
    page, picture = tmp_path / "run.html", tmp_path / "run.png"
    options = ["--json", "--html", str(page), "--plot", str(picture)]
    assert main([*ARGUMENTS, "--schedule", "linear0+cosine40", *options]) == 1
    (schedule,) = json.loads(capsys.readouterr().out)["schedules"]
    assert schedule["holds"]["warmup"]["schedule"] == "linear8+cosine32"
    assert schedule["holds"]["lr"]["base_lr"] == 0.0177
    text = page.read_text(encoding="utf-8")
    assert "2 of 2 runs failed (2 never learned" in text
    assert "linear8+cosine32" in text
    assert text.count("data:image/svg") == 5
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--schedule", "linear0+"], "slug='' must be a text such as"),
        (["--schedule", "nothing5"], "slug='nothing5' does not start with a schedule name"),
        (["--schedule", "hold", "--base-lr", "-1"], "base_lr=-1.0 must be > 0"),
        (["--schedule", "hold", "--base-lr", "nan"], "base_lr=nan must be"),
        (["--schedule", "hold", "--steps", "1"], "steps=1 must be >= 2"),
        (["--schedule", "hold", "--seeds", "0"], "seeds=0 must be >= 1"),
        (["--schedule", "hold", "--seeds", "1001"], "seeds=1001 must be <= 1000"),
        (["--schedule", "hold", "--config", "tutorial"], "config=tutorial must have no dropout"),
        (["--schedule", "hold", "--table", "none.csv"], "table=none.csv must be a readable file: No such file"),
        (["--schedule", "hold", "--plot", "no/where.png"], "plot=no/where.png must be in an existing folder"),
        (["--schedule", "hold", "--html", "."], "html=. must be a file, not a folder"),
        (["--schedule", "hold", "--plot", "here.doc"], "plot=here.doc must end in one of"),
    ],
)
def test_bad_input_is_one_line(options: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, one line on standard error, nothing on standard output."""
    assert main([*ARGUMENTS, *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert line in err


def test_a_table_of_other_kinds_is_refused_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table without comparable runs is bad input: one line, and nothing is trained."""
    table = tmp_path / "runs.csv"
    table.write_text(f"{','.join(COLUMNS)}\nlinear0+hold,none,0,hold,post,small16,{STEPS},0.1,0,2\n", encoding="utf-8")
    monkeypatch.delattr(diverge, "train")
    assert main([*ARGUMENTS, "--schedule", "linear0+cosine40", "--table", str(table)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("schedule=linear0+cosine40 must have a kind of warmup and decay that the table has")


def test_a_real_run_is_judged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """After a few real training steps the model has not learned yet, which counts as a failure at the last step."""
    monkeypatch.undo()
    monkeypatch.setitem(CONFIGS, "odd", ODD)
    options = ["--config", "odd", "--schedule", "linear4+hold", "--steps", "8", "--no-advice", "--json"]
    assert main([*ARGUMENTS, *options]) == 1
    (schedule,) = json.loads(capsys.readouterr().out)["schedules"]
    assert [run["outcome"] for run in schedule["runs"]] == ["never learned"] * 2
    assert [run["failure_step"] for run in schedule["runs"]] == [8, 8]


def test_the_sharpness_is_measured_after_the_first_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given in units of its limit, which depends on the LR: positive and finite, including the last step."""
    monkeypatch.setattr(sharpness, "FROM_STEP", 3)
    monkeypatch.setattr(sharpness, "TOLERANCE", 0.1)
    steps, values = sharpness.sharpness_of(Plan("odd", "post", 5, "linear4+hold", 0.01, 0))
    assert steps.tolist() == [3, 4]
    assert np.isfinite(values).all()
    assert (values > 0).all()


def test_alarms_publishes_what_it_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Texts, tables and pictures of both parts are written; exit code 0 exactly if both targets are met."""

    def trained(plans: list[Plan], folder: object, report: object) -> Records:
        made = Ruled(edge)(plans)
        made.attention_logits[made.final > 1, 5:] = 100.0
        return made

    def population(name: str, seed: int) -> Population:
        return Population(
            name, "small16", "post", STEPS, ("cosine",), (0, 8), (0.01, 0.02, 0.05, 0.1), (seed, seed + 1)
        )

    monkeypatch.setattr("bench.diverge.populations.train", trained)
    monkeypatch.setattr(alarms, "train", trained)
    for module in (alarms, alarm_quality):
        monkeypatch.setattr(module, "TRAINING", population("training", 0))
        monkeypatch.setattr(module, "FRESH", (population("fresh", 10),))
    assert main(["alarms", "--out", str(tmp_path / "out"), "--runs", str(tmp_path / "runs"), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "The two estimates meet the target of at least 90%" in out
    assert "**A longer warmup rescued " in out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    kinds = ("md", "csv", "png", "runs.csv.gz")
    assert names == {f"{name}.{kind}" for name in ("alarms", "recommendation") for kind in kinds}
    page = (tmp_path / "out" / "alarms.md").read_text(encoding="utf-8")
    assert "`python -m bench alarms alarms`" in page
    assert "100 [" in page
    monkeypatch.delattr(alarms, "train")
    for part in ("alarms", "recommendation"):
        file = tmp_path / "out" / f"{part}.runs.csv.gz"
        assert main(["alarms", part, "--from", str(file), "--out", str(tmp_path / "again")]) == 0
        for kind in ("md", "csv"):
            again = (tmp_path / "again" / f"{part}.{kind}").read_bytes()
            assert again == (tmp_path / "out" / f"{part}.{kind}").read_bytes()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--from", "x"], "from=x must be used with one part: alarms or recommendation"),
        (["alarms", "--from", "none.csv.gz"], "from=none.csv.gz must be a file of runs: No such file or directory"),
    ],
)
def test_alarms_from_no_runs(words: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs belong to one part, and must exist: one line."""
    assert main(["alarms", *words, "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"{line}\n"


def test_alarms_refuses_other_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown part gives one line."""
    assert main(["alarms", "everything"]) == 2
    assert capsys.readouterr().err == "part=everything must be one of alarms, recommendation\n"
