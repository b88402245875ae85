"""Draw mistakes in when the scheduler is stepped, and in when its LR is read."""

from __future__ import annotations

import dataclasses

import numpy as np

from reference import per_epoch

from . import loops
from .setting import DrawnRun, FaultKind, Rng, draw_setting, run, small
from .torch_forms import draw_torch_setting, sequential

#: Decays that move at every step, so that stairs and stops show.
SMOOTH = ("cosine", "linear", "polynomial", "exponential", "gamma", "invsqrt")
#: While the LR is constant, steps ahead and a moved milestone give the same numbers, so faults of pace and place are
#: drawn from decays that move at every step (a stable decay only in its second part).
MOVING, RISING = (*SMOOTH, "wsd"), ("linear", "exponential", "cosine", "polynomial")


def follows(rng: Rng) -> DrawnRun:
    """No mistake, in a plain loop or with torch's own schedulers."""
    if rng.random() < 0.3:
        setting = draw_torch_setting(rng)
        return run(setting, loops.torch_loop(lambda o: sequential(setting, o), setting.base, setting.total))
    setting = draw_setting(rng, with_warmup=False)
    return run(setting, loops.plain(setting.lr, setting.total))


def ahead(rng: Rng) -> DrawnRun:
    """scheduler.step() calls before the first update."""
    setting = draw_setting(rng)
    return run(setting, loops.plain(setting.lr, setting.total, calls_before=1 + small(rng, 20)))


def log_after(rng: Rng) -> DrawnRun:
    """The LR read after the scheduler step."""
    setting = draw_setting(rng)
    return run(setting, loops.logged_after(setting.lr, setting.total))


def late(rng: Rng) -> DrawnRun | None:
    """The first updates without a scheduler step."""
    setting, k = draw_setting(rng), small(rng, 20)
    if setting.lr(0) == 0 and k == 1:
        return None  # this is zero-twice
    return run(setting, loops.late(setting.lr, setting.total, k))


def zero_twice(rng: Rng) -> DrawnRun | None:
    """A warmup from 0 whose first value is set twice."""
    setting = draw_setting(rng)
    return run(setting, loops.late(setting.lr, setting.total, 1)) if setting.lr(0) == 0 else None


def zero_first(rng: Rng) -> DrawnRun | None:
    """The optimizer made with lr=0, and the scheduler sets an LR only when it is stepped after it."""
    setting = draw_setting(rng)
    if setting.lr(0) == 0:
        return None
    if setting.start == "first" and setting.warmup == "linear" and rng.random() < 0.5:
        intended = setting
        setting = dataclasses.replace(setting, start="zero")  # t/W in place of (t+1)/W
        return run(intended, loops.plain(setting.lr, setting.total))
    steps, lrs = loops.late(setting.lr, setting.total, 1)
    return run(setting, (steps, [0.0, *lrs[1:]]))


def per_epoch_kind(rng: Rng) -> DrawnRun:
    """Lengths in steps, stepped once per epoch."""
    setting = draw_setting(rng, warmups=RISING)
    return run(setting, loops.per_epoch(setting.lr, setting.total, int(rng.integers(5, max(6, setting.total // 12)))))


def per_step_kind(rng: Rng) -> DrawnRun:
    """Lengths in epochs, stepped at every update."""
    setting, n = draw_setting(rng), int(rng.integers(5, 60))
    steps = min(setting.total * n, 3000)
    return DrawnRun(
        setting,
        loops.plain(setting.lr, steps),
        lambda t: setting.lr(t // n),
        per_epoch(setting.expected(), n),
        plain=False,
    )


def micro_batch(rng: Rng) -> DrawnRun:
    """Gradient accumulation, the scheduler in the inner loop."""
    setting = draw_setting(rng, decays=MOVING, warmups=RISING)
    return run(setting, loops.micro_batches(setting.lr, setting.total, int(rng.choice([2, 3, 4, 8, 16]))))


def per_process(rng: Rng) -> DrawnRun:
    """Stepped once for each process."""
    setting = draw_setting(rng, decays=MOVING, warmups=RISING)
    return run(setting, loops.processes(setting.lr, setting.total, int(rng.choice([2, 3, 4, 8]))))


def log_rows(rng: Rng) -> DrawnRun:
    """A log line every n updates, rows numbered."""
    setting = draw_setting(rng, decays=MOVING, warmups=RISING)
    return run(setting, loops.rows(setting.lr, setting.total, int(rng.choice([2, 5, 10, 20]))))


def staircase(rng: Rng) -> DrawnRun:
    """The LR set only at the start of each epoch."""
    setting = draw_setting(rng, decays=SMOOTH)
    return run(
        setting, loops.at_epoch_start(setting.lr, setting.total, int(rng.integers(12, max(13, setting.total // 15))))
    )


def staircase_warmup(rng: Rng) -> DrawnRun | None:
    """The warmup set only at the start of each epoch."""
    setting = draw_setting(rng, warmups=("linear", "exponential", "cosine", "polynomial"))
    if setting.w < 40:
        return None
    n = int(rng.integers(12, max(13, setting.w // 2)))
    return run(setting, loops.at_epoch_start(setting.lr, setting.total, n, until=setting.w))


def restarted(rng: Rng) -> DrawnRun:
    """The scheduler's state was not loaded."""
    setting = draw_setting(rng, warmups=RISING)
    return run(
        setting,
        loops.resumed(setting.lr, setting.total, int(rng.integers(setting.total // 10, setting.total * 9 // 10)), 0),
    )


def resume_shifted(rng: Rng) -> DrawnRun | None:
    """The scheduler's state of another checkpoint.

    No decay by equal ratios: there, steps ahead and a constant factor are the same numbers.
    """
    setting = draw_setting(rng, decays=("cosine", "linear", "polynomial", "invsqrt"), warmups=RISING)
    at = int(rng.integers(setting.total // 10, setting.total * 8 // 10))
    counter = at + int(rng.choice([-1, 1])) * int(rng.integers(1, max(2, setting.total // 10)))
    return run(setting, loops.resumed(setting.lr, setting.total, at, counter)) if counter > 0 else None


def scaler_skips(rng: Rng) -> DrawnRun:
    """A gradient scaler that halves its scale at the start, then once in a while."""
    setting = draw_setting(rng, decays=SMOOTH)
    first = range(int(rng.integers(0, 6)))
    later = rng.choice(np.arange(10, setting.total * 3 // 4), int(rng.integers(2, 9)), replace=False)
    return run(setting, loops.overflowing(setting.lr, setting.total, [*first, *later.tolist()]))


def stuck(rng: Rng) -> DrawnRun | None:
    """The scheduler is no longer stepped, somewhere in the warmup or the decay."""
    setting = draw_setting(rng, decays=SMOOTH)
    at = int(rng.integers(setting.total // 20, setting.total * 9 // 10))
    return (
        run(setting, loops.stopped(setting.lr, setting.total, at))
        if at < 0.9 * setting.w or at > 1.1 * setting.w
        else None
    )


ANY = ("expect", "settings", "nothing")
#: Name → how it is drawn. A clock that is just too fast or too slow shows only against an expectation.
CLOCK_KINDS = {
    "follows": FaultKind("follows", follows, ANY),
    "ahead": FaultKind("ahead", ahead),
    "log-after": FaultKind("log-after", log_after),
    "late": FaultKind("late", late, ("expect", "settings")),
    "zero-twice": FaultKind("zero-twice", zero_twice, ANY),
    "zero-first": FaultKind("zero-first", zero_first),
    "per-epoch": FaultKind("per-epoch", per_epoch_kind, ("expect", "settings")),
    "per-step": FaultKind("per-step", per_step_kind),
    "micro-batch": FaultKind("micro-batch", micro_batch),
    "per-process": FaultKind("per-process", per_process, ("expect", "settings")),
    "log-rows": FaultKind("log-rows", log_rows, ("expect", "settings")),
    "staircase": FaultKind("staircase", staircase, ANY),
    "staircase-warmup": FaultKind("staircase-warmup", staircase_warmup),
    "restarted": FaultKind("restarted", restarted, ANY),
    "resume-shifted": FaultKind("resume-shifted", resume_shifted, ("expect", "settings")),
    "scaler-skips": FaultKind("scaler-skips", scaler_skips),
    "stuck": FaultKind("stuck", stuck),
}
