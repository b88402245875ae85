"""Mistakes when a run is resumed from a checkpoint."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .loop import follow
from .mistake import TOLD, LoggedLrs, WantedRun, from_zero, mistake
from .schedules.schedule import CountingScheduler, SteppedScheduler
from .schedules.torch_schedules import BUILDS, TorchScheduler, optimizer_of

#: A run is resumed somewhere in this part of it.
EARLIEST, LATEST = 0.2, 0.8


def resumed_at(rng: np.random.Generator, run: WantedRun) -> int:
    """The number of updates before the interruption, often a number of epochs."""
    each = run.shape.updates_per_epoch
    epochs = int(rng.integers(1, run.shape.epochs))
    by_epoch = epochs * each
    anywhere = int(run.shape.updates * rng.uniform(EARLIEST, LATEST))
    within = EARLIEST * run.shape.updates <= by_epoch <= LATEST * run.shape.updates
    return by_epoch if within and rng.random() < 0.5 else anywhere


def joined(run: WantedRun, before: int, continued: SteppedScheduler) -> LoggedLrs:
    """The log of both parts: the right schedule up to `before`, then the scheduler of the second process."""
    first = follow(run.schedule.start(run.plan), before)
    rest = run.shape.updates - before
    second = follow(continued, rest - 1)
    return from_zero([*first, *second, continued.lr])  # the loop ends after the last update


def counting(run: WantedRun, before: int) -> CountingScheduler | None:
    """The restored scheduler of a formula, None for torch's own."""
    return None if run.schedule.formula is None else CountingScheduler(run.schedule.formula, run.plan, before)


def from_checkpoint(
    rng: np.random.Generator, run: WantedRun, restored: Callable[[dict[str, Any], dict[str, Any]], TorchScheduler]
) -> LoggedLrs | None:
    """A run that `restored` continues from the states of optimizer and scheduler.

    None for a formula, which has no states, and for a schedule that overwrites the LR.
    """
    before = resumed_at(rng, run)
    if run.schedule.name not in BUILDS or run.schedule.name == "torch-one-cycle":
        return None
    saved = TorchScheduler(BUILDS[run.schedule.name], run.plan)
    follow(saved, before)
    return joined(run, before, restored(*copy.deepcopy(saved.states())))


@mistake(
    "restarted",
    "the scheduler's state was not loaded",
    "lightly-ai/lightly-train#301, PolymathicAI/the_well#63",
    near=("resume-shifted", "resume-scaled", "torch-last-epoch"),
)
def nothing_loaded(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """A second warmup in the middle of the run."""
    return joined(run, resumed_at(rng, run), run.schedule.start(run.plan))


@mistake(
    "resume-shifted",
    "resumed with a count of epochs where the scheduler counts updates",
    "pytorch/pytorch#60265, ultralytics/yolov5#292",
    right=("resume-shifted", "torch-last-epoch"),
    near=("restarted",),
)
def epochs_as_count(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """last_epoch=epoch under a scheduler that is stepped at each update."""
    before = resumed_at(rng, run)
    scheduler = counting(run, max(2, before // run.shape.updates_per_epoch))
    return None if scheduler is None else joined(run, before, scheduler)


@mistake(
    "resume-shifted",
    "resumed from the wrong checkpoint: the optimizer's from step n, the scheduler's from another",
    "save_total_limit and a scheduler saved less often than the model",
    near=("restarted", "torch-last-epoch"),
)
def older_scheduler(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The schedule falls back by a tenth of the run."""
    before = resumed_at(rng, run)
    scheduler = counting(run, before - max(2, int(before * rng.uniform(0.05, 0.3))))
    return None if scheduler is None else joined(run, before, scheduler)


@mistake(
    "resumed-other-length",
    "resumed with another total: the schedule jumps to its new place",
    "transformers' Trainer with a larger num_train_epochs on resume_from_checkpoint",
    near=("resume-shifted", "horizon-long", "resume-scaled"),
    modes=TOLD,
)
def other_total(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The first part was planned shorter or longer than the run became."""
    before = resumed_at(rng, run)
    scheduler = counting(run, before)
    total = int(run.plan.total * rng.choice([0.5, 0.6, 2.0, 3.0]))
    if scheduler is None or run.schedule.after_end in ("unended", "fails") or total <= max(before, run.plan.warmup + 2):
        return None
    first = run.schedule.start(dataclasses.replace(run.plan, total=total))
    lrs = follow(first, before) + follow(scheduler, run.shape.updates - before)
    return from_zero(lrs)


@mistake(
    "resume-scaled",
    "resumed with another base LR in the configuration",
    "base_lrs of a freshly built LambdaLR, whose state has no base LR of its own",
    right=("resume-scaled", "torch-restore-order"),
    near=("wrong-base", "resume-shifted"),
)
def other_base(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The second part is a constant times the wanted one."""
    before = resumed_at(rng, run)
    scheduler = counting(run, before)
    if scheduler is None:
        return None
    scheduler.plan = dataclasses.replace(run.plan, base=run.plan.base * float(rng.choice([0.1, 0.5, 2.0, 5.0])))
    return joined(run, before, scheduler)


@mistake(
    "stuck",
    "frozen after resuming: the scheduler drives an optimizer that was replaced",
    "optimizers rebuilt by FSDP or by load_checkpoint after the scheduler was made",
    near=("resume-shifted", "resume-scaled"),
)
def frozen(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The LR of the checkpoint for the rest of the run."""
    before = resumed_at(rng, run)
    lrs = follow(run.schedule.start(run.plan), before)
    return from_zero([*lrs, *[lrs[-1]] * (run.shape.updates - before)])


@mistake(
    "scheduler-state-without-optimizer",
    "only the scheduler's state was loaded: schedulers that multiply continue from the optimizer's first LR",
    "pytorch/pytorch#31125",
    # Behind a SequentialLR the wrong order of loading gives the same LRs: building writes over what was loaded.
    right=("scheduler-state-without-optimizer", "torch-restore-order", "resume-scaled"),
    near=("restarted", "resume-shifted"),
)
def scheduler_only(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """torch itself continues."""

    def restored(optimizer: dict[str, Any], scheduler: dict[str, Any]) -> TorchScheduler:
        fresh = TorchScheduler(BUILDS[run.schedule.name], run.plan)
        fresh.scheduler.load_state_dict(scheduler)
        return fresh

    return from_checkpoint(rng, run, restored)


@mistake(
    "fresh-schedule-on-loaded-lr",
    "only the optimizer's state was loaded: a new schedule multiplies the LR of the checkpoint",
    "pytorch/pytorch#156846",
    near=("restarted", "resume-scaled", "torch-restore-order", "torch-last-epoch"),
)
def optimizer_only(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The state is loaded after the scheduler is built, which overwrites the first LR of the warmup."""

    def restored(optimizer: dict[str, Any], scheduler: dict[str, Any]) -> TorchScheduler:
        fresh = TorchScheduler(BUILDS[run.schedule.name], run.plan)
        fresh.optimizer.load_state_dict(optimizer)
        return fresh

    return from_checkpoint(rng, run, restored)


@mistake(
    "torch-restore-order",
    "the optimizer's state was loaded before the scheduler was built",
    "torch-points3d/torch-points3d#630, pytorch/pytorch#119168",
    right=("torch-restore-order", "resume-scaled", "scheduler-state-without-optimizer"),
    near=("resume-shifted", "wrong-base", "torch-last-epoch"),
)
def optimizer_first(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """Building the scheduler writes the warmup's first LR over the loaded one, and torch multiplies that."""

    def restored(optimizer: dict[str, Any], scheduler: dict[str, Any]) -> TorchScheduler:
        loaded = optimizer_of(run.plan.base)
        loaded.load_state_dict(optimizer)
        fresh = TorchScheduler(BUILDS[run.schedule.name], run.plan, loaded)
        fresh.scheduler.load_state_dict(scheduler)
        return fresh

    return from_checkpoint(rng, run, restored)
