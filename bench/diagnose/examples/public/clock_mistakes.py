"""Mistakes in the loop: scheduler.step() in the wrong place, too often, or not at all."""

from __future__ import annotations

import dataclasses

import numpy as np
from torch.optim.lr_scheduler import CosineAnnealingLR

from .loop import follow, train
from .mistake import EXPECT, TOLD, LoggedLrs, WantedRun, from_zero, mistake
from .schedules.schedule import CountingScheduler
from .schedules.torch_schedules import TorchScheduler


@mistake(
    "per-epoch",
    "a schedule in steps, stepped once per epoch",
    "Lightning's default interval of lr_scheduler_config is 'epoch'",
    near=("staircase", "stuck", "lr-zero"),
    modes=TOLD,
)
def stepped_per_epoch(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The configuration lacks interval='step'."""
    if run.shape.epochs < 4:
        return None
    return from_zero(train(run.schedule.start(run.plan), run.shape, step_at="epoch"))


@mistake(
    "per-step",
    "a schedule in epochs, stepped at every update",
    "lightning-bolts' warning in LinearWarmupCosineAnnealingLR, whose arguments are called warmup_epochs, max_epochs",
    near=("per-process", "micro-batch", "horizon-short", "rises-again"),
    modes=TOLD,
)
def epochs_as_steps(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The lengths count epochs, the loop counts updates."""
    warmup = round(run.plan.warmup / run.shape.updates_per_epoch)
    if warmup < 2 or run.schedule.after_end in ("fails", "unended"):
        return None
    plan = dataclasses.replace(run.plan, warmup=warmup, total=run.shape.epochs)
    return from_zero(train(run.schedule.start(plan), run.shape))


@mistake(
    "micro-batch",
    "a scheduler stepped once per micro-batch",
    "huggingface/accelerate#225, #963",
    near=("per-process", "per-step", "ahead"),
    modes=TOLD,
)
def stepped_per_batch(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """scheduler.step() is outside the condition that guards optimizer.step()."""
    if run.shape.accumulate < 2 or run.schedule.after_end == "fails":
        return None
    return from_zero(train(run.schedule.start(run.plan), run.shape, step_at="batch"))


@mistake(
    "per-process",
    "a scheduler stepped once per process",
    "huggingface/accelerate#628, #1382; accelerate 1.15.0 scheduler.py",
    near=("micro-batch", "per-step"),
    modes=TOLD,
)
def stepped_per_process(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """accelerate steps a prepared scheduler num_processes times; the user had counted that in already."""
    if run.shape.processes < 2 or run.schedule.after_end == "fails":
        return None
    return from_zero(train(run.schedule.start(run.plan), run.shape, times=run.shape.processes))


@mistake(
    "per-process",
    "a scheduler that two lines of code step",
    "DeepSpeed 0.19.8: the engine steps lr_scheduler itself, and the script too",
    near=("micro-batch", "per-step"),
    modes=TOLD,
)
def stepped_twice(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The engine and the script both step it."""
    if run.schedule.after_end == "fails":
        return None
    return from_zero(train(run.schedule.start(run.plan), run.shape, times=2))


def overflows(rng: np.random.Generator, attempts: int) -> list[int]:
    """The attempts that a gradient scaler leaves out: some in a row at the start, a few later."""
    first = range(int(rng.integers(2, 7)))  # one alone is a convention: (t + 1)/W for t/W
    later = rng.choice(np.arange(10, attempts - 1), size=int(rng.integers(0, 5)), replace=False)
    return sorted({*first, *later.tolist()})


@mistake(
    "scaler-skips",
    "a scheduler that steps where the gradient scaler skips the update",
    "Lightning-AI/pytorch-lightning#18828",
    near=("ahead", "resume-shifted"),
    modes=TOLD,
)
def scaler_skips(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The log counts the updates that were made."""
    skipped = overflows(rng, run.shape.updates)
    return from_zero(train(run.schedule.start(run.plan), run.shape, skipped=skipped))


@mistake(
    "waits-at-skips",
    "a scheduler that waits where the update was skipped, in a log of iterations: it ends a few steps early",
    "accelerate 1.15.0 scheduler.py: step_was_skipped",
    near=("late", "resume-shifted"),
    modes=TOLD,
)
def scaler_waits(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The log counts iterations, and at some of them nothing moved."""
    skipped = overflows(rng, run.shape.updates)
    return from_zero(train(run.schedule.start(run.plan), run.shape, skipped=skipped, waits=True))


@mistake(
    "ahead",
    "scheduler.step() before optimizer.step()",
    "the warning of torch.optim.lr_scheduler since 1.1.0 and the many threads that quote it",
    right=("ahead", "log-after"),
    modes=(EXPECT,),
)
def stepped_before(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The order of before torch 1.1."""
    if run.schedule.after_end == "fails":
        return None
    return from_zero(train(run.schedule.start(run.plan), run.shape, step_at="before"))


@mistake(
    "stuck",
    "scheduler.step() is never called",
    "Lightning with automatic_optimization=False, where the user must call it (documentation, manual optimization)",
    right=("stuck", "lr-zero"),
    near=("start-kept", "per-epoch"),
    modes=TOLD,
)
def never_stepped(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The LR is the first one throughout."""
    return from_zero(train(run.schedule.start(run.plan), run.shape, step_at="never"))


@mistake(
    "first-update-unscheduled",
    "the first update runs at the optimizer's own LR, because the loop sets the LR after the update",
    "SpeechBrain 1.1.2: schedulers run after the update",
    near=("late",),
)
def set_after_update(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """Update t runs with the formula's value for t − 1, update 0 with the base LR."""
    if run.schedule.formula is None or not run.schedule.warms:  # without a warmup it is a schedule one step late
        return None
    values = train(run.schedule.start(run.plan), run.shape)
    return from_zero([run.plan.base, *values[:-1]])


@mistake(
    "staircase-warmup",
    "a warmup that moves once per epoch before a decay that moves at each update",
    "a warmup in the callback on_train_epoch_start beside a scheduler with interval='step' (Lightning forum)",
    near=("staircase", "warmup-length"),
    modes=(EXPECT,),
)
def warmup_per_epoch(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The hook computes the warmup from the epoch."""
    each = run.shape.updates_per_epoch
    if run.schedule.formula is None or run.plan.warmup < 2 * each or run.plan.warmup % each or not run.schedule.warms:
        return None
    scheduler = CountingScheduler(run.schedule.formula, run.plan)
    lrs = []
    for t in range(run.shape.updates):
        scheduler.count = t // each * each if t < run.plan.warmup else t
        lrs.append(scheduler.lr)
    return from_zero(lrs)


@mistake(
    "hand-warmup-over-recursive",
    "a warmup that writes the LR over a scheduler which multiplies the LR it finds",
    "YOLO-style loops with CosineAnnealingLR in place of LambdaLR (ultralytics/yolov5#292 and forks)",
    near=("phase-scaled", "resume-scaled", "wrong-base"),
    modes=TOLD,
)
def written_over(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """torch's cosine, stepped from the first update, under a loop that sets the LR."""
    if run.schedule.name != "torch-linear-cosine":
        return None
    scheduler = TorchScheduler(lambda optimizer, plan: CosineAnnealingLR(optimizer, plan.total), run.plan)
    lrs = []
    for t in range(run.shape.updates):
        if t < run.plan.warmup:
            scheduler.optimizer.param_groups[0]["lr"] = run.plan.base * (t + 1) / run.plan.warmup
        lrs += follow(scheduler, 1)
    return from_zero(lrs)
