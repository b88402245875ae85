"""lightning-bolts: a scheduler class, and a function for LambdaLR; both are stepped after each update."""

from __future__ import annotations

from reference import (
    ConstantDecay,
    Convention,
    CosineDecay,
    Decay,
    LinearDecay,
    LinearWarmup,
    Schedule,
    WarmupDecay,
    family,
)
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.library import Library, LibrarySchedule

FROM = "from pl_bolts.optimizers.lr_scheduler import "


def _lambda(a: Arguments) -> Schedule:
    decay: Decay = ConstantDecay()
    if a.cosine:
        decay = CosineDecay(a.decay_steps)
    elif a.linear:
        decay = LinearDecay(a.decay_steps)
    return family("A", LinearWarmup(a.warmup_steps), decay)


LIBRARY = Library(
    "lightning-bolts",
    project="lightning-bolts",
    files=("pl_bolts/optimizers/lr_scheduler.py",),
    releases=("0.3.1", "0.4.0", "0.5.0", "0.6.0", "0.7.0"),
    schedules=(
        LibrarySchedule(
            "cosine",
            FROM + "LinearWarmupCosineAnnealingLR",
            "LinearWarmupCosineAnnealingLR(optimizer, {warmup_steps}, {total_steps}, "
            "warmup_start_lr={start_lr}, eta_min={min_lr})",
            lambda a: WarmupDecay(
                LinearWarmup(a.warmup_steps, a.start_lr / a.base_lr),
                CosineDecay(a.decay_steps, a.min_lr),
                Convention("linspace"),
            ),
            fields={"start_lr": 0.0, "min_lr": 0.0},
            variants={"start-lr": {"start_lr": 1e-4}, "min-lr": {"min_lr": 1e-4}},
            docs="docstring: linearly from warmup_start_lr to base_lr, then a cosine from base_lr to eta_min",
            reading="after-total",
        ),
        LibrarySchedule(
            "lambda",
            FROM + "linear_warmup_decay",
            "torch.optim.lr_scheduler.LambdaLR(optimizer, "
            "linear_warmup_decay({warmup_steps}, {total_steps}, cosine={cosine}, linear={linear}))",
            _lambda,
            fields={"cosine": True, "linear": False},
            variants={"linear": {"cosine": False, "linear": True}, "constant": {"cosine": False}},
            docs="docstring: linear warmup, optionally with cosine annealing or linear decay to 0 at total_steps",
            reading="after-total",
        ),
    ),
)
