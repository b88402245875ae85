"""warmup-scheduler: GradualWarmupScheduler, after which another scheduler takes over."""

from __future__ import annotations

import dataclasses

from reference import CosineAnnealingLR, LinearWarmup, Schedule, StepDecay, WarmRestartsDecay, family
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, then
from suite.libraries.core.library import Library, LibrarySchedule

CALL = "GradualWarmupScheduler(optimizer, multiplier={multiplier}, total_epoch={warmup_steps}"


def _rising(a: Arguments) -> Schedule:
    """From 0 to the base LR, or with a multiplier from the base LR to a multiple of it."""
    low, top = (0.0, 1.0) if a.multiplier == 1.0 else (1.0, a.multiplier)
    rising = LinearWarmup(a.warmup_steps)
    return Formula(lambda t, base: base * (low + (top - low) * rising(t)))


def _then_cosine(a: Arguments) -> Schedule:
    wave = CosineAnnealingLR(max(1, a.decay_steps), a.eta_min)
    return then(_rising(a), a.warmup_steps, lambda n, base: wave(n, base * a.multiplier))


ALONE = LibrarySchedule(
    "gradual",
    "import torch\nfrom warmup_scheduler.scheduler import GradualWarmupScheduler",
    CALL + ")",
    _rising,
    fields={"multiplier": 1.0},
    docs="docstring: from 0 to base_lr, which is reached at total_epoch",
)

LIBRARY = Library(
    "warmup-scheduler",
    project="warmup-scheduler",
    files=("warmup_scheduler/scheduler.py",),
    sdist=True,
    releases=("0.3",),
    schedules=(
        ALONE,
        dataclasses.replace(
            ALONE,
            name="multiplier",
            fields={"multiplier": 8.0},
            peak=8.0,
            docs="docstring: from base_lr to base_lr * multiplier, which is reached at total_epoch",
        ),
        dataclasses.replace(
            ALONE,
            name="then-cosine",
            setup="cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, {max(1, decay_steps)}, {eta_min})",
            call=CALL + ", after_scheduler=cosine)",
            reference=_then_cosine,
            fields={"multiplier": 1.0, "eta_min": 0.0},
            variants={"floor": {"eta_min": 1e-5}},
            docs="docstring: after target_epoch, use this scheduler",
        ),
        dataclasses.replace(
            ALONE,
            name="multiplier-then-cosine",
            setup="cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, {max(1, decay_steps)}, {eta_min})",
            call=CALL + ", after_scheduler=cosine)",
            reference=_then_cosine,
            fields={"multiplier": 8.0, "eta_min": 0.0},
            variants={"floor": {"eta_min": 1e-5}},
            peak=8.0,
            docs="docstring: after target_epoch, use this scheduler; target learning rate = base_lr * multiplier",
        ),
        dataclasses.replace(
            ALONE,
            name="then-steps",
            setup="steps = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.1)",
            call=CALL + ", after_scheduler=steps)",
            reference=lambda a: then(_rising(a), a.warmup_steps, StepDecay(3)),
            fields={"multiplier": 1.0},
            docs="docstring: after target_epoch, use this scheduler",
        ),
        dataclasses.replace(
            ALONE,
            name="then-restarts",
            setup="waves = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=4)",
            call=CALL + ", after_scheduler=waves)",
            reference=lambda a: then(_rising(a), a.warmup_steps, WarmRestartsDecay(4)),
            fields={"multiplier": 1.0},
            docs="docstring: after target_epoch, use this scheduler",
        ),
        dataclasses.replace(
            ALONE,
            name="then-steps-readme",
            setup="steps = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.1)",
            call=CALL + ", after_scheduler=steps)",
            first="optimizer.step()\nscheduler.step(1)",
            step="scheduler.step(t + 2)",
            reference=lambda a: family("C", LinearWarmup(a.warmup_steps), StepDecay(3)),
            docs="README: epochs are counted from 1, and step(epoch) comes before the updates of the epoch",
        ),
    ),
)
