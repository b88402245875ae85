"""The recorder in edge cases: errors, wrappers, several recorders, cleaning up."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import SGD, Optimizer, lr_scheduler
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from bench.tests.loops import loop, loss_of, parameters
from bench.tests.watch.test_recorder import halving, rates
from bench.watch import Recorder
from bench.watch.patches import ATTENTION, BACKWARD, MULTIHEAD, SCALER, SCHEDULER, SOFTMAX
from bench.watch.steps import step_log as log
from bench.watch.steps.csv_journal import CsvJournal, StepRow

PATCHES = (BACKWARD, SCALER, SCHEDULER, ATTENTION, MULTIHEAD, SOFTMAX)
#: Every torch optimizer that needs only parameters and an LR; the others have separate tests.
OPTIMIZERS = [
    name
    for name in ("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop")
    if hasattr(torch.optim, name)
] + ["Rprop", "SGD"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_of_torch_is_recorded(name: str) -> None:
    """Each class has its trace under its own name."""
    optimizer = getattr(torch.optim, name)(parameters(1), lr=0.5)
    scheduler = halving(optimizer)
    with Recorder() as recorder:
        loop(optimizer, scheduler, 3)
    assert [(trace.name, trace.lrs.tolist()) for trace in recorder.traces] == [(name, [0.5, 0.25, 0.125])]


def test_lbfgs_takes_one_step_for_many_closures() -> None:
    """LBFGS calls the closure, and therefore the backward pass, several times in one step."""
    optimizer = torch.optim.LBFGS(parameters(1), lr=0.01)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(optimizer)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with Recorder() as recorder:
        for _ in range(2):
            optimizer.step(closure)  # type: ignore[no-untyped-call]
    assert rates(recorder) == [[0.01, 0.01]]
    assert all(row.backwards > 1 for row in recorder.log.rows())


def test_a_step_that_fails_is_not_recorded() -> None:
    """An exception inside the step leaves no row, and the next step is recorded once."""

    class Failing(SGD):
        broken = True

        def step(self, closure: Any = None) -> Any:
            if self.broken:
                raise RuntimeError("out of memory")
            return super().step(closure)

    optimizer = Failing(parameters(1), lr=0.5)
    SGD(parameters(1))  # now the base class has hooks too
    with Recorder() as recorder:
        for broken in (False, True, True, False):
            optimizer.broken = broken
            loss_of(optimizer).backward()  # type: ignore[no-untyped-call]
            if broken:
                with pytest.raises(RuntimeError, match="out of memory"):
                    optimizer.step()
            else:
                optimizer.step()
    assert rates(recorder) == [[0.5, 0.5]]
    assert [row.backwards for row in recorder.log.rows()] == [1, 3]


def test_a_wrapper_with_the_same_groups_counts_once() -> None:
    """An optimizer that steps another one with the same groups is recorded once, as the inner one."""

    class Wrapper(Optimizer):
        def __init__(self, base: Optimizer) -> None:
            super().__init__(base.param_groups, {})
            self.base = base
            self.param_groups = base.param_groups

        def step(self, closure: Any = None) -> Any:
            return self.base.step()

    base = SGD(parameters(1), lr=0.5)
    wrapper = Wrapper(base)
    with Recorder() as recorder:
        for _ in range(3):
            loss_of(base).backward()  # type: ignore[no-untyped-call]
            wrapper.step()
    assert {series.name: series.lrs.tolist() for series in recorder.series()} == {"SGD": [0.5] * 3}


def test_everything_is_restored() -> None:
    """After the last recorder torch's functions are the originals, and no hook is left."""
    places = [(owner, name, vars(owner)[name]) for patch in PATCHES for owner, name in patch.places()]
    optimizer = SGD(parameters(1), lr=0.5)
    with Recorder(), Recorder():
        loop(optimizer, halving(optimizer), 1)
        assert vars(torch.autograd)["backward"] is not places[0][2]
    assert [(owner, name) for owner, name, original in places if vars(owner)[name] is not original] == []
    assert not optimizer._optimizer_step_pre_hooks
    assert not _global_optimizer_pre_hooks
    assert not _global_optimizer_post_hooks


def test_an_exception_in_the_loop_restores_everything() -> None:
    """The recorder closes itself, keeps its rows, and lets the exception propagate."""
    original = vars(lr_scheduler.LRScheduler)["step"]
    optimizer = SGD(parameters(1), lr=0.5)
    recorder = Recorder()

    def run() -> None:
        with recorder:
            loop(optimizer, None, 2)
            raise KeyError("their own")

    with pytest.raises(KeyError, match="their own"):
        run()
    assert rates(recorder) == [[0.5, 0.5]]
    assert vars(lr_scheduler.LRScheduler)["step"] is original


def test_nested_recorders_are_independent() -> None:
    """The inner one records its own part; each counts from its own start."""
    optimizer = SGD(parameters(1), lr=1.0)
    scheduler = halving(optimizer)
    with Recorder() as outer:
        loop(optimizer, scheduler, 2)
        with Recorder() as inner:
            loop(optimizer, scheduler, 2)
        loop(optimizer, scheduler, 1)
    assert rates(outer) == [[1.0, 0.5, 0.25, 0.125, 0.0625]]
    assert rates(inner) == [[0.25, 0.125]]
    assert [row.backwards for row in inner.log.rows()] == [1, 1]


def test_optimizers_are_not_kept_alive() -> None:
    """An optimizer that the loop drops is freed, but its trace is kept."""
    with Recorder() as recorder:
        optimizer = SGD(parameters(1), lr=0.5)
        loop(optimizer, None, 2)
        recorder.log.flush()
        gone = weakref.ref(optimizer)
        del optimizer
        gc.collect()
        assert gone() is None
    assert rates(recorder) == [[0.5, 0.5]]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_block_size_does_not_matter(size: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """However many steps are buffered before they are read, the table and the file are the same."""
    monkeypatch.setattr(log, "BLOCK_STEPS", size)
    path = tmp_path / "trace.csv"
    optimizer = SGD(parameters(1), lr=1.0, momentum=0.5)
    scheduler = halving(optimizer)
    with Recorder(CsvJournal(path)) as recorder:
        loop(optimizer, scheduler, 7)
        written = path.read_text().count("\n")
    assert written == 1 + 7 // size * size
    assert rates(recorder) == [[0.5**step for step in range(7)]]
    recorder.write(tmp_path / "whole.csv")
    assert (tmp_path / "whole.csv").read_bytes() == path.read_bytes()
    assert path.read_text().splitlines()[:3] == [
        ",".join(StepRow._fields),
        "0,SGD,0,1.0,0.5,0.0,1,0,0,1.0,0,,,0,0",
        "1,SGD,0,0.5,0.5,0.0,1,1,0,1.0,1,1,inf,,0",
    ]


def test_a_slow_loop_is_written_by_the_clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With long steps, rows are written before the block is full."""
    monkeypatch.setattr(log, "BLOCK_SECONDS", 0.0)
    optimizer = SGD(parameters(1), lr=1.0)
    with Recorder(CsvJournal(tmp_path / "trace.csv")):
        loop(optimizer, None, 2)
        assert (tmp_path / "trace.csv").read_text().count("\n") == 3


def test_an_lr_that_is_not_a_number_does_not_stop_the_loop() -> None:
    """An optimizer without an LR still trains; it has no trace, and the others have theirs."""
    odd, plain = SGD(parameters(1), lr=0.5), SGD(parameters(1), lr=0.5)
    step = odd.step
    odd.param_groups[0]["betas"] = None

    class WithoutRate(Optimizer):
        def step(self, closure: Any = None) -> Any:
            return None

    without = WithoutRate(parameters(1), {"lr": None})
    with Recorder() as recorder:
        for _ in range(2):
            without.step()
            loss_of(odd).backward()  # type: ignore[no-untyped-call]
            step()
        loop(plain, None, 2)
    assert [trace.name for trace in recorder.traces] == ["SGD", "SGD-2"]
    assert "nan" in str(recorder.series("WithoutRate")[0].lrs)
