"""`python -m bench cuda` on a CPU with tiny sizes: every section gives its numbers, and no finished one is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bench.__main__ import main
from bench.commands import cuda
from bench.cuda import checks, edge, store
from bench.cuda.parts import GpuPart, TimeIsUp, at_most, parts, run
from bench.cuda.sizes import FULL, QUICK, CudaSizes
from bench.cuda.speed import Row
from bench.cuda.store import FinishedPart, Store
from bench.tests.toy_models import one_thread
from bench.toy.batched.stability import schedules
from suite.tests.house.tree import ROOT

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

ABOUT = {"card": "a card", "torch": "2.0", "cuda": "1", "triton": "1", "numpy": "1", "python": "3", "cpu": "a CPU"}
TINY = CudaSizes(
    "tiny",
    rounds=2,
    seconds=0.01,
    step_configs=("small16",),
    replicas=(("small16", (2,)),),
    compiled=(),
    setup=(5, 3),
    update=2,
    widths=(),
    seeds=2,
    lrs=3,
    tests=("bench/tests/toy/test_toy_task.py", "-k", "decode"),
    compiled_tests=(),
    suite=("--only", "linearlr*"),
)


def numbers(value: float) -> list[Row]:
    """One row."""
    return [{"value": value}]


def silent(line: str) -> None:
    """Say nothing."""


def nothing() -> None:
    """Do nothing."""


def measured(folder: Path, *listed: GpuPart, seconds: float = 100.0) -> dict[str, str]:
    """Run parts with a folder for their results."""
    return run(list(listed), Store(folder, ABOUT), seconds, silent, nothing)


def test_absent_gpu_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a GPU the command says so in one line, exits with 2 and writes nothing."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["cuda", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr() == ("", "device=cuda must be available: torch sees no GPU\n")
    assert list(tmp_path.iterdir()) == []


def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No time, a file instead of a folder, and a folder with another program's record are refused."""
    monkeypatch.setattr(cuda, "require", silent)
    monkeypatch.setattr(cuda, "facts", lambda device, sizes: ABOUT)
    file = tmp_path / "file"
    file.write_text("text")
    (tmp_path / "sections.json").write_text("[1]")
    for options, message in (
        (["--minutes", "0"], "minutes=0.0 must be > 0"),
        (["--out", str(file)], f"out={file} must be a folder"),
        (["--out", str(tmp_path)], f"out={tmp_path} must hold the results of this command"),
    ):
        assert main(["cuda", *options]) == 2
        assert capsys.readouterr().err.startswith(message)


@pytest.mark.slow
def test_every_section_gives_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a CPU all sections but the stability are measured, tables and page are written; a rerun measures nothing."""
    assert cuda.measured(TINY, tmp_path, "cpu", 8.0) == 0
    import pandas as pd

    listed = [part.name for part in parts(TINY, "cpu")]
    record = json.loads((tmp_path / "sections.json").read_text())
    assert [*record["parts"]] == listed
    speeds = pd.read_csv(tmp_path / "batched.csv")
    assert speeds["way"].tolist() == ["plain loop", "batched", "matrix products alone"]
    assert (speeds["low"] <= speeds["per_second"]).all()
    assert (speeds["low"] > 0).all()
    assert len(pd.read_csv(tmp_path / "steps.csv")) == 14
    assert pd.read_csv(tmp_path / "setup.csv")["replicas"].tolist() == [5]
    assert set(pd.read_csv(tmp_path / "tests.csv")["outcome"]) == {"passed"}
    assert pd.read_csv(tmp_path / "suite.csv")["cases"].item() > 0
    page = (tmp_path / "index.md").read_text(encoding="utf-8")
    assert f"{len(listed)} of {len(listed)} parts finished" in page
    assert torch.__version__ in page
    before = (tmp_path / "sections.json").read_bytes()
    capsys.readouterr()
    assert cuda.measured(TINY, tmp_path, "cpu", 8.0) == 0
    assert (tmp_path / "sections.json").read_bytes() == before
    assert f"{len(listed)} finished" in capsys.readouterr().err


@pytest.mark.slow
def test_stability_is_measured_under_each_warmup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A width has an edge with its error under each warmup, which follows the promised LRs and moves the edge up."""
    import pandas as pd

    two = {name: factors for name, factors in schedules().items() if name in ("none", "linear")}
    monkeypatch.setattr(edge, "schedules", lambda: two)
    listed = [part for part in parts(CudaSizes("tiny", widths=(16,), seeds=2, lrs=3), "cpu") if "d=" in part.name]
    assert measured(tmp_path, *listed, seconds=600) == {}
    table = pd.read_csv(tmp_path / "stability.csv").set_index("warmup")
    assert table["width"].tolist() == [16, 16]
    assert (table["steps_off"] == 0).all()
    assert (table["edge_error"] > 0).all()
    assert table["edge_over_none"]["none"] == 1 < table["edge_over_none"]["linear"]


def test_interrupted_run_keeps_what_is_finished(tmp_path: Path) -> None:
    """After Ctrl-C in the second part the first is not measured again."""
    calls = []

    def first() -> list[Row]:
        calls.append("first")
        return numbers(1.0)

    def second() -> list[Row]:
        calls.append("second")
        if calls.count("second") == 1:
            raise KeyboardInterrupt
        return numbers(2.0)

    listed = GpuPart("a", "a 1", 0, first), GpuPart("a", "a 2", 0, second)
    with pytest.raises(KeyboardInterrupt):
        measured(tmp_path, *listed)
    assert (tmp_path / "a.csv").read_text() == "value\n1.0\n"
    assert measured(tmp_path, *listed) == {}
    assert calls == ["first", "second", "second"]
    assert (tmp_path / "a.csv").read_text() == "value\n1.0\n2.0\n"


def test_killed_run_keeps_what_is_finished(tmp_path: Path) -> None:
    """A process that is killed in the second part leaves the first one complete."""
    program = (
        "import os, signal\nfrom pathlib import Path\nfrom bench.tests.cuda.test_cuda_parts import *\n"
        "def kill(): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "measured(folder, GpuPart('a', 'a 1', 0, lambda: numbers(1.0)), GpuPart('a', 'a 2', 0, kill))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [*Store(tmp_path, ABOUT).parts] == ["a 1"]
    assert (tmp_path / "a.csv").read_text() == "value\n1.0\n"


def test_failed_part_leaves_the_others(tmp_path: Path) -> None:
    """An error of one part is named, and measured again by the next run."""

    def fails() -> list[Row]:
        raise RuntimeError("out of\nmemory")

    listed = GpuPart("a", "a 1", 0, fails), GpuPart("b", "b 1", 0, lambda: numbers(1.0))
    assert measured(tmp_path, *listed) == {"a 1": "RuntimeError: out of memory"}
    assert [*Store(tmp_path, ABOUT).parts] == ["b 1"]


def test_parts_stop_when_the_time_is_over(tmp_path: Path) -> None:
    """A part that needs more than what is left is not begun, and one that takes longer is stopped."""

    def slow() -> list[Row]:
        time.sleep(30)
        return numbers(1.0)

    listed = (
        GpuPart("a", "a 1", 0.1, slow),
        GpuPart("b", "b 1", 1000, slow),
        GpuPart("c", "c 1", 0, lambda: numbers(1.0)),
    )
    start = time.monotonic()
    missing = measured(tmp_path, *listed, seconds=0.3)
    assert time.monotonic() - start < 10
    assert missing == dict.fromkeys(("a 1", "b 1", "c 1"), "no time left")
    with pytest.raises(TimeIsUp), at_most(0.01):
        time.sleep(30)


def test_results_of_another_card_are_replaced(tmp_path: Path) -> None:
    """A record of another card, version or code does not count, and goes with the first new part."""
    part = GpuPart("a", "a 1", 0, lambda: numbers(1.0))
    measured(tmp_path, part)
    assert not Store(tmp_path, ABOUT).replaces
    other = Store(tmp_path, {**ABOUT, "card": "another card"})
    assert (other.parts, other.replaces) == ({}, True)
    other.add("b 1", FinishedPart("b", numbers(2.0), 1.0, "2026-01-01"))
    assert Store(tmp_path, ABOUT).parts == {}


def test_facts_name_code_and_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other sizes, or other code, are another measurement."""
    keys = {store.facts("cpu", sizes)["key"] for sizes in (FULL, QUICK, TINY)}
    monkeypatch.setattr(store, "code_key", lambda: "other")
    keys.add(store.facts("cpu", TINY)["key"])
    monkeypatch.setattr(store, "MEASURING", ())
    keys.add(store.facts("cpu", TINY)["key"])
    assert len(keys) == 5


def test_every_outcome_of_a_test_is_read(tmp_path: Path) -> None:
    """Passed, failed and skipped tests and their messages are rows; a run without tests is an error."""
    file = tmp_path / "test_outcomes.py"
    file.write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 1 == 2, 'one\\ntwo'\n"
        "@pytest.mark.skip(reason='no reason')\n"
        "def test_left_out(): pass\n"
    )
    rows = checks.tests((str(file),))
    outcomes = {str(row["test"]).rpartition("::")[2]: (row["outcome"], row["message"]) for row in rows}
    assert outcomes == {
        "test_good": ("passed", ""),
        "test_bad": ("failed", "AssertionError: one"),
        "test_left_out": ("skipped", "no reason"),
    }
    with pytest.raises(checks.CheckError, match="ended with exit code 5"):
        checks.tests((str(file), "-k", "none_such"))


def test_full_run_has_every_bar_and_width() -> None:
    """The full run measures each model that has a bar, compiled too, and the widths 16, 64 and 128."""
    names = [part.name for part in parts(FULL, "cuda")]
    assert {"stability d=16", "stability d=64", "stability d=128", "setup", "suite", "tests"} <= set(names)
    for model in ("small16", "small64", "tutorial"):
        assert any(name.startswith(f"batched {model} K=") for name in names)
        assert any(name.startswith(f"compiled {model} K=") for name in names)
    assert sum(part.seconds for part in parts(FULL, "cuda")) <= 480
