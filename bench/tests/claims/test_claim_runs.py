"""Published runs: the file gives back what was written, and what is not such a file is refused in one line."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path

import pytest

from bench.claims import warmup_length
from bench.claims.core import runs as runs_module
from bench.claims.core.grid import from_table, trained
from bench.claims.core.publish import Claim, Headline, figure
from bench.claims.core.replication import section, verdicts
from bench.claims.core.runs import commit, read_runs, seeds_of, source_of, write_runs
from bench.sweep.spec import Spec
from bench.tests.claims.invented import SEEDS, results, runs_of
from bench.tests.sweeps import TINY
from bench.toy.measures import Estimate

pandas = pytest.importorskip("pandas")


def test_runs_come_back_exactly(tmp_path: Path) -> None:
    """Losses, missing steps and seeds are read back bit for bit, and equal runs give equal bytes."""
    table = runs_of(warmup_length)
    for path in (tmp_path / "a.runs.csv.gz", tmp_path / "b.runs.csv.gz"):
        write_runs(table, path)
    assert (tmp_path / "a.runs.csv.gz").read_bytes() == (tmp_path / "b.runs.csv.gz").read_bytes()
    again = read_runs(tmp_path / "a.runs.csv.gz")
    assert seeds_of(again) == tuple(range(SEEDS))
    assert source_of(again).startswith("commit 0123456789ab, ")
    for spec in warmup_length.specs(range(SEEDS)):
        before, after = from_table(spec, table).results, from_table(spec, again).results
        invented = results(spec)
        assert [(r.loss, r.initial_loss, r.first_failing_step, r.steps_to_target) for r in after.values()] == [
            (r.loss, r.initial_loss, r.first_failing_step, r.steps_to_target) for r in before.values()
        ]
        assert [result.loss for result in after.values()] == [invented[run].loss for run in after]


def test_a_missing_run_is_named() -> None:
    """A table without all runs of the grid is refused, with the first run that is missing."""
    table = runs_of(warmup_length).iloc[1:]
    with pytest.raises(ValueError, match=r"^runs=454 must be all 455 runs .* linear0\+cosine200, post-LN, LR 0.00625"):
        from_table(warmup_length.specs(range(SEEDS))[0], table)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no gzip", "must be a file of runs"),
        (gzip.compress(b"part,commit\n" * 999)[:-20], "must be a complete table of runs"),
        (gzip.compress(b"a,b\n1,2\n"), "but lacks part, commit, measured_on"),
        (gzip.compress(b"part,commit,measured_on\nreplication,a,b\n"), "must have runs whose part is published"),
        (gzip.compress(b""), "but lacks part"),
        (gzip.compress(b"part,commit,measured_on\npublished,a\n"), "its rows are not equally long"),
    ],
    ids=["no-gzip", "cut", "other-table", "no-runs", "empty", "uneven"],
)
def test_other_files_are_refused(data: bytes, message: str, tmp_path: Path) -> None:
    """Not gzip, cut off, another table, no published runs, nothing at all: one line each, the file first."""
    path = tmp_path / "x.runs.csv.gz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as error:
        read_runs(path)
    assert str(error.value).startswith(f"from={path} must")


def test_the_commit_marks_changed_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit is 12 hexadecimal digits, with a plus where product code differs; elsewhere the version stands."""
    plain = commit().removesuffix("+")
    assert len(plain) == 12
    assert int(plain, 16) >= 0
    monkeypatch.setattr(runs_module, "is_clone", lambda: False)
    monkeypatch.setattr(runs_module, "version", lambda: "2026.11.0")
    assert commit() == "2026.11.0"


CLAIM = Claim("name", 10, "?", [], {}, None, lambda: figure(1.0, "", ""), "", source="here")


def headline(value: float, low: float, high: float, neutral: float = 1.0) -> Headline:
    """A number of a claim."""
    return Headline("number", Estimate(value, low, high), neutral)


@pytest.mark.parametrize(
    ("published", "fresh", "word"),
    [
        (headline(1.5, 1.2, 1.9), headline(1.7, 1.4, 2.0), "replicated"),
        (headline(1.5, 1.4, 1.6), headline(1.1, 1.05, 1.15), "not replicated: the two differ"),
        (headline(1.5, 1.4, 1.6), headline(1.3, 1.2, 1.4), "not replicated: the two differ"),
        (headline(1.5, 1.4, 1.6), headline(1.38, 1.28, 1.48), "replicated"),
        (
            headline(1.5, 1.2, 1.9),
            headline(1.2, 0.9, 1.6),
            "not replicated: agrees, but the effect is not measurable by itself",
        ),
        (headline(1.05, 0.95, 1.15), headline(1.02, 0.93, 1.12), "replicated"),
        (
            headline(1.05, 0.95, 1.15),
            headline(1.12, 1.01, 1.2),
            "not replicated: agrees, but the effect is measurable by itself",
        ),
        (headline(-0.2, -0.3, -0.1, 0.0), headline(-0.25, -0.3, -0.2, 0.0), "replicated"),
        (headline(-0.2, -0.3, -0.1, 0.0), headline(0.2, 0.1, 0.3, 0.0), "not replicated: the two differ"),
    ],
)
def test_what_counts_as_replicated(published: Headline, fresh: Headline, word: str) -> None:
    """The same side of no effect, and a difference within the interval of the difference."""
    assert verdicts([published], [fresh]) == [word]
    claims = [dataclasses.replace(CLAIM, headlines=[number]) for number in (published, fresh)]
    page = "\n".join(section(claims[0], claims[1], claims[1], range(1000, 1010)))
    assert "`python -m bench claim name --seeds 10 --first-seed 1000`, measured on here" in page
    assert "seeds 1000 to 1009" in page
    assert f"{int(word == 'replicated')} of 1 numbers are replicated" in page


def test_numbers_of_another_claim() -> None:
    """Two lists of other numbers cannot be compared."""
    with pytest.raises(ValueError, match="must be those of the published one"):
        verdicts([headline(1, 1, 1)], [])


@pytest.mark.slow
def test_runs_are_trained_and_kept(tmp_path: Path) -> None:
    """A tiny grid is really trained; its table has every run, and the second time nothing is trained again."""
    spec = Spec(TINY, "tiny", 3, (0, 1), (0.01, 0.1), (7, 8), match=("steps",))
    table = trained([spec], tmp_path)
    assert set(table["config"]) == {"tiny"}
    assert set(table["steps"]) == {3}
    curves = from_table(spec, table)
    assert list(curves.results) == spec.runs()
    assert all(3.5 > result.initial_loss > 0 for result in curves.results.values())
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert trained([spec], tmp_path)["loss"].tolist() == table["loss"].tolist()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files
