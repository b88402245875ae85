"""Draw mistakes of a run that was interrupted, or whose scheduler waited."""

from __future__ import annotations

import dataclasses

import numpy as np

from . import loops
from .setting import DrawnRun, FaultKind, Rng, draw_setting, run
from .torch_forms import draw_torch_setting, fall, sequential

#: Decays whose place in the run shows in every LR.
SMOOTH = ("cosine", "linear", "polynomial")


def resumed_other_length(rng: Rng) -> DrawnRun | None:
    """The first part was planned for another total."""
    setting = draw_setting(rng, decays=SMOOTH)
    other = dataclasses.replace(setting, total=int(setting.total * rng.choice([0.5, 0.6, 1.5, 2.0, 3.0])))
    at = int(setting.total * rng.uniform(0.2, 0.8))
    if other.total <= max(at, setting.w + 20) or at < setting.w + 20:
        return None
    return run(setting, loops.plain(lambda t: other.lr(t) if t < at else setting.lr(t), setting.total))


def fresh_schedule(rng: Rng) -> DrawnRun:
    """torch continues with the optimizer's state only."""
    setting = draw_torch_setting(rng, decays=("cosine", "linear", "multistep"))
    at = int(setting.total * rng.uniform(0.2, 0.7))
    log = loops.torch_loop(
        lambda o: sequential(setting, o), setting.base, setting.total, resume=at, restore=loops.optimizer_alone
    )
    return run(setting, log)


def scheduler_state_only(rng: Rng) -> DrawnRun:
    """torch continues with the scheduler's state only, without a warmup."""
    setting = dataclasses.replace(draw_torch_setting(rng, decays=("cosine", "linear")), w=0, s=0.0, start="zero")
    at = int(setting.total * rng.uniform(0.2, 0.7))
    log = loops.torch_loop(
        lambda o: fall(setting, o, setting.total), setting.base, setting.total, resume=at, restore=loops.scheduler_alone
    )
    return run(setting, log)


def waits_at_skips(rng: Rng) -> DrawnRun:
    """The scaler skips some updates at the start and a few later; the scheduler waits."""
    setting = draw_setting(rng, decays=SMOOTH, warmups=("linear",))
    first = range(int(rng.integers(0, 6)))
    later = rng.choice(np.arange(10, setting.total * 3 // 4), int(rng.integers(2, 9)), replace=False)
    return run(setting, loops.waiting(setting.lr, setting.total, [*first, *later.tolist()]))


#: Name → how it is drawn.
RESUME_KINDS = {
    "resumed-other-length": FaultKind("resumed-other-length", resumed_other_length),
    "fresh-schedule-on-loaded-lr": FaultKind("fresh-schedule-on-loaded-lr", fresh_schedule),
    "scheduler-state-without-optimizer": FaultKind("scheduler-state-without-optimizer", scheduler_state_only),
    "waits-at-skips": FaultKind("waits-at-skips", waits_at_skips),
}
