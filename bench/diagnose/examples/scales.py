"""Drawn mistakes that multiply the LR by a factor."""

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
from .drawn import Drawn, Kind, Rng, run
from .setting import STEPPED, draw_setting
from .torch_forms import chained, draw_torch_setting, rise, sequential


def lr_zero(rng: Rng) -> Drawn:
    """The optimizer was built with lr=0."""
    s = draw_torch_setting(rng)
    return run(s, loops.torch_loop(lambda o: sequential(s, o), 0.0, s.total))


def wrong_base(rng: Rng) -> Drawn:
    """Another base LR; the floor stays what it is."""
    s = draw_setting(rng)
    c = float(rng.choice([0.1, 0.25, 0.5, 0.8, 1.25, 2.0, 4.0, 10.0]))
    other = dataclasses.replace(s, base=max(s.base * c, 1.5 * s.floor))
    return run(s, loops.plain(other.lr, s.total))


def start_kept(rng: Rng) -> Drawn:
    """A warmup of length 0 in a chain with the decay: LinearLR(total_iters=0)."""
    s = dataclasses.replace(draw_torch_setting(rng), w=0, start="affine")
    return run(s, loops.torch_loop(lambda o: chained(s, o, s.total), s.base, s.total), plain=False)


def blow_up(rng: Rng) -> Drawn:
    """The LR is set to its base after the warmup has been built, and LinearLR multiplies it."""
    s = draw_torch_setting(rng)

    def reset(optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            group["lr"] = s.base

    if rng.random() < 0.5:
        log = loops.torch_loop(lambda o: sequential(s, o), s.base, s.total, after_build=reset)
        return run(s, log)
    log = loops.torch_loop(lambda o: rise(s, o), s.base, s.total, after_build=reset)
    held = dataclasses.replace(s, decay="hold", floor=0.0)
    return run(held, log)


def resume_scaled(rng: Rng) -> Drawn:
    """The states loaded in the wrong order: the warmup's start factor multiplies the loaded LR.

    Between drops it is one drop more, so that it is no mistake unless the schedule is known.
    """
    at_share = rng.uniform(0.1, 0.9)
    if rng.random() < 0.6:
        s = draw_torch_setting(rng)
        log = loops.torch_loop(lambda o: sequential(s, o), s.base, s.total, resume=int(s.total * at_share))
        return run(s, log, plain=s.decay not in STEPPED)
    s = draw_setting(rng, decays=("gamma", "invsqrt", "multistep", "step", "hold"))
    c = float(rng.choice([0.01, 0.1, 1 / 3, 0.5, 2.0]))
    log = loops.scaled_on_resume(s.lr, s.total, int(s.total * at_share), c)
    return run(s, log, plain=s.decay not in (*STEPPED, "hold"))


def phase_scaled(rng: Rng) -> Drawn:
    """A phase that goes on from another LR than the base: MultiplicativeLR, or OneCycleLR's own base LR."""
    s = draw_torch_setting(rng, decays=("gamma",))
    if rng.random() < 0.5:

        def multiplied(optimizer: torch.optim.Optimizer) -> SequentialLR:
            parts = [rise(s, optimizer), MultiplicativeLR(optimizer, lambda n: s.gamma)]
            return SequentialLR(optimizer, parts, milestones=[s.w])

        # LinearLR has not come to its end at the milestone, so the phase starts too low.
        short = dataclasses.replace(s, start="affine")
        return run(short, loops.torch_loop(multiplied, s.base, s.total))
    factor = float(rng.choice([0.04, 0.1, 0.5]))
    steps, lrs = loops.plain(s.lr, s.total)
    return run(s, (steps, [lr * factor if t < s.w else lr for t, lr in zip(steps, lrs, strict=True)]))


def factor_twice(rng: Rng) -> Drawn:
    """Two schedulers in the chain share a milestone."""
    s = draw_torch_setting(rng, decays=("multistep",))
    twice = int(rng.choice(s.milestones))

    def doubled(optimizer: torch.optim.Optimizer) -> ChainedScheduler:
        drops = MultiStepLR(optimizer, [s.w + m for m in s.milestones], s.gamma)
        again = MultiStepLR(optimizer, [s.w + twice], s.gamma)
        return ChainedScheduler([rise(s, optimizer), drops, again])

    return run(s, loops.torch_loop(doubled, s.base, s.total))


def milestone_missed(rng: Rng) -> Drawn:
    """A milestone that is no whole number, or a switch that never comes."""
    s = draw_torch_setting(rng, decays=("multistep", "multistep", "cosine", "linear", "gamma"))
    if s.decay == "multistep":
        i = int(rng.integers(len(s.milestones)))
        wrong = [m + 0.5 if j == i else m for j, m in enumerate(s.milestones)]
        return run(s, loops.torch_loop(lambda o: sequential(s, o, milestones=wrong), s.base, s.total))
    return run(s, loops.torch_loop(lambda o: rise(s, o), s.base, s.total))


def warmup_twice(rng: Rng) -> Drawn:
    """The script's warmup inside the trainer's."""
    s = draw_setting(rng)
    return run(s, loops.plain(lambda t: s.lr(t) * s.warm(t), s.total))


BOTH = ("expect", "settings")
ANY = (*BOTH, "nothing")
#: Kind → how it is drawn.
SCALE_KINDS = {
    "lr-zero": Kind("lr-zero", lr_zero, BOTH),
    "wrong-base": Kind("wrong-base", wrong_base, BOTH),
    "start-kept": Kind("start-kept", start_kept),
    "blow-up": Kind("blow-up", blow_up),
    "resume-scaled": Kind("resume-scaled", resume_scaled, ANY),
    "phase-scaled": Kind("phase-scaled", phase_scaled),
    "factor-twice": Kind("factor-twice", factor_twice),
    "milestone-missed": Kind("milestone-missed", milestone_missed),
    "warmup-twice": Kind("warmup-twice", warmup_twice),
}
