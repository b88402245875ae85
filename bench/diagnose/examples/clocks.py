"""Drawn mistakes in when a scheduler is stepped, and in when its LR is read."""

from __future__ import annotations

import dataclasses

import numpy as np

from reference import per_epoch

from . import loops
from .drawn import Drawn, Kind, Rng, run, small
from .setting import draw_setting
from .torch_forms import draw_torch_setting, sequential

#: Decays that move at every step, so that stairs and stops show.
SMOOTH = ("cosine", "linear", "polynomial", "exponential", "gamma", "invsqrt")
#: Where the LR stands still, steps ahead and a moved milestone are the same numbers, so that what is drawn
#: as another pace or place moves all the time (or nearly: a stable decay stands, then falls).
MOVING, RISING = (*SMOOTH, "wsd"), ("linear", "exponential", "cosine", "polynomial")


def follows(rng: Rng) -> Drawn:
    """No mistake, in a plain loop or with torch's own schedulers."""
    if rng.random() < 0.3:
        s = draw_torch_setting(rng)
        return run(s, loops.torch_loop(lambda o: sequential(s, o), s.base, s.total))
    s = draw_setting(rng, with_warmup=False)
    return run(s, loops.plain(s.lr, s.total))


def ahead(rng: Rng) -> Drawn:
    """scheduler.step() calls before the first update."""
    s = draw_setting(rng)
    return run(s, loops.plain(s.lr, s.total, begin=1 + small(rng, 20)))


def log_after(rng: Rng) -> Drawn:
    """The LR read after the scheduler step."""
    s = draw_setting(rng)
    return run(s, loops.logged_after(s.lr, s.total))


def late(rng: Rng) -> Drawn | None:
    """The first updates without a scheduler step."""
    s, k = draw_setting(rng), small(rng, 20)
    if s.lr(0) == 0 and k == 1:
        return None  # this is zero-twice
    return run(s, loops.late(s.lr, s.total, k))


def zero_twice(rng: Rng) -> Drawn | None:
    """A warmup from 0 whose first value is set twice."""
    s = draw_setting(rng)
    return run(s, loops.late(s.lr, s.total, 1)) if s.lr(0) == 0 else None


def zero_first(rng: Rng) -> Drawn | None:
    """The optimizer made with lr=0, and the scheduler sets an LR only when it is stepped after it."""
    s = draw_setting(rng)
    if s.lr(0) == 0:
        return None
    if s.start == "first" and s.warmup == "linear" and rng.random() < 0.5:
        meant = s
        s = dataclasses.replace(s, start="zero")  # t/W in place of (t+1)/W
        return run(meant, loops.plain(s.lr, s.total))
    steps, lrs = loops.late(s.lr, s.total, 1)
    return run(s, (steps, [0.0, *lrs[1:]]))


def per_epoch_kind(rng: Rng) -> Drawn:
    """Lengths in steps, stepped once per epoch."""
    s = draw_setting(rng, warmups=RISING)
    return run(s, loops.per_epoch(s.lr, s.total, int(rng.integers(5, max(6, s.total // 12)))))


def per_step_kind(rng: Rng) -> Drawn:
    """Lengths in epochs, stepped at every update."""
    s, n = draw_setting(rng), int(rng.integers(5, 60))
    steps = min(s.total * n, 3000)
    return Drawn(s, loops.plain(s.lr, steps), lambda t: s.lr(t // n), per_epoch(s.expected(), n), plain=False)


def micro_batch(rng: Rng) -> Drawn:
    """Gradient accumulation, the scheduler in the inner loop."""
    s = draw_setting(rng, decays=MOVING, warmups=RISING)
    return run(s, loops.micro_batches(s.lr, s.total, int(rng.choice([2, 3, 4, 8, 16]))))


def per_process(rng: Rng) -> Drawn:
    """Stepped once for each process."""
    s = draw_setting(rng, decays=MOVING, warmups=RISING)
    return run(s, loops.processes(s.lr, s.total, int(rng.choice([2, 3, 4, 8]))))


def log_rows(rng: Rng) -> Drawn:
    """A log line every n updates, rows numbered."""
    s = draw_setting(rng, decays=MOVING, warmups=RISING)
    return run(s, loops.rows(s.lr, s.total, int(rng.choice([2, 5, 10, 20]))))


def staircase(rng: Rng) -> Drawn:
    """The LR set at the begin of each epoch only."""
    s = draw_setting(rng, decays=SMOOTH)
    return run(s, loops.at_epoch_start(s.lr, s.total, int(rng.integers(12, max(13, s.total // 15)))))


def staircase_warmup(rng: Rng) -> Drawn | None:
    """The warmup set at the begin of each epoch only."""
    s = draw_setting(rng, warmups=("linear", "exponential", "cosine", "polynomial"))
    if s.w < 40:
        return None
    n = int(rng.integers(12, max(13, s.w // 2)))
    return run(s, loops.at_epoch_start(s.lr, s.total, n, until=s.w))


def restarted(rng: Rng) -> Drawn:
    """The scheduler's state was not loaded."""
    s = draw_setting(rng, warmups=RISING)
    return run(s, loops.resumed(s.lr, s.total, int(rng.integers(s.total // 10, s.total * 9 // 10)), 0))


def resume_shifted(rng: Rng) -> Drawn | None:
    """The scheduler's state of another checkpoint.

    No decay by equal ratios: there, steps ahead and a constant factor are the same numbers.
    """
    s = draw_setting(rng, decays=("cosine", "linear", "polynomial", "invsqrt"), warmups=RISING)
    at = int(rng.integers(s.total // 10, s.total * 8 // 10))
    counter = at + int(rng.choice([-1, 1])) * int(rng.integers(1, max(2, s.total // 10)))
    return run(s, loops.resumed(s.lr, s.total, at, counter)) if counter > 0 else None


def scaler_skips(rng: Rng) -> Drawn:
    """A gradient scaler that halves its scale at first, then now and then."""
    s = draw_setting(rng, decays=SMOOTH)
    first = range(int(rng.integers(0, 6)))
    later = rng.choice(np.arange(10, s.total * 3 // 4), int(rng.integers(2, 9)), replace=False)
    return run(s, loops.overflowing(s.lr, s.total, [*first, *later.tolist()]))


def stuck(rng: Rng) -> Drawn | None:
    """The scheduler is no longer stepped, somewhere in the warmup or the decay."""
    s = draw_setting(rng, decays=SMOOTH)
    at = int(rng.integers(s.total // 20, s.total * 9 // 10))
    return run(s, loops.stopped(s.lr, s.total, at)) if at < 0.9 * s.w or at > 1.1 * s.w else None


ANY = ("expect", "settings", "nothing")
#: Kind → how it is drawn. A clock that is only too fast or too slow shows in nothing but the settings.
CLOCK_KINDS = {
    "follows": Kind("follows", follows, ANY),
    "ahead": Kind("ahead", ahead),
    "log-after": Kind("log-after", log_after),
    "late": Kind("late", late, ("expect", "settings")),
    "zero-twice": Kind("zero-twice", zero_twice, ANY),
    "zero-first": Kind("zero-first", zero_first),
    "per-epoch": Kind("per-epoch", per_epoch_kind, ("expect", "settings")),
    "per-step": Kind("per-step", per_step_kind),
    "micro-batch": Kind("micro-batch", micro_batch),
    "per-process": Kind("per-process", per_process, ("expect", "settings")),
    "log-rows": Kind("log-rows", log_rows, ("expect", "settings")),
    "staircase": Kind("staircase", staircase, ANY),
    "staircase-warmup": Kind("staircase-warmup", staircase_warmup),
    "restarted": Kind("restarted", restarted, ANY),
    "resume-shifted": Kind("resume-shifted", resume_shifted, ("expect", "settings")),
    "scaler-skips": Kind("scaler-skips", scaler_skips),
    "stuck": Kind("stuck", stuck),
}
