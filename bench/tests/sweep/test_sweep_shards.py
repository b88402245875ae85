"""Shards on disk: named by everything their rows depend on, and read back exactly."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from bench.sweep import shards, train
from bench.sweep.engine import run_sweep
from bench.sweep.shards import Shards, key_of
from bench.sweep.train import Result, code_key
from bench.tests.sweeps import GRID, TINY, InlineExecutor


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 7},
        {"dtype": "float64"},
        {"instruments": True},
        {"target": 2.0},
        {"name": "other"},
        {"config": dataclasses.replace(TINY, eps=1e-6)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_key_contains_what_the_columns_do_not(change: dict[str, object]) -> None:
    """Everything that changes results without being a column changes the file names; the grid does not."""
    assert key_of(dataclasses.replace(GRID, **change)) != key_of(GRID)  # type: ignore[arg-type]
    assert key_of(dataclasses.replace(GRID, seeds=(5,), norms=("pre",))) == key_of(GRID)


def test_key_depends_on_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed sources give another key."""
    (tmp_path / "reference").mkdir()
    source = tmp_path / "reference" / "a.py"
    monkeypatch.setattr(train, "ROOT", tmp_path)
    keys = []
    for text in ("x = 1", "x = 2", "x = 1"):
        source.write_text(text)
        keys.append(code_key())
    assert keys[0] == keys[2] != keys[1]


def test_the_real_sources_are_in_the_key() -> None:
    """The patterns match existing files, among them the trainer's and the schedules'."""
    names = {path.relative_to(train.ROOT).as_posix() for pattern in train.SOURCES for path in train.ROOT.glob(pattern)}
    assert {
        "bench/toy/batched/batched.py",
        "bench/toy/batched/forward.py",
        "bench/toy/native/passes.c",
        "bench/toy/native/layers.h",
        "reference/warmup.py",
        "bench/sweep/train.py",
    } <= names


def test_rows_survive_the_disk() -> None:
    """Every float is read back exactly, including NaN and infinity, and a missing step as None."""
    run = GRID.runs()[0]._replace(lr=0.1 + 0.2)
    result = Result(math.nan, math.inf, None, 0, 1e-300, 1 / 3, -0.0)
    ((read_run, read_result),) = shards.unpacked(shards.packed([(run, result)]))
    assert read_run == run
    assert repr(read_result) == repr(result)


def test_an_unrelated_file_in_the_folder_is_left_alone(tmp_path: Path) -> None:
    """Files of other sweeps and unrelated files stay and are not read."""
    (tmp_path / "notes.txt").write_text("mine")
    other = tmp_path / f"{key_of(dataclasses.replace(GRID, steps=7))}-0.csv"
    other.write_text("what,ever")
    assert Shards(tmp_path, key_of(GRID)).read(GRID.runs()) == {}
    run_sweep(GRID, InlineExecutor(), tmp_path)
    assert (tmp_path / "notes.txt").read_text() + other.read_text() == "minewhat,ever"
