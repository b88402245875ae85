"""Drawn mistakes that change the curve: a phase that is lost, stretched, moved, or has another end."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch.optim.lr_scheduler import ChainedScheduler, LambdaLR, SequentialLR

from . import loops
from .drawn import Drawn, Kind, Rng, run, small
from .setting import FLOORED, TIMED, WARMUPS, draw_setting
from .torch_forms import chained, draw_torch_setting, nested, rise, sequential


def warmup_lost(rng: Rng) -> Drawn:
    """The warmup left out: by a LambdaLR behind it in a chain, or by a length of 0."""
    if rng.random() < 0.5:
        s = draw_torch_setting(rng)

        def overwritten(optimizer: torch.optim.Optimizer) -> ChainedScheduler:
            up = rise(s, optimizer)
            return ChainedScheduler([up, LambdaLR(optimizer, lambda t: s.fall(max(t - s.w, 0)) / s.base)])

        return run(s, loops.torch_loop(overwritten, s.base, s.total))
    s = draw_setting(rng)
    if rng.random() < 0.5 and s.decay in TIMED:
        return run(s, loops.plain(lambda t: s.fall(t, length=s.total), s.total))
    return run(s, loops.plain(s.fall, s.total))


def clock_through(rng: Rng) -> Drawn:
    """Warmup and decay at once: a chain, or a product of two factors."""
    if rng.random() < 0.5:
        s = draw_torch_setting(rng)
        return run(s, loops.torch_loop(lambda o: chained(s, o, s.total), s.base, s.total))
    s = draw_setting(rng)
    return run(s, loops.plain(lambda t: s.warm(t) * s.fall(t, length=s.total), s.total))


def horizon_long(rng: Rng) -> Drawn:
    """T_max = total behind a warmup.

    A straight line, or equal ratios, to a later end is one to another floor as far as the run goes, so that
    there the settings alone, which name no floor, make it no mistake.
    """
    if rng.random() < 0.5:
        s = draw_torch_setting(rng, decays=("cosine", "cosine", "linear", "polynomial"))
        log = loops.torch_loop(lambda o: sequential(s, o, s.total), s.base, s.total)
        return run(s, log, plain=s.decay != "linear")
    s = draw_setting(rng, decays=TIMED)
    log = loops.plain(lambda t: _rise_or(s, t, s.total), s.total)
    return run(s, log, plain=s.decay in ("cosine", "polynomial"))


def _rise_or(s: Any, t: int, length: int) -> float:
    return float(s.lr(t) if t < s.w else s.fall(t - s.w, length=length))


def horizon_short(rng: Rng) -> Drawn | None:
    """The warmup subtracted twice."""
    if rng.random() < 0.5:
        s = draw_torch_setting(rng, decays=("cosine", "cosine", "linear", "polynomial"))
        if s.d <= s.w + 20:
            return None
        return run(s, loops.torch_loop(lambda o: sequential(s, o, s.d - s.w), s.base, s.total))
    s = draw_setting(rng, decays=TIMED)
    if s.d - s.w <= s.stable + 20:
        return None
    return run(s, loops.plain(lambda t: _rise_or(s, t, s.d - s.w), s.total))


def milestone_moved(rng: Rng) -> Drawn | None:
    """The switch at another step than the end of the warmup.

    No constant warmup: its end and the switch are one event, so that no log with gaps can tell them apart.
    """
    s = draw_setting(rng, warmups=tuple(w for w in WARMUPS if w != "constant"))
    m = s.w + int(rng.choice([-1, 1])) * small(rng, 40) * max(1, s.w // int(rng.integers(4, 30)))
    if not 1 < m < s.total * 0.6:
        return None
    length = s.d if rng.random() < 0.5 else s.total - m
    return run(s, loops.plain(lambda t: s.base * s.warm(t) if t < m else s.fall(t - m, length=length), s.total))


def warmup_length(rng: Rng) -> Drawn | None:
    """warmup_steps in another unit, or of another total; the decay takes what is left.

    A warmup of less than 30 steps shows in too few lines of a coarse log to have a length there.
    """
    s = draw_setting(rng, warmups=("linear", "linear", "exponential", "cosine", "polynomial"))
    w = int(s.w * float(rng.choice([0.1, 0.25, 0.5, 2.0])))
    if w < 30 or w > 0.6 * s.total:
        return None
    other = dataclasses.replace(s, w=w)
    return run(s, loops.plain(other.lr, s.total))


def nested_lost_step(rng: Rng) -> Drawn:
    """SequentialLR around SequentialLR around the warmup, in the torch that is installed."""
    s = draw_torch_setting(rng)
    levels = int(rng.integers(1, 4))
    return run(s, loops.torch_loop(lambda o: nested(s, o, levels), s.base, s.total))


def overshoot(rng: Rng) -> Drawn:
    """A warmup that is not clamped, in a phase that is longer than it."""
    s = draw_setting(rng, warmups=("linear", "linear", "exponential"))
    m = s.w + max(1, int(s.w * rng.uniform(0.1, 1.0)))

    def unclamped(optimizer: torch.optim.Optimizer) -> SequentialLR:
        up = LambdaLR(optimizer, lambda t: s.warm(t, clamped=False))
        down = LambdaLR(optimizer, lambda n: s.fall(n) / s.base)
        return SequentialLR(optimizer, [up, down], milestones=[m])

    return run(s, loops.torch_loop(unclamped, s.base, s.total))


def floor_violated(rng: Rng) -> Drawn:
    """eta_min left out, or too small."""
    if rng.random() < 0.4:
        s = draw_torch_setting(rng, decays=("cosine", "linear"), floored=True)
        return run(s, loops.torch_loop(lambda o: sequential(s, o, floor=0.0), s.base, s.total))
    s = draw_setting(rng, decays=FLOORED, floored=True)
    low = s.floor * float(rng.choice([0.0, 0.1, 0.5]))
    return run(s, loops.plain(lambda t: s.lr(t) if t < s.w else s.fall(t - s.w, floor=low), s.total))


def floor_missed(rng: Rng) -> Drawn | None:
    """The floor in another unit: too high."""
    s = draw_setting(rng, decays=FLOORED)
    low = s.floor * float(rng.choice([2.0, 5.0, 10.0])) if s.floor else s.base * float(rng.choice([0.01, 0.05, 0.1]))
    if low > 0.7 * s.base:
        return None
    return run(s, loops.plain(lambda t: s.lr(t) if t < s.w else s.fall(t - s.w, floor=low), s.total))


def rises_again(rng: Rng) -> Drawn:
    """A periodic cosine, and a run that goes on after its end."""
    longer = 1 + float(rng.uniform(0.05, 0.9))
    if rng.random() < 0.5:
        s = draw_torch_setting(rng, decays=("cosine",))
        return run(s, loops.torch_loop(lambda o: sequential(s, o), s.base, int(s.total * longer)))
    s = draw_setting(rng, decays=("cosine",))
    unbound = lambda t: s.lr(t) if t < s.w else s.fall(t - s.w, clamped=False)  # noqa: E731
    return run(s, loops.plain(unbound, int(s.total * longer)))


def negative(rng: Rng) -> Drawn:
    """A linear decay that is not clamped, and a run that goes on after its end."""
    s = draw_setting(rng, decays=("linear",))
    longer = 1 + float(rng.uniform(0.05, 0.9))
    unbound = lambda t: s.lr(t) if t < s.w else s.fall(t - s.w, clamped=False)  # noqa: E731
    return run(s, loops.plain(unbound, int(s.total * longer)))


BOTH = ("expect", "settings")
ANY = (*BOTH, "nothing")
#: Kind → how it is drawn.
SHAPE_KINDS = {
    "warmup-lost": Kind("warmup-lost", warmup_lost, BOTH),
    "clock-through-warmup": Kind("clock-through-warmup", clock_through),
    "horizon-long": Kind("horizon-long", horizon_long, BOTH),
    "horizon-short": Kind("horizon-short", horizon_short, BOTH),
    "milestone-moved": Kind("milestone-moved", milestone_moved),
    "warmup-length": Kind("warmup-length", warmup_length),
    "nested-lost-step": Kind("nested-lost-step", nested_lost_step),
    "overshoot": Kind("overshoot", overshoot, BOTH),
    "floor-violated": Kind("floor-violated", floor_violated),
    "floor-missed": Kind("floor-missed", floor_missed),
    "rises-again": Kind("rises-again", rises_again, BOTH),
    "negative": Kind("negative", negative, BOTH),
}
