"""Sweeps: every run happens once, results do not depend on the shards, and survive failures."""

from __future__ import annotations

import dataclasses
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

import reference as ref
from bench.sweep import shards, train
from bench.sweep.engine import DiskError, cut, run_sweep
from bench.sweep.spec import Run
from bench.sweep.train import Job, OtherCode, Result, code_key, train_runs
from bench.tests.sweeps import GRID, TINY, InlineExecutor
from bench.tests.toy_models import one_thread
from bench.toy.plain import train as train_plainly

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures(one_thread.__name__)]  # trains sweeps

#: float32 through about 20 layers and 6 steps; the plain trainer sums in another order.
SAME = 1e-4


@pytest.fixture(scope="module")
def uncut() -> dict[Run, Result]:
    """The results of the grid, with one shard per norm placement."""
    results: dict[Run, Result] = {}
    for part in cut(GRID.runs(), 100):
        results.update(zip(part, train_runs(Job(GRID, part, code_key())), strict=True))
    return results


def same(results: dict[Run, Result], others: dict[Run, Result]) -> bool:
    """Whether two sets of results are equal to the last bit and in the same order."""
    return shards.packed(results.items()) == shards.packed(others.items())


def test_cut_keeps_norms_apart_and_every_run() -> None:
    """Each shard has a single norm placement and at most the requested size; together they are the grid."""
    runs = GRID.runs()
    for size, jobs in ((1, 1), (5, 1), (5, 2), (7, 3), (100, 1), (100, 5)):
        parts = cut(runs, size, jobs)
        assert [run for part in parts for run in part] == runs
        assert all(0 < len(part) <= size and len({run.norm for run in part}) == 1 for part in parts)
        assert {norm: sum(part[0].norm == norm for part in parts) % jobs for norm in ("post", "pre")} == {
            "post": 0,
            "pre": 0,
        }
    assert cut([], 5) == []


@pytest.mark.parametrize("size", [1, 5, 24])
def test_results_do_not_depend_on_the_cut(uncut: dict[Run, Result], size: int, tmp_path: Path) -> None:
    """Shards of any size give bit-identical results."""
    executor = InlineExecutor()
    assert same(run_sweep(GRID, executor, tmp_path, size=size), uncut)
    assert executor.runs == 24
    assert executor.jobs == len(list(tmp_path.iterdir()))


def test_threads_give_the_same(uncut: dict[Run, Result], tmp_path: Path) -> None:
    """Worker threads share torch's generator, but do not draw each other's weights."""
    with ThreadPoolExecutor(4) as threads:
        assert same(run_sweep(GRID, threads, tmp_path, size=2, jobs=4), uncut)


def test_a_run_is_the_plain_run(uncut: dict[Run, Result]) -> None:
    """Initial and final losses are those of the plain trainer with the same schedule, LR and seed."""
    for run in [run for run in uncut if (run.lr, run.seed, run.kind) == (0.01, 1, "linear")]:
        config = dataclasses.replace(TINY, norm_first=run.norm == "pre")
        plain = train_plainly(config, ref.parse(run.schedule), steps=6, seed=run.seed, base_lr=run.lr)
        result = uncut[run]
        assert [result.initial_loss, result.loss] == pytest.approx([*plain.validation.values()], rel=SAME)


def test_a_second_call_runs_nothing(uncut: dict[Run, Result], tmp_path: Path) -> None:
    """A second call reads all runs from disk, runs none, and gives the same results."""
    run_sweep(GRID, InlineExecutor(), tmp_path, size=5)
    again = InlineExecutor()
    assert same(run_sweep(GRID, again, tmp_path, size=7), uncut)
    assert again.runs == 0


def test_a_larger_grid_runs_only_what_is_new(tmp_path: Path) -> None:
    """Another LR and seed cost only their own runs."""
    run_sweep(GRID, InlineExecutor(), tmp_path)
    more = dataclasses.replace(GRID, lrs=(0.01, 0.05, 0.1), seeds=(0, 1, 2))
    executor = InlineExecutor()
    results = run_sweep(more, executor, tmp_path)
    assert len(results) == 6 * 9
    assert executor.runs == 6 * 9 - 24
    assert list(results) == more.runs()


def test_what_was_finished_before_an_error_is_kept(uncut: dict[Run, Result], tmp_path: Path) -> None:
    """A worker's error is raised; the next call runs only the missing runs, and gives the same results."""
    first = InlineExecutor(max_jobs=3)
    with pytest.raises(RuntimeError, match="stopped"):
        run_sweep(GRID, first, tmp_path, size=5)
    second = InlineExecutor()
    assert same(run_sweep(GRID, second, tmp_path, size=4), uncut)
    assert first.runs > 0
    assert first.runs + second.runs == 24


def test_a_damaged_shard_is_run_again(uncut: dict[Run, Result], tmp_path: Path) -> None:
    """A truncated or altered shard is ignored and run again."""
    run_sweep(GRID, InlineExecutor(), tmp_path, size=6)
    first, second, *_ = sorted(tmp_path.iterdir())
    first.write_bytes(first.read_bytes()[:-20])
    second.write_bytes(second.read_bytes().replace(b"0.", b"1.", 1))
    executor = InlineExecutor()
    assert same(run_sweep(GRID, executor, tmp_path, size=6), uncut)
    assert executor.runs == 12


def test_a_worker_with_other_code_is_refused() -> None:
    """A worker with other code must not contribute results."""
    with pytest.raises(OtherCode, match=r"^worker=\S+ must have the same code and versions"):
        train_runs(Job(GRID, tuple(GRID.runs()[:1]), "0" * 16))


def test_a_full_disk_is_reported_and_finished_shards_stay(
    uncut: dict[Run, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line names the folder, the reason and the number of saved runs; the next call resumes from these."""
    writes: list[Path] = []

    def full_after_two(path: Path, data: bytes) -> None:
        if len(writes) == 2:
            raise OSError(28, "No space left on device")
        writes.append(path)
        path.write_bytes(data)

    with monkeypatch.context() as patch:
        patch.setattr(shards, "write_whole", full_after_two)
        with pytest.raises(DiskError, match="No space left") as raised:
            run_sweep(GRID, InlineExecutor(), tmp_path, size=6)
    line = f"out={tmp_path}: No space left on device; 12 of 24 runs are saved, rerun the same command to resume"
    assert str(raised.value) == line
    executor = InlineExecutor()
    assert same(run_sweep(GRID, executor, tmp_path, size=6), uncut)
    assert executor.runs == 12


def test_progress_is_reported(tmp_path: Path) -> None:
    """Progress starts with the runs read from disk and is reported after each shard, up to all runs."""
    run_sweep(dataclasses.replace(GRID, seeds=(0,)), InlineExecutor(), tmp_path)
    reports: list[tuple[int, int]] = []
    run_sweep(GRID, InlineExecutor(), tmp_path, size=3, report=lambda done, total: reports.append((done, total)))
    assert reports == [(done, 24) for done in (12, 15, 18, 21, 24)]


def test_first_failing_step_is_where_the_loss_stays_high() -> None:
    """A run fails from the step after which its loss stays above the limit or NaN."""
    losses = torch.tensor([[3.0, 0.5, 0.5, 0.9], [3.0, 0.5, 1.5, 2.0], [3.0, 2.0, 1.5, math.nan]])
    assert train.failing_since(losses, 1.0) == [None, 2, 0]


def test_instruments_are_recorded_and_change_nothing(uncut: dict[Run, Result]) -> None:
    """With instruments each run has three positive maxima; everything else stays bit-identical."""
    runs = tuple(GRID.runs()[:4])
    watched = train_runs(Job(dataclasses.replace(GRID, instruments=True), runs, code_key()))
    for run, result in zip(runs, watched, strict=True):
        assert min(result[4:]) > 0
        assert all(math.isnan(number) for number in uncut[run][4:])
        assert result[:4] == uncut[run][:4]
