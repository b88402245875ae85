"""torch's own schedulers as recipes compose them; the installed torch runs, so its deviations are in the traces.

Recipes: torchvision references/classification/train.py (SequentialLR of LinearLR and a decay), Lightning's
documentation of configure_optimizers, the documentation of OneCycleLR and ReduceLROnPlateau in torch 2.13.0.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    SequentialLR,
    StepLR,
)

from .schedule import SCHEDULES, PublicPlan, PublicSchedule

TORCHVISION = "torchvision references/classification/train.py (0.20) with torch 2.13.0"
#: Builds a scheduler of torch for an optimizer whose groups have the plan's base LR.
TorchBuild = Callable[[Optimizer, PublicPlan], LRScheduler]
#: torchvision's --lr-warmup-decay.
START = 0.01


def optimizer_of(base: float) -> Optimizer:
    """An optimizer of one parameter."""
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)


class TorchScheduler:
    """An optimizer with a scheduler of torch."""

    def __init__(self, build: TorchBuild, plan: PublicPlan, optimizer: Optimizer | None = None) -> None:
        self.optimizer = optimizer_of(plan.base) if optimizer is None else optimizer
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.scheduler = build(self.optimizer, plan)

    @property
    def lr(self) -> float:
        """The LR of the only group."""
        return float(self.optimizer.param_groups[0]["lr"])

    def update(self) -> None:
        """optimizer.step()"""
        self.optimizer.step()

    def step(self) -> None:
        """scheduler.step(), without the warnings that a user may overlook."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.scheduler.step()

    def states(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The states of optimizer and scheduler, as in a checkpoint."""
        return self.optimizer.state_dict(), self.scheduler.state_dict()


#: The builders of this module by the name of their schedule.
BUILDS: dict[str, TorchBuild] = {}


def composed(
    name: str, source: str, after_end: str, *, floors: bool = False, warms: bool = True
) -> Callable[[TorchBuild], TorchBuild]:
    """Register the decorated builder as a schedule."""

    def register(build: TorchBuild) -> TorchBuild:
        BUILDS[name] = build

        def start(plan: PublicPlan) -> TorchScheduler:
            return TorchScheduler(build, plan)

        SCHEDULES[name] = PublicSchedule(name, source, start, after_end, floors=floors, warms=warms)
        return build

    return register


def warmed(optimizer: Optimizer, plan: PublicPlan, decay: LRScheduler) -> SequentialLR:
    """A linear warmup before the decay."""
    rise = LinearLR(optimizer, start_factor=START, total_iters=plan.warmup)
    return SequentialLR(optimizer, [rise, decay], milestones=[plan.warmup])


@composed("torch-linear-cosine", f"{TORCHVISION}, --lr-scheduler cosineannealinglr", "rises", floors=True)
def linear_cosine(optimizer: Optimizer, plan: PublicPlan) -> LRScheduler:
    """The commonest composition."""
    decay = CosineAnnealingLR(optimizer, T_max=plan.decay, eta_min=plan.floor * plan.base)
    return warmed(optimizer, plan, decay)


@composed("torch-linear-linear", "Lightning's forum recipe: SequentialLR of two LinearLR, torch 2.13.0", "stays")
def linear_linear(optimizer: Optimizer, plan: PublicPlan) -> LRScheduler:
    """Up in a line, down in a line."""
    return warmed(optimizer, plan, LinearLR(optimizer, 1.0, end_factor=0.0, total_iters=plan.decay))


@composed("torch-linear-multistep", f"{TORCHVISION} (detection: MultiStepLR)", "unended")
def linear_steps(optimizer: Optimizer, plan: PublicPlan) -> LRScheduler:
    """Tenths at 60 % and 85 % of the decay."""
    milestones = [int(0.6 * plan.decay), int(0.85 * plan.decay)]
    return warmed(optimizer, plan, MultiStepLR(optimizer, milestones, gamma=0.1))


@composed("torch-linear-polynomial", "torchvision references/segmentation/train.py (0.20) with torch 2.13.0", "stays")
def linear_power(optimizer: Optimizer, plan: PublicPlan) -> LRScheduler:
    """The power of 0.9 that segmentation uses."""
    return warmed(optimizer, plan, PolynomialLR(optimizer, total_iters=plan.decay, power=0.9))


@composed("torch-one-cycle", "documentation of OneCycleLR, torch 2.13.0", "fails")
def one_cycle(optimizer: Optimizer, plan: PublicPlan) -> LRScheduler:
    """Its own cosine warmup from a 25th."""
    return OneCycleLR(optimizer, max_lr=plan.base, total_steps=plan.total, pct_start=plan.warmup / plan.total)


@composed("torch-warm-restarts", "documentation of CosineAnnealingWarmRestarts, torch 2.13.0", "restarts")
def warm_restarts(optimizer: Optimizer, plan: PublicPlan) -> LRScheduler:
    """Three cycles, each twice as long as the one before, after a warmup."""
    return warmed(optimizer, plan, CosineAnnealingWarmRestarts(optimizer, T_0=max(1, plan.decay // 7), T_mult=2))


@composed("torch-chained", "documentation of ChainedScheduler, torch 2.13.0", "rises")
def chained(optimizer: Optimizer, plan: PublicPlan) -> LRScheduler:
    """Warmup and decay at once: the peak stays below the base LR."""
    rise = LinearLR(optimizer, start_factor=START, total_iters=plan.warmup)
    return ChainedScheduler([rise, CosineAnnealingLR(optimizer, T_max=plan.total)], optimizer=optimizer)


@composed("torch-cosine", "documentation of CosineAnnealingLR, torch 2.13.0", "rises", floors=True, warms=False)
def plain_cosine(optimizer: Optimizer, plan: PublicPlan) -> LRScheduler:
    """No warmup."""
    return CosineAnnealingLR(optimizer, T_max=plan.total, eta_min=plan.floor * plan.base)


@composed("torch-step", "documentation of StepLR, torch 2.13.0", "unended", warms=False)
def plain_step(optimizer: Optimizer, plan: PublicPlan) -> LRScheduler:
    """A tenth after each quarter."""
    return StepLR(optimizer, step_size=max(1, plan.total // 4), gamma=0.1)


@composed("torch-exponential", "documentation of ExponentialLR, torch 2.13.0", "unended", warms=False)
def plain_exponential(optimizer: Optimizer, plan: PublicPlan) -> LRScheduler:
    """To a hundredth by the end of the run."""
    return ExponentialLR(optimizer, gamma=0.01 ** (1 / plan.total))
