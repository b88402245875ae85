"""Draw mistakes in the lengths of both phases, in their order, and in what follows them."""

from __future__ import annotations

import dataclasses

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau

from . import loops
from .setting import DrawnRun, FaultKind, Rng, draw_setting, run
from .torch_forms import draw_torch_setting

#: Warmups that move at every step.
RISING = ("linear", "cosine", "polynomial")


def too_slow(rng: Rng) -> DrawnRun:
    """Both lengths count batches."""
    setting, k = draw_setting(rng, decays=("cosine", "linear", "polynomial"), warmups=RISING), int(rng.choice([2, 4]))
    slow = dataclasses.replace(setting, w=k * setting.w, total=k * setting.total)
    return run(setting, loops.plain(slow.lr, setting.total))


def decay_counts_from_zero(rng: Rng) -> DrawnRun:
    """The warmup, then a decay that has counted all the while."""
    setting = draw_setting(rng, decays=("cosine", "linear", "polynomial", "invsqrt"), warmups=RISING)
    return run(
        setting,
        loops.plain(
            lambda t: setting.base * setting.warm(t) if t < setting.w else setting.fall(t, length=setting.total),
            setting.total,
        ),
    )


def restarts_after_end(rng: Rng) -> DrawnRun:
    """Periods of a cosine, each as high as the first or a tenth of it."""
    setting, longer = draw_setting(rng, decays=("cosine",)), 1 + float(rng.uniform(0.15, 0.9))
    shrink = float(rng.choice([1.0, 0.5, 0.1]))

    def periods(t: int) -> float:
        if t < setting.w:
            return setting.lr(t)
        period, n = divmod(t - setting.w, setting.d)
        return float(shrink**period * setting.fall(n))

    return run(setting, loops.plain(periods, int(setting.total * longer)))


def warmup_longer_than_run(rng: Rng) -> DrawnRun:
    """A warmup of a longer run; no integer factor, which both lengths could have."""
    setting = draw_setting(rng, warmups=("linear",))
    w = int(setting.total * rng.uniform(1.2, 6.0))
    return run(setting, loops.plain(lambda t: setting.base * setting.warm(t, steps=w), setting.total))


def hand_warmup(rng: Rng) -> DrawnRun:
    """A warmup written into the optimizer over torch's cosine of the whole run."""
    setting = draw_torch_setting(rng, decays=("cosine",))

    def cosine(optimizer: torch.optim.Optimizer) -> LRScheduler:
        return CosineAnnealingLR(optimizer, setting.total, setting.floor)

    rates = [setting.base * setting.warm(t) for t in range(setting.w)]
    return run(setting, loops.written_over(cosine, setting.base, setting.total, rates))


def plateau_wrong_mode(rng: Rng) -> DrawnRun:
    """A falling loss under mode='max'."""
    setting, epoch = draw_setting(rng), int(rng.integers(15, 40))
    optimizer = loops.one_weight(setting.base)
    plateau = ReduceLROnPlateau(optimizer, mode="max", factor=float(rng.choice([0.1, 0.2, 0.5])), patience=0)
    lrs = []
    for t in range(setting.total):
        lrs.append(float(optimizer.param_groups[0]["lr"]))
        if (t + 1) % epoch == 0:
            plateau.step(2.0 / (1 + t // epoch))
    return run(setting, (list(range(setting.total)), lrs))


#: Name → how it is drawn.
LENGTH_KINDS = {
    "too-slow": FaultKind("too-slow", too_slow),
    "decay-counts-from-zero": FaultKind("decay-counts-from-zero", decay_counts_from_zero),
    "restarts-after-end": FaultKind("restarts-after-end", restarts_after_end),
    "warmup-longer-than-run": FaultKind("warmup-longer-than-run", warmup_longer_than_run),
    "hand-warmup-over-recursive": FaultKind("hand-warmup-over-recursive", hand_warmup),
    "plateau-wrong-mode": FaultKind("plateau-wrong-mode", plateau_wrong_mode),
}
