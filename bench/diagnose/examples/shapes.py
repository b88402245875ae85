"""Draw mistakes that change the curve: a phase that is lost, stretched, moved, or ends elsewhere."""

from __future__ import annotations

import dataclasses

import torch
from torch.optim.lr_scheduler import ChainedScheduler, LambdaLR, SequentialLR

from . import loops
from .setting import FLOORED, TIMED, WARMUPS, DrawnRun, DrawnSetting, FaultKind, Rng, draw_setting, run, small
from .torch_forms import chained, draw_torch_setting, nested, rise, sequential


def warmup_lost(rng: Rng) -> DrawnRun:
    """The warmup left out: by a LambdaLR behind it in a chain, or by a length of 0."""
    if rng.random() < 0.5:
        setting = draw_torch_setting(rng)

        def overwritten(optimizer: torch.optim.Optimizer) -> ChainedScheduler:
            up = rise(setting, optimizer)
            return ChainedScheduler(
                [up, LambdaLR(optimizer, lambda t: setting.fall(max(t - setting.w, 0)) / setting.base)]
            )

        return run(setting, loops.torch_loop(overwritten, setting.base, setting.total))
    setting = draw_setting(rng)
    if rng.random() < 0.5 and setting.decay in TIMED:
        return run(setting, loops.plain(lambda t: setting.fall(t, length=setting.total), setting.total))
    return run(setting, loops.plain(setting.fall, setting.total))


def clock_through(rng: Rng) -> DrawnRun:
    """Warmup and decay at once: a chain, or a product of two factors."""
    if rng.random() < 0.5:
        setting = draw_torch_setting(rng)
        return run(setting, loops.torch_loop(lambda o: chained(setting, o, setting.total), setting.base, setting.total))
    setting = draw_setting(rng)
    return run(setting, loops.plain(lambda t: setting.warm(t) * setting.fall(t, length=setting.total), setting.total))


def horizon_long(rng: Rng) -> DrawnRun:
    """T_max = total behind a warmup.

    Within the run, a linear or exponential decay to a later end looks like one to another floor, so it is not a
    mistake when only the settings are known, because they include no floor.
    """
    if rng.random() < 0.5:
        setting = draw_torch_setting(rng, decays=("cosine", "cosine", "linear", "polynomial"))
        log = loops.torch_loop(lambda o: sequential(setting, o, setting.total), setting.base, setting.total)
        return run(setting, log, plain=setting.decay != "linear")
    setting = draw_setting(rng, decays=TIMED)
    log = loops.plain(lambda t: _with_decay_length(setting, t, setting.total), setting.total)
    return run(setting, log, plain=setting.decay in ("cosine", "polynomial"))


def _with_decay_length(setting: DrawnSetting, t: int, length: int) -> float:
    return float(setting.lr(t) if t < setting.w else setting.fall(t - setting.w, length=length))


def horizon_short(rng: Rng) -> DrawnRun | None:
    """The warmup subtracted twice."""
    if rng.random() < 0.5:
        setting = draw_torch_setting(rng, decays=("cosine", "cosine", "linear", "polynomial"))
        if setting.d <= setting.w + 20:
            return None
        return run(
            setting,
            loops.torch_loop(lambda o: sequential(setting, o, setting.d - setting.w), setting.base, setting.total),
        )
    setting = draw_setting(rng, decays=TIMED)
    if setting.d - setting.w <= setting.stable + 20:
        return None
    return run(setting, loops.plain(lambda t: _with_decay_length(setting, t, setting.d - setting.w), setting.total))


def milestone_moved(rng: Rng) -> DrawnRun | None:
    """The switch at another step than the end of the warmup.

    No constant warmup: its end and the switch are the same event in a log with gaps.
    """
    setting = draw_setting(rng, warmups=tuple(w for w in WARMUPS if w != "constant"))
    m = setting.w + int(rng.choice([-1, 1])) * small(rng, 40) * max(1, setting.w // int(rng.integers(4, 30)))
    if not 1 < m < setting.total * 0.6:
        return None
    length = setting.d if rng.random() < 0.5 else setting.total - m
    return run(
        setting,
        loops.plain(
            lambda t: setting.base * setting.warm(t) if t < m else setting.fall(t - m, length=length), setting.total
        ),
    )


def warmup_length(rng: Rng) -> DrawnRun | None:
    """warmup_steps in another unit, or of another total; the decay takes what is left.

    Not below 30 steps: in a coarse log that is too few rows to show a length.
    """
    setting = draw_setting(rng, warmups=("linear", "linear", "exponential", "cosine", "polynomial"))
    w = int(setting.w * float(rng.choice([0.1, 0.25, 0.5, 2.0])))
    if w < 30 or w > 0.6 * setting.total:
        return None
    other = dataclasses.replace(setting, w=w)
    return run(setting, loops.plain(other.lr, setting.total))


def nested_lost_step(rng: Rng) -> DrawnRun:
    """SequentialLR around SequentialLR around the warmup, in the torch that is installed."""
    setting = draw_torch_setting(rng)
    levels = int(rng.integers(1, 4))
    return run(setting, loops.torch_loop(lambda o: nested(setting, o, levels), setting.base, setting.total))


def overshoot(rng: Rng) -> DrawnRun:
    """A warmup that is not clamped, in a phase longer than the warmup."""
    setting = draw_setting(rng, warmups=("linear", "linear", "exponential"))
    m = setting.w + max(1, int(setting.w * rng.uniform(0.1, 1.0)))

    def unclamped(optimizer: torch.optim.Optimizer) -> SequentialLR:
        up = LambdaLR(optimizer, lambda t: setting.warm(t, clamped=False))
        down = LambdaLR(optimizer, lambda n: setting.fall(n) / setting.base)
        return SequentialLR(optimizer, [up, down], milestones=[m])

    return run(setting, loops.torch_loop(unclamped, setting.base, setting.total))


def floor_violated(rng: Rng) -> DrawnRun:
    """eta_min left out, or too small."""
    if rng.random() < 0.4:
        setting = draw_torch_setting(rng, decays=("cosine", "linear"), floored=True)
        return run(setting, loops.torch_loop(lambda o: sequential(setting, o, floor=0.0), setting.base, setting.total))
    setting = draw_setting(rng, decays=FLOORED, floored=True)
    low = setting.floor * float(rng.choice([0.0, 0.1, 0.5]))
    return run(
        setting,
        loops.plain(
            lambda t: setting.lr(t) if t < setting.w else setting.fall(t - setting.w, floor=low), setting.total
        ),
    )


def floor_missed(rng: Rng) -> DrawnRun | None:
    """The floor in another unit: too high."""
    setting = draw_setting(rng, decays=FLOORED)
    low = (
        setting.floor * float(rng.choice([2.0, 5.0, 10.0]))
        if setting.floor
        else setting.base * float(rng.choice([0.01, 0.05, 0.1]))
    )
    if low > 0.7 * setting.base:
        return None
    return run(
        setting,
        loops.plain(
            lambda t: setting.lr(t) if t < setting.w else setting.fall(t - setting.w, floor=low), setting.total
        ),
    )


def rises_again(rng: Rng) -> DrawnRun:
    """A periodic cosine, and a run that continues after its end."""
    longer = 1 + float(rng.uniform(0.05, 0.9))
    if rng.random() < 0.5:
        setting = draw_torch_setting(rng, decays=("cosine",))
        return run(
            setting, loops.torch_loop(lambda o: sequential(setting, o), setting.base, int(setting.total * longer))
        )
    setting = draw_setting(rng, decays=("cosine",))
    unbound = lambda t: setting.lr(t) if t < setting.w else setting.fall(t - setting.w, clamped=False)  # noqa: E731
    return run(setting, loops.plain(unbound, int(setting.total * longer)))


def negative(rng: Rng) -> DrawnRun:
    """A linear decay that is not clamped, and a run that continues after its end."""
    setting = draw_setting(rng, decays=("linear",))
    longer = 1 + float(rng.uniform(0.05, 0.9))
    unbound = lambda t: setting.lr(t) if t < setting.w else setting.fall(t - setting.w, clamped=False)  # noqa: E731
    return run(setting, loops.plain(unbound, int(setting.total * longer)))


BOTH = ("expect", "settings")
ANY = (*BOTH, "nothing")
#: Name → how it is drawn.
SHAPE_KINDS = {
    "warmup-lost": FaultKind("warmup-lost", warmup_lost, BOTH),
    "clock-through-warmup": FaultKind("clock-through-warmup", clock_through),
    "horizon-long": FaultKind("horizon-long", horizon_long, BOTH),
    "horizon-short": FaultKind("horizon-short", horizon_short, BOTH),
    "milestone-moved": FaultKind("milestone-moved", milestone_moved),
    "warmup-length": FaultKind("warmup-length", warmup_length),
    "nested-lost-step": FaultKind("nested-lost-step", nested_lost_step),
    "overshoot": FaultKind("overshoot", overshoot, BOTH),
    "floor-violated": FaultKind("floor-violated", floor_violated),
    "floor-missed": FaultKind("floor-missed", floor_missed),
    "rises-again": FaultKind("rises-again", rises_again, BOTH),
    "negative": FaultKind("negative", negative, BOTH),
}
