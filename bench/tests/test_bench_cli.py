"""`sweep`, `train` and `compare` on the command line: exit codes, files, output, one line for bad input."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor
from pathlib import Path

import pytest

import reference as ref
from bench.__main__ import main
from bench.sweep import progress, session
from bench.tests.sweeps import TINY, InlineExecutor
from bench.tests.toy_models import one_thread
from bench.toy import config

pytest.importorskip("pandas")  # of the extra `bench`
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures(one_thread.__name__)]
FILES = {"heatmap.png", "runs.csv", "sensitivity.png", "shards", "summary.csv", "sweep.json"}
GRID = ["--config", "tiny", "--steps", "6", "--warmup", "0", "50%", "--lr-count", "2", "--seeds", "2"]


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty current folder, a configuration that trains in milliseconds, the environment restored afterwards."""
    before = dict(os.environ)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(config.CONFIGS, "tiny", TINY)
    use(monkeypatch, InlineExecutor())
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]


def use(monkeypatch: pytest.MonkeyPatch, executor: Executor) -> None:
    """Make sweeps run on this executor instead of worker processes."""
    monkeypatch.setattr(session, "processes", lambda jobs: contextlib.nullcontext(executor))


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line on standard error apart from progress; standard output must be empty."""
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if " runs, " not in line]
    assert (out, len(lines)) == ("", 1)
    return lines[0]


def test_sweep_writes_tables_and_pictures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --out all files are in ./sweep; the table is printed, progress goes to standard error."""
    monkeypatch.setattr(progress, "monotonic", lambda: 0.0)
    assert main(["sweep", *GRID]) == 0
    assert {path.name for path in Path("sweep").iterdir()} == FILES
    assert Path("sweep/heatmap.png").read_bytes().startswith(b"\x89PNG")
    with open("sweep/runs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["schedule"], r["seed"]) for r in rows[:2]] == [("linear0+cosine6", "0"), ("linear0+cosine6", "1")]
    assert len(rows) == 8
    out, err = capsys.readouterr()
    assert "LR sensitivity" in out
    assert err.splitlines() == ["0 of 8 runs, 0 s", "8 of 8 runs, 0 s"]


def test_sweep_json_parses_and_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON contains the summary without NaN; --quiet prints nothing."""
    assert main(["sweep", *GRID, "--json", "--quiet"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is not valid JSON"))
    assert (report["runs"], len(report["summary"]), err) == (8, 2, "")
    assert main(["sweep", *GRID, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_tables_do_not_depend_on_interruptions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lost workers give one line and exit code 2; a rerun ends with the same bytes as an undisturbed sweep."""
    assert main(["sweep", *GRID, "--out", "undisturbed"]) == 0
    capsys.readouterr()
    use(monkeypatch, InlineExecutor(2, BrokenExecutor("killed")))
    assert main(["sweep", *GRID, "--shard", "2"]) == 2
    line = one_line(capsys)
    assert line.startswith("jobs=")
    assert "a worker died (killed); finished runs are saved in sweep/shards" in line
    use(monkeypatch, again := InlineExecutor())
    assert main(["sweep", *GRID, "--shard", "3"]) == 0
    assert again.runs == 4
    for name in ("runs.csv", "summary.csv", "heatmap.png", "sensitivity.png"):
        assert Path("sweep", name).read_bytes() == Path("undisturbed", name).read_bytes()


def test_ctrl_c_gives_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C gives no traceback but one line that says where the finished runs are."""

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "run_sweep", interrupted)
    assert main(["sweep", *GRID]) == 130
    expected = "interrupted; finished runs are saved in sweep/shards, rerun the same command to resume"
    assert one_line(capsys) == expected


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_gives_one_line_and_loses_no_run(small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a full disk: exit code 2, the reason and the number of saved runs; with space again the sweep resumes."""
    (small_disk / "other").write_bytes(bytes(50_000))
    assert main(["sweep", *GRID, "--shard", "1", "--out", str(small_disk / "out")]) == 2
    line = one_line(capsys)
    shards = list((small_disk / "out" / "shards").glob("*.csv"))
    assert f"No space left on device; {len(shards)} of 8 runs are saved" in line
    assert not list((small_disk / "out").rglob("*.part"))
    (small_disk / "other").unlink()
    assert main(["sweep", *GRID, "--shard", "1", "--out", str(small_disk / "out")]) in (0, 2)  # pictures may not fit
    assert len(list((small_disk / "out" / "shards").glob("*.csv"))) == 8


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sweep", "--steps", "0"], "steps=0 must be >= 1"),
        (["sweep", "--warmup", "1.5"], "warmup=1.5 must be a share up to 1, such as 0.05 or 5%"),
        (["sweep", "--warmup", "201"], "warmups=201 must be <= steps=200"),
        (["sweep", "--lr-range", "0.1", "0.01"], "lr-range=0.01 must be > 0.1"),
        (["sweep", "--lr-range", "0", "0.01"], "lr-range=0.0 must be > 0"),
        (["sweep", "--lr-count", "1"], "lr-count=1 must be >= 2"),
        (["sweep", "--lrs", "0.1", "0.1"], "lrs=0.1 must be given only once"),
        (["sweep", "--seeds", "0"], "seeds=0 must be >= 1"),
        (["sweep", "--jobs", "0"], "jobs=0 must be >= 1"),
        (["sweep", "--shard", "0"], "shard=0 must be >= 1"),
        (["sweep", "--config", "tutorial"], "config=tutorial must have no dropout"),
        (["sweep", "--device", "moon"], "device=moon must be available"),
        (["sweep", *GRID, "--out", "file"], "out=file must be a writable folder"),
        (["train", "--schedule", "linear5+nothing"], "slug='nothing' does not start with a schedule name"),
        (["train", "--schedule", "linear5+hold@fast"], "schedule=linear5+hold@fast must have a number after the @"),
        (["train", "--schedule", "linear5+hold@-1"], "base-lr=-1.0 must be >= 0"),
        (["train", "--schedule", "linear5", "--steps", "0"], "steps=0 must be >= 1"),
        (["train", "--schedule", "linear5", "--seed", "-1"], "seed=-1 must be >= 0"),
        (["train", "--schedule", "linear5", "--plot", "a.nothing"], "plot=a.nothing must end in one of"),
        (["train", "--schedule", "linear5", "--csv", "no/a.csv"], "csv=no/a.csv must be in an existing folder"),
        (["train", "--schedule", "linear2+lineardecay3_m0p1"], "min_lr=0.1 must be <= base_lr=0.01"),
        (["compare", "linear5+hold", "nothing"], "slug='nothing' does not start with a schedule name"),
        (["compare", "linear5+hold", "--seeds", "0"], "seeds=0 must be >= 1"),
        (["compare", "linear5+hold", "--config", "tutorial"], "config=tutorial must have no dropout"),
    ],
)
def test_bad_input_gives_one_clear_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, the name and value first, nothing on standard output, nothing written."""
    Path("file").touch()
    assert main(arguments) == 2
    assert words in one_line(capsys)
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_train_shows_the_lr_that_was_used(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and CSV contain the schedule's LR at each step; the plot is saved."""
    arguments = ["train", "--schedule", "linear2+hold@0.5", "--config", "tiny", "--steps", "5"]
    assert main([*arguments, "--json", "--csv", "a.csv", "--plot", "a.svg"]) == 0
    run = json.loads(capsys.readouterr().out)
    assert run["lrs"] == ref.parse("linear2+hold").trace(5, 0.5).tolist()
    assert len(run["losses"]) == len(run["validation"]) - 1 == 5
    with open("a.csv", newline="") as file:
        assert [float(row["lr"]) for row in csv.DictReader(file)] == run["lrs"]
    assert "<svg" in Path("a.svg").read_text()
    assert main(arguments) == 0
    assert "highest LR 0.5 at step 2, first 0, last 0.5" in capsys.readouterr().out


@pytest.mark.parametrize("optimizer", ["radam", "sgd"])
def test_train_with_another_optimizer_and_clock(optimizer: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The schedule advances once per epoch: 9 numbers, 3 in a batch."""
    words = ["--config", "tiny", "--steps", "7", "--clock", "epoch", "--optimizer", optimizer, "--json"]
    assert main(["train", "--schedule", "linear2+hold@0.5", *words]) == 0
    assert json.loads(capsys.readouterr().out)["lrs"] == [0.0] * 3 + [0.25] * 3 + [0.5]


def test_compare_pairs_by_seed(capsys: pytest.CaptureFixture[str]) -> None:
    """A schedule differs from itself by exactly 0 and from another by more; files are written."""
    schedules = ["linear2+hold@0.01", "linear2+hold@0.01", "linear0+hold@0.1"]
    words = ["--config", "tiny", "--steps", "6", "--seeds", "3"]
    assert main(["compare", *schedules, *words, "--json", "--csv", "a.csv", "--plot", "a.png"]) == 0
    first, same, other = json.loads(capsys.readouterr().out)["schedules"]
    assert same == first
    assert [same[f"difference{end}"] for end in ("", "_low", "_high")] == [0.0, 0.0, 0.0]
    assert other["difference"] == pytest.approx(other["loss"] - first["loss"])
    assert other["difference"] != 0
    with open("a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (len(rows), rows[-1]["lr"], rows[0]["lr"]) == (3 * 3 * 6, "0.1", "0.0")
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    assert main(["compare", *schedules, *words]) == 0
    assert "difference to first" in capsys.readouterr().out
