"""Sweeps: every run once, the same results however they are cut, kept when something fails."""

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
from bench.tests.sweeps import GRID, TINY, Here
from bench.tests.toy_models import one_thread
from bench.toy.plain import train as train_plainly

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

#: float32 on the way through some 20 layers and 6 steps; the plain trainer sums in another order.
SAME = 1e-4


@pytest.fixture(scope="module")
def whole() -> dict[Run, Result]:
    """The results of the grid, each norm placement trained in one go."""
    found: dict[Run, Result] = {}
    for part in cut(GRID.runs(), 100):
        found.update(zip(part, train_runs(Job(GRID, part, code_key())), strict=True))
    return found


def same(found: dict[Run, Result], others: dict[Run, Result]) -> bool:
    """Equal to the last bit, and in the same order."""
    return shards.packed(found.items()) == shards.packed(others.items())


def test_cut_keeps_norms_apart_and_every_run() -> None:
    """Shards hold one norm each, are no longer than asked for, and together are the grid."""
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


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 5, 24])
def test_results_do_not_depend_on_the_cut(whole: dict[Run, Result], size: int, tmp_path: Path) -> None:
    """Shards of any length give the same bits."""
    executor = Here()
    assert same(run_sweep(GRID, executor, tmp_path, size=size), whole)
    assert executor.runs == 24
    assert executor.jobs == len(list(tmp_path.iterdir()))


@pytest.mark.slow
def test_threads_give_the_same(whole: dict[Run, Result], tmp_path: Path) -> None:
    """Workers that share torch's generator do not draw each other's weights."""
    with ThreadPoolExecutor(4) as threads:
        assert same(run_sweep(GRID, threads, tmp_path, size=2, jobs=4), whole)


def test_a_run_is_the_plain_run(whole: dict[Run, Result]) -> None:
    """Losses before and after are those of the plain trainer under the same schedule, LR and seed."""
    for run in [run for run in whole if (run.lr, run.seed, run.kind) == (0.01, 1, "linear")]:
        config = dataclasses.replace(TINY, norm_first=run.norm == "pre")
        plain = train_plainly(config, ref.parse(run.schedule), steps=6, seed=run.seed, base_lr=run.lr)
        found = whole[run]
        assert [found.initial_loss, found.loss] == pytest.approx([*plain.validation.values()], rel=SAME)


def test_a_second_call_runs_nothing(whole: dict[Run, Result], tmp_path: Path) -> None:
    """All runs are found on disk; none is run, and the results are the same."""
    run_sweep(GRID, Here(), tmp_path, size=5)
    again = Here()
    assert same(run_sweep(GRID, again, tmp_path, size=7), whole)
    assert again.runs == 0


def test_a_larger_grid_runs_only_what_is_new(tmp_path: Path) -> None:
    """A further LR and seed cost their own runs only."""
    run_sweep(GRID, Here(), tmp_path)
    more = dataclasses.replace(GRID, lrs=(0.01, 0.05, 0.1), seeds=(0, 1, 2))
    executor = Here()
    found = run_sweep(more, executor, tmp_path)
    assert len(found) == 6 * 9
    assert executor.runs == 6 * 9 - 24
    assert list(found) == more.runs()


def test_what_was_finished_before_an_error_is_kept(whole: dict[Run, Result], tmp_path: Path) -> None:
    """A worker's error is raised; the next call runs only what is missing, and ends with the same results."""
    first = Here(most=3)
    with pytest.raises(RuntimeError, match="stopped"):
        run_sweep(GRID, first, tmp_path, size=5)
    second = Here()
    assert same(run_sweep(GRID, second, tmp_path, size=4), whole)
    assert first.runs > 0
    assert first.runs + second.runs == 24


def test_a_damaged_shard_is_run_again(whole: dict[Run, Result], tmp_path: Path) -> None:
    """A shard that was cut off or altered is not believed."""
    run_sweep(GRID, Here(), tmp_path, size=6)
    first, second, *_ = sorted(tmp_path.iterdir())
    first.write_bytes(first.read_bytes()[:-20])
    second.write_bytes(second.read_bytes().replace(b"0.", b"1.", 1))
    executor = Here()
    assert same(run_sweep(GRID, executor, tmp_path, size=6), whole)
    assert executor.runs == 12


def test_a_worker_with_other_code_is_refused() -> None:
    """Results of other code must not be mixed in."""
    with pytest.raises(OtherCode, match=r"^worker=\S+ must have the same code and versions"):
        train_runs(Job(GRID, tuple(GRID.runs()[:1]), "0" * 16))


def test_a_full_disk_is_said_and_what_is_written_stays(
    whole: dict[Run, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the folder, the reason and what is kept; afterwards the sweep goes on from there."""
    writes: list[Path] = []

    def full_after_two(path: Path, data: bytes) -> None:
        if len(writes) == 2:
            raise OSError(28, "No space left on device")
        writes.append(path)
        path.write_bytes(data)

    with monkeypatch.context() as patch:
        patch.setattr(shards, "write_whole", full_after_two)
        with pytest.raises(DiskError, match="No space left") as raised:
            run_sweep(GRID, Here(), tmp_path, size=6)
    line = f"out={tmp_path}: No space left on device; 12 of 24 runs are saved, rerun the same command to resume"
    assert str(raised.value) == line
    executor = Here()
    assert same(run_sweep(GRID, executor, tmp_path, size=6), whole)
    assert executor.runs == 12


def test_progress_is_reported(tmp_path: Path) -> None:
    """First what was found on disk, then after each shard, up to all."""
    run_sweep(dataclasses.replace(GRID, seeds=(0,)), Here(), tmp_path)
    seen: list[tuple[int, int]] = []
    run_sweep(GRID, Here(), tmp_path, size=3, report=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 24) for done in (12, 15, 18, 21, 24)]


def test_failing_and_reaching_are_told_from_the_losses() -> None:
    """The step from which a loss stays too high; not a number is too high."""
    losses = torch.tensor([[3.0, 0.5, 0.5, 0.9], [3.0, 0.5, 1.5, 2.0], [3.0, 2.0, 1.5, math.nan]])
    assert train.failing_since(losses, 1.0) == [None, 2, 0]


def test_instruments_are_noted_and_change_nothing(whole: dict[Run, Result]) -> None:
    """With instruments each run has three positive peaks, and else the same bits as without."""
    runs = tuple(GRID.runs()[:4])
    watched = train_runs(Job(dataclasses.replace(GRID, instruments=True), runs, code_key()))
    for run, result in zip(runs, watched, strict=True):
        assert min(result[4:]) > 0
        assert all(math.isnan(number) for number in whole[run][4:])
        assert result[:4] == whole[run][:4]
