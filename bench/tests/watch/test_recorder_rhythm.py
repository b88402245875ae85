"""What the recorder counts between two steps: backward passes, scheduler steps, skipped steps."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import SGD, Optimizer
from torch.optim import lr_scheduler as lrs
from torch.utils.checkpoint import checkpoint

from bench.tests.loops import loop, loss_of, parameters, scaled_loop
from bench.tests.watch.test_recorder import early, halving, rates, rows, sequential
from bench.watch import Recorder


def test_accumulation_and_the_rhythm_of_the_scheduler_are_counted() -> None:
    """Three backward passes per step and a scheduler step every two steps are not confused with each other."""
    optimizer = SGD(parameters(1), lr=1.0)
    scheduler = halving(optimizer)
    with Recorder() as recorder:
        for _ in range(3):
            loop(optimizer, None, 2, accumulate=3)
            scheduler.step()
    assert [row.backwards for row in rows(recorder)] == [3] * 6
    assert [row.scheduler_steps for row in rows(recorder)] == [0, 0, 1, 0, 1, 0]
    assert rates(recorder) == [[1.0, 1.0, 0.5, 0.5, 0.25, 0.25]]
    assert recorder.summary() == [
        "SGD: 6 steps, 1 parameter group, 3 backward passes per step, scheduler stepped once every 2 steps"
    ]


@early
def test_a_scheduler_stepped_for_every_micro_batch_is_reported() -> None:
    """A scheduler stepped three times per update advances by three, and each of its steps is counted."""
    optimizer = SGD(parameters(1), lr=1.0)
    scheduler = halving(optimizer)
    scheduler.step()
    with Recorder() as recorder:
        for _ in range(3):
            for _ in range(3):
                scheduler.step()
            loop(optimizer, None, 1)
    assert rates(recorder) == [[0.5**4, 0.5**7, 0.5**10]]
    assert recorder.summary() == [
        "SGD: 3 steps, 1 parameter group, scheduler stepped 3 times per step",
        "  note: The scheduler is stepped 3 times per update: the schedule runs 3 times too fast.",
    ]


def notes_of(recorder: Recorder) -> list[str]:
    """The notes of a summary."""
    return [line.removeprefix("  note: ") for line in recorder.summary() if line.startswith("  note: ")]


@early
def test_usual_mistakes_are_noted() -> None:
    """A scheduler stepped per micro-batch, at skipped steps, or never; a correct loop has no note."""
    with Recorder() as micro:
        optimizer = SGD(parameters(1), lr=1.0)
        scheduler = halving(optimizer)
        for _ in range(3):
            loss_of(optimizer).backward()  # type: ignore[no-untyped-call]
            scheduler.step()
            loss_of(optimizer).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            scheduler.step()
    assert notes_of(micro)[-1] == (
        "The scheduler is stepped 2 times per update, once per micro-batch: the schedule runs 2 times too fast."
    )
    with Recorder() as skipping:
        optimizer = SGD(parameters(1), lr=1.0)
        scaled_loop(optimizer, halving(optimizer), 5, frozenset({2}), lambda step: None)
    (skip_note,) = notes_of(skipping)
    assert skip_note.startswith("The gradient scaler left out 1 update, and the scheduler was stepped all the same.")
    assert skip_note.endswith("Steps ahead: 1 from update 2.")
    with Recorder() as never:
        optimizer = SGD(parameters(1), lr=1.0)
        scheduler = halving(optimizer)
        loop(optimizer, None, 3)
    assert notes_of(never) == ["The scheduler was built but never stepped: all 3 updates ran at LR 1."]
    with Recorder() as usual:
        optimizer = SGD(parameters(1), lr=1.0)
        first, second = halving(optimizer), halving(optimizer)
        for _ in range(3):
            loop(optimizer, first, 1, accumulate=2)
            second.step()
    assert notes_of(usual) == []
    assert [row.scheduler_steps for row in rows(usual)] == [0, 1, 1]


def build_all(optimizer: Optimizer) -> list[Any]:
    """One scheduler of every class that needs only an optimizer and numbers."""
    made: list[Any] = [
        *(lrs.LambdaLR(optimizer, lambda step: 1.0), lrs.MultiplicativeLR(optimizer, lambda step: 1.0)),
        *(lrs.StepLR(optimizer, 3), lrs.MultiStepLR(optimizer, [3]), lrs.ExponentialLR(optimizer, 0.9)),
        *(lrs.ConstantLR(optimizer), lrs.LinearLR(optimizer), lrs.PolynomialLR(optimizer)),
        *(lrs.CosineAnnealingLR(optimizer, 9), lrs.CosineAnnealingWarmRestarts(optimizer, 9)),
        *(lrs.OneCycleLR(optimizer, 0.1, 99), lrs.CyclicLR(optimizer, 0.1, 0.2)),
        sequential(optimizer),
        lrs.ChainedScheduler([lrs.LinearLR(optimizer), lrs.ExponentialLR(optimizer, 0.9)]),
        lrs.ChainedScheduler([sequential(optimizer), lrs.ExponentialLR(optimizer, 0.9)]),
    ]
    return made


def test_a_scheduler_step_counts_once_and_construction_not_at_all() -> None:
    """For every class, including composites that step other schedulers and a class defined later."""
    optimizer = SGD(parameters(1), lr=0.5, momentum=0.5)

    class Before(lrs.StepLR):
        def step(self, epoch: int | None = None) -> None:
            super().step()

    with Recorder() as recorder:
        schedulers = [*build_all(optimizer), Before(optimizer, 1)]

        class Late(lrs.StepLR):
            def step(self, epoch: int | None = None) -> None:
                super().step()

        schedulers.append(Late(optimizer, 1))
        loop(optimizer, None, 1)
        for scheduler in schedulers:
            scheduler.step()
            loop(optimizer, None, 1)
        plateau = lrs.ReduceLROnPlateau(optimizer)
        plateau.step(1.0)
        loop(optimizer, None, 1)
    assert [row.scheduler_steps for row in rows(recorder)] == [0] + [1] * (len(schedulers) + 1)


def test_a_backward_pass_inside_another_does_not_count() -> None:
    """Reentrant checkpointing recomputes a part of the model and runs a nested backward pass through it."""
    optimizer = SGD(parameters(1), lr=1.0)
    weight = optimizer.param_groups[0]["params"][0]
    with Recorder() as recorder:
        out = checkpoint(torch.square, weight, use_reentrant=True)
        assert isinstance(out, torch.Tensor)
        out.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert [row.backwards for row in rows(recorder)] == [1]
