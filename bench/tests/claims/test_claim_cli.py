"""`python -m bench claim`: from runs, on fresh seeds, and bad input in one line."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.claims import warmup_kind, warmup_length
from bench.claims.core.publish import frame_as_markdown, tidy
from bench.claims.core.runs import PUBLISHED, REPLICATION, part_of, read_runs, runs_file, seeds_of, write_runs
from bench.commands.claim import CLAIMS, PAPERS
from bench.tests.claims.invented import SEEDS, runs_of
from bench.toy.measures import Estimate

pandas = pytest.importorskip("pandas")


def columns_of(table: object) -> object:
    """A table of runs without the columns that say where they come from."""
    return table.drop(columns=["part", "commit", "measured_on"])  # type: ignore[attr-defined]


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Training gives invented runs; the options of the invention can be changed."""
    options: dict[str, float] = {}
    monkeypatch.setattr(
        warmup_length, "train", lambda seeds, folder: columns_of(runs_of(warmup_length, seeds, **options))
    )
    return options


def test_publish_then_recompute(tmp_path: Path, trainer: dict[str, float]) -> None:
    """Text and table from the published runs are those of the training, without training."""
    assert main(["claim", "warmup_length", "--seeds", str(SEEDS), "--out", str(tmp_path)]) == 0
    text = (tmp_path / "warmup_length.md").read_text()
    assert f"`python -m bench claim warmup_length --seeds {SEEDS}`" in text
    assert "`python -m bench claim warmup_length --from results/claims/warmup_length.runs.csv.gz`" in text
    assert "![" in text
    trainer["unknown"] = 1.0  # training would fail now
    again = tmp_path / "again"
    file = runs_file("warmup_length", tmp_path)
    assert main(["claim", "warmup_length", "--from", str(file), "--out", str(again)]) == 0
    for name in ("warmup_length.md", "warmup_length.csv"):
        assert (again / name).read_bytes() == (tmp_path / name).read_bytes()
    rows = list(csv.DictReader((tmp_path / "warmup_length.csv").read_text().splitlines()))
    assert len(rows) == 2 * len(warmup_length.WARMUPS)
    for row in rows:
        low, value, high = (float(row[f"LR sensitivity{end}"]) for end in (" low", "", " high"))
        assert low <= value <= high
    assert (tmp_path / "warmup_length.png").read_bytes().startswith(b"\x89PNG")


def test_fresh_seeds_beside_published_ones(
    tmp_path: Path, trainer: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    """The same effect on fresh seeds is a replication, exit code 0; another effect is a finding, exit code 1."""
    command = ["claim", "warmup_length", "--seeds", str(SEEDS), "--out", str(tmp_path)]
    assert main(command) == 0
    assert main([*command, "--first-seed", "1000"]) == 0
    assert "Replication on seeds 1000 to 1004" in capsys.readouterr().out
    table = read_runs(runs_file("warmup_length", tmp_path))
    assert seeds_of(part_of(table, PUBLISHED)) == tuple(range(SEEDS))
    assert seeds_of(part_of(table, REPLICATION)) == tuple(range(1000, 1000 + SEEDS))
    trainer["slope"] = 0.0
    assert main([*command, "--first-seed", "1000"]) == 1
    assert "not replicated: the two differ" in capsys.readouterr().out
    page = (tmp_path / "warmup_length.md").read_text()
    assert "not replicated" in page
    assert page.startswith("# How much higher")
    assert "allows a peak LR 1.85 [" in page  # the published numbers stay


def test_published_again_beside_its_replication(tmp_path: Path, trainer: dict[str, float]) -> None:
    """New published runs replace the published ones only."""
    command = ["claim", "warmup_length", "--seeds", str(SEEDS), "--out", str(tmp_path)]
    for more in ([], ["--first-seed", "1000"]):
        assert main([*command, *more]) == 0
    before = (tmp_path / "warmup_length.md").read_text()
    assert main(command) == 0
    assert (tmp_path / "warmup_length.md").read_text() == before
    assert "Replication on seeds 1000" in before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cost", "--seeds", "4"], "seeds=4 must be >= 5"),
        (["cost", "--out", "{file}"], "file must be a writable folder: "),
        (["cost", "--first-seed", "-1"], "first-seed=-1 must be >= 0"),
        (["cost", "--from", "{file}.gone"], "must be a file of runs"),
        (["cost", "--from", "{file}"], "but lacks part"),
        (
            ["cost", "--from", "{runs}"],
            "from={runs} must have the columns of these runs, but lacks step_seconds, lr_seconds",
        ),
        (["warmup_kind", "--from", "{runs}"], "must be all"),
        (["warmup_length", "--from", "{runs}", "--seeds", "9"], "must be used with one claim, without --seeds"),
        (["all", "--from", "{runs}"], "must be used with one claim"),
        (["warmup_length", "--first-seed", "3", "--out", "{folder}"], "must be fresh: the published seeds are 0 … 4"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too few seeds, files that are not runs or are those of another claim, seeds that are not fresh: exit code 2."""
    (tmp_path / "file").touch()
    folder = tmp_path / "published"
    folder.mkdir()
    runs = runs_file("warmup_length", folder)
    write_runs(runs_of(warmup_length), runs)
    names = {"file": tmp_path / "file", "runs": runs, "folder": folder}
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "out")]
    assert main(["claim", *(word.format(**names) for word in arguments), *out]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message.format(**names) in lines[0]


def test_estimates_become_columns() -> None:
    """A cell with an interval becomes three cells, a missing one three empty cells; text shows both."""
    table = pandas.DataFrame([{"a": Estimate(0.5, 0.25, 0.75), "b": 1}, {"a": None, "b": 2}])
    assert tidy(table).to_csv(index=False) == "a,a low,a high,b\n0.5,0.25,0.75,1\n,,,2\n"
    assert frame_as_markdown(table).splitlines()[2:] == ["| 0.5 [0.25, 0.75] | 1 |", "| - | 2 |"]


@pytest.mark.parametrize("name", [*CLAIMS, *(f"replications.{name}" for name in PAPERS)])
def test_every_name_is_a_module(name: str) -> None:
    """Each name that the command accepts is a module that trains runs and makes a claim of them."""
    module = importlib.import_module(f"bench.claims.{name}")
    assert callable(module.train)
    assert callable(module.claim)


def test_a_claim_of_kinds_from_its_runs(tmp_path: Path) -> None:
    """The kinds of warmup are compared from runs alone, too."""
    file = runs_file("warmup_kind", tmp_path)
    write_runs(runs_of(warmup_kind), file)
    assert main(["claim", "warmup_kind", "--from", str(file), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "warmup_kind.png").stat().st_size > 10_000
