"""Draw mistakes that multiply the LR by a factor."""

from __future__ import annotations

import dataclasses

import torch
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    MultiplicativeLR,
    MultiStepLR,
    SequentialLR,
)

from . import loops
from .setting import STEPPED, DrawnRun, FaultKind, Rng, draw_setting, run
from .torch_forms import chained, draw_torch_setting, rise, sequential


def lr_zero(rng: Rng) -> DrawnRun:
    """The optimizer was built with lr=0."""
    setting = draw_torch_setting(rng)
    return run(setting, loops.torch_loop(lambda o: sequential(setting, o), 0.0, setting.total))


def wrong_base(rng: Rng) -> DrawnRun:
    """Another base LR; the floor is unchanged."""
    setting = draw_setting(rng)
    c = float(rng.choice([0.1, 0.25, 0.5, 0.8, 1.25, 2.0, 4.0, 10.0]))
    other = dataclasses.replace(setting, base=max(setting.base * c, 1.5 * setting.floor))
    return run(setting, loops.plain(other.lr, setting.total))


def start_kept(rng: Rng) -> DrawnRun:
    """A warmup of length 0 in a chain with the decay: LinearLR(total_iters=0)."""
    setting = dataclasses.replace(draw_torch_setting(rng), w=0, start="affine")
    return run(
        setting,
        loops.torch_loop(lambda o: chained(setting, o, setting.total), setting.base, setting.total),
        plain=False,
    )


def blow_up(rng: Rng) -> DrawnRun:
    """The LR is set to its base after the warmup has been built, and LinearLR multiplies it."""
    setting = draw_torch_setting(rng)

    def reset(optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            group["lr"] = setting.base

    if rng.random() < 0.5:
        log = loops.torch_loop(lambda o: sequential(setting, o), setting.base, setting.total, after_build=reset)
        return run(setting, log)
    log = loops.torch_loop(lambda o: rise(setting, o), setting.base, setting.total, after_build=reset)
    constant = dataclasses.replace(setting, decay="hold", floor=0.0)
    return run(constant, log)


def resume_scaled(rng: Rng) -> DrawnRun:
    """The states loaded in the wrong order: the warmup's start factor multiplies the loaded LR.

    For a stepwise decay it looks like another drop, so it is a mistake only if the schedule is known.
    """
    at_share = rng.uniform(0.1, 0.9)
    if rng.random() < 0.6:
        setting = draw_torch_setting(rng)
        log = loops.torch_loop(
            lambda o: sequential(setting, o), setting.base, setting.total, resume=int(setting.total * at_share)
        )
        return run(setting, log, plain=setting.decay not in STEPPED)
    setting = draw_setting(rng, decays=("gamma", "invsqrt", "multistep", "step", "hold"))
    c = float(rng.choice([0.01, 0.1, 1 / 3, 0.5, 2.0]))
    log = loops.scaled_on_resume(setting.lr, setting.total, int(setting.total * at_share), c)
    return run(setting, log, plain=setting.decay not in (*STEPPED, "hold"))


def phase_scaled(rng: Rng) -> DrawnRun:
    """A phase that does not start from the base LR: after MultiplicativeLR, or with the base LR of OneCycleLR."""
    setting = draw_torch_setting(rng, decays=("gamma",))
    if rng.random() < 0.5:

        def multiplied(optimizer: torch.optim.Optimizer) -> SequentialLR:
            parts = [rise(setting, optimizer), MultiplicativeLR(optimizer, lambda n: setting.gamma)]
            return SequentialLR(optimizer, parts, milestones=[setting.w])

        # LinearLR has not reached its end at the milestone, so the phase starts too low.
        short = dataclasses.replace(setting, start="affine")
        return run(short, loops.torch_loop(multiplied, setting.base, setting.total))
    factor = float(rng.choice([0.04, 0.1, 0.5]))
    steps, lrs = loops.plain(setting.lr, setting.total)
    return run(setting, (steps, [lr * factor if t < setting.w else lr for t, lr in zip(steps, lrs, strict=True)]))


def factor_twice(rng: Rng) -> DrawnRun:
    """Two schedulers in the chain share a milestone."""
    setting = draw_torch_setting(rng, decays=("multistep",))
    twice = int(rng.choice(setting.milestones))

    def doubled(optimizer: torch.optim.Optimizer) -> ChainedScheduler:
        drops = MultiStepLR(optimizer, [setting.w + m for m in setting.milestones], setting.gamma)
        again = MultiStepLR(optimizer, [setting.w + twice], setting.gamma)
        return ChainedScheduler([rise(setting, optimizer), drops, again])

    return run(setting, loops.torch_loop(doubled, setting.base, setting.total))


def milestone_missed(rng: Rng) -> DrawnRun:
    """A milestone that is not an integer, or a switch that never happens."""
    setting = draw_torch_setting(rng, decays=("multistep", "multistep", "cosine", "linear", "gamma"))
    if setting.decay == "multistep":
        i = int(rng.integers(len(setting.milestones)))
        wrong = [m + 0.5 if j == i else m for j, m in enumerate(setting.milestones)]
        return run(
            setting, loops.torch_loop(lambda o: sequential(setting, o, milestones=wrong), setting.base, setting.total)
        )
    return run(setting, loops.torch_loop(lambda o: rise(setting, o), setting.base, setting.total))


def warmup_twice(rng: Rng) -> DrawnRun:
    """The script's warmup inside the trainer's."""
    setting = draw_setting(rng)
    return run(setting, loops.plain(lambda t: setting.lr(t) * setting.warm(t), setting.total))


BOTH = ("expect", "settings")
ANY = (*BOTH, "nothing")
#: Name → how it is drawn.
SCALE_KINDS = {
    "lr-zero": FaultKind("lr-zero", lr_zero, BOTH),
    "wrong-base": FaultKind("wrong-base", wrong_base, BOTH),
    "start-kept": FaultKind("start-kept", start_kept),
    "blow-up": FaultKind("blow-up", blow_up),
    "resume-scaled": FaultKind("resume-scaled", resume_scaled, ANY),
    "phase-scaled": FaultKind("phase-scaled", phase_scaled),
    "factor-twice": FaultKind("factor-twice", factor_twice),
    "milestone-missed": FaultKind("milestone-missed", milestone_missed),
    "warmup-twice": FaultKind("warmup-twice", warmup_twice),
}
