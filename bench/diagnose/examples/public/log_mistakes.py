"""Mistakes in what is logged, of a run that trained as wanted; and mistakes in compositions of torch's schedulers."""

from __future__ import annotations

import warnings

import numpy as np
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)

from .loop import train
from .mistake import EXPECT, NOTHING, TOLD, LoggedLrs, WantedRun, from_zero, mistake
from .schedules.schedule import PublicPlan
from .schedules.torch_schedules import BUILDS, START, TorchBuild, TorchScheduler, optimizer_of, warmed

#: The schedule for which the mistakes in a composition of torch are drawn: what their users wanted.
COMPOSED = "torch-linear-cosine"


@mistake(
    "log-after",
    "the LR is logged after scheduler.step()",
    "loops that end with logger.log(scheduler.get_last_lr()) after scheduler.step()",
    right=("log-after", "ahead"),
    modes=(EXPECT,),
)
def logged_after(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """Row t has the LR of update t + 1."""
    scheduler, lrs = run.schedule.start(run.plan), []
    for _ in range(run.shape.updates - 1):
        scheduler.update()
        scheduler.step()
        lrs.append(scheduler.lr)
    return from_zero(lrs)


@mistake(
    "wrong-base",
    "the LR of another parameter group is logged",
    "layer-wise LR decay (BEiT, 0.75 per layer), a head with ten times the LR; param_groups[-1] is logged",
    near=("floor-violated", "blow-up"),
    modes=TOLD,
)
def other_group(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """A constant times the first group's LR."""
    if not run.schedule.tells_base:
        return None
    factor = float(rng.choice([0.1, 10.0, 0.75 ** int(rng.integers(1, 13)), 0.9]))
    return from_zero([factor * lr for lr in train(run.schedule.start(run.plan), run.shape)])


@mistake(
    "log-rows",
    "the log is written every n updates and numbers its rows",
    "W&B's default step, which counts calls of log()",
    near=("per-step", "per-process", "micro-batch", "horizon-short"),
    modes=TOLD,
)
def rows_as_steps(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """One row for every n updates."""
    lrs = train(run.schedule.start(run.plan), run.shape)
    every = int(rng.choice([2, 5, 10, 20, 50]))
    return from_zero(lrs[::every]) if len(lrs) >= 20 * every else None


@mistake(
    "steps-in-batches",
    "the log's step counts micro-batches",
    "Lightning's batch_idx or a global_step that grows in the batch loop, under accumulation",
    near=("too-slow", "horizon-long", "log-strided", "per-epoch"),
    modes=TOLD,
)
def batches_as_steps(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """A row for each update, numbered by batch."""
    if run.shape.accumulate == 1:
        return None
    lrs = train(run.schedule.start(run.plan), run.shape)
    return LoggedLrs([t * run.shape.accumulate for t in range(len(lrs))], lrs)


@mistake(
    "get-lr-logged",
    "get_lr() is logged, which computes the next LR from the present one, in place of get_last_lr()",
    "pytorch/pytorch#67426",
    near=("log-after", "ahead"),
    modes=(EXPECT,),
)
def get_lr_logged(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """Three schedulers of torch that multiply; a SequentialLR has no get_lr() of its own."""
    if run.schedule.name not in ("torch-cosine", "torch-step", "torch-exponential"):
        return None
    scheduler, lrs = TorchScheduler(BUILDS[run.schedule.name], run.plan), []
    for _ in range(run.shape.updates):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lrs.append(float(scheduler.scheduler.get_lr()[0]))
        scheduler.update()
        scheduler.step()
    return from_zero(lrs)


@mistake(
    "decay-counts-from-zero",
    "the decay counts from step 0 behind the warmup, so the LR jumps down where the warmup ends",
    "timm 1.0.31: warmup_prefix=False is the default; facebookresearch/fairchem#1967",
    near=("clock-through-warmup",),
)
def default_prefix(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """timm's default."""
    if run.schedule.name != "timm-cosine-default":
        return None
    return from_zero(train(run.schedule.start(run.plan), run.shape))


@mistake(
    "clock-through-warmup",
    "warmup and decay run at once, so the peak stays below the base LR",
    "documentation of ChainedScheduler, whose example is taken for warmup and decay",
    near=("horizon-long", "wrong-base"),
    modes=(EXPECT,),
)
def both_at_once(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """ChainedScheduler in place of SequentialLR."""
    if run.schedule.name != "torch-chained":
        return None
    return from_zero(train(run.schedule.start(run.plan), run.shape))


def composition(run: WantedRun, build: TorchBuild) -> LoggedLrs | None:
    """The run of another composition where `COMPOSED` was wanted."""
    if run.schedule.name != COMPOSED:
        return None
    return from_zero(train(TorchScheduler(build, run.plan), run.shape))


@mistake(
    "milestone-moved",
    "the milestone of SequentialLR is not the length of the warmup",
    "milestones=[total_iters] with another variable in the LinearLR",
    near=("warmup-length", "horizon-long"),
    modes=(EXPECT,),
)
def other_milestone(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The warmup is cut short, or the LR waits."""
    milestone = max(2, int(run.plan.warmup * rng.choice([0.25, 0.5, 1.5, 2.0])))

    def build(optimizer: Optimizer, plan: PublicPlan) -> LRScheduler:
        rise = LinearLR(optimizer, START, total_iters=plan.warmup)
        return SequentialLR(optimizer, [rise, CosineAnnealingLR(optimizer, plan.decay)], [milestone])

    return composition(run, build)


@mistake(
    "horizon-long",
    "T_max is the total, after a warmup that took a part of it",
    "recipes with CosineAnnealingLR(T_max=total_steps) inside SequentialLR",
    near=("floor-missed",),
    modes=TOLD,
)
def whole_t_max(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The decay is W steps too long."""
    floor = run.plan.floor * run.plan.base
    return composition(run, lambda o, p: warmed(o, p, CosineAnnealingLR(o, p.total, eta_min=floor)))


@mistake(
    "start-kept",
    "a warmup of length 0, which keeps its start factor",
    "LinearLR(total_iters=warmup_steps) with warmup_steps=0 beside the decay",
    near=("wrong-base", "warmup-length"),
    modes=TOLD,
)
def empty_warmup(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """Every LR is a hundredth of what it should be."""
    if run.schedule.name != "torch-cosine" or run.plan.floor:
        return None
    kind = LinearLR if rng.random() < 0.5 else ConstantLR

    def build(optimizer: Optimizer, plan: PublicPlan) -> LRScheduler:
        return ChainedScheduler([kind(optimizer, START, total_iters=0), CosineAnnealingLR(optimizer, plan.total)])

    return from_zero(train(TorchScheduler(build, run.plan), run.shape))


@mistake(
    "torch-cycle-base",
    "OneCycleLR after a warmup replaces the base LR",
    "SequentialLR([LinearLR, OneCycleLR]) in torch 2.13.0",
    right=("torch-cycle-base", "phase-scaled"),
    near=("warmup-twice", "wrong-base"),
    modes=TOLD,
)
def cycle_behind_warmup(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The cycle has a warmup of its own, and the first warmup leads to a 25th of the base LR."""
    return composition(run, lambda o, p: warmed(o, p, OneCycleLR(o, p.base, total_steps=p.decay + 2)))


@mistake(
    "plateau-wrong-mode",
    "ReduceLROnPlateau(mode='max') with a loss: every epoch counts as bad, and the LR falls in even stairs",
    "documentation of ReduceLROnPlateau; Lightning's monitor='val_loss'",
    near=("staircase", "other-schedule"),
    modes=(NOTHING,),
)
def wrong_metric_mode(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """A falling loss, which mode='max' takes for a metric that gets worse."""
    if run.schedule.name != COMPOSED or run.shape.epochs < 8:
        return None
    optimizer = optimizer_of(run.plan.base)
    plateau = ReduceLROnPlateau(optimizer, mode="max", patience=int(rng.integers(0, 3)))
    lrs: list[float] = []
    for epoch in range(run.shape.epochs):
        lrs += [float(optimizer.param_groups[0]["lr"])] * run.shape.updates_per_epoch
        plateau.step(2.0 / (1 + epoch))
    return from_zero(lrs)
