"""MONAI: schedulers of torch's kind; two of them raise the LR to find a good one."""

from __future__ import annotations

import numpy as np

from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula
from suite.libraries.core.library import Library, LibrarySchedule

FROM = "from monai.optimizers.lr_scheduler import "
CYCLES = {"full-wave": {"cycles": 1.0}, "three": {"cycles": 1.5}}
RISE = "docstring: increases the learning rate between two boundaries over a number of iterations"


def _warmup_cosine(a: Arguments) -> Formula:
    """A line to the base LR, then `cycles` waves down to 0, of which nothing is below end_lr."""
    warmup, length = a.warmup_steps, a.decay_steps

    def lr(t: Steps, base: float) -> Rates:
        line = a.start + (1 - a.start) * t / max(warmup, 1)
        p = np.clip((t - warmup) / length, 0.0, 1.0) if length else np.ones(t.shape)
        wave = (1 + np.cos(2 * np.pi * a.cycles * p)) / 2
        return np.asarray(np.where(t < warmup, base * line, np.maximum(base * wave, a.end_lr)))

    return Formula(lr)


def _risen(a: Arguments, t: Steps) -> Rates:
    """The last of `num_iter` steps has end_lr."""
    return np.asarray(np.minimum(t / max(a.num_iter - 1, 1), 1.0))


LIBRARY = Library(
    "monai",
    project="monai",
    files=("monai/optimizers/lr_scheduler.py",),
    releases=("0.5.0", "0.8.0", "0.9.0", "1.1.0", "1.3.0", "1.6.1"),
    schedules=(
        LibrarySchedule(
            "warmup-cosine",
            FROM + "WarmupCosineSchedule",
            "WarmupCosineSchedule(optimizer, warmup_steps={warmup_steps}, t_total={total_steps}, cycles={cycles})",
            _warmup_cosine,
            fields={"cycles": 0.5, "start": 0.0, "end_lr": 0.0}, variants=CYCLES,
            docs="docstring: linear warmup and then cosine decay", reading="after-total",
        ),
        LibrarySchedule(
            "warmup-cosine-end",
            FROM + "WarmupCosineSchedule",
            "WarmupCosineSchedule(optimizer, warmup_steps={warmup_steps}, t_total={total_steps}, end_lr={end_lr}, "
            "warmup_multiplier={start})",
            _warmup_cosine,
            fields={"cycles": 0.5, "start": 0.1, "end_lr": 1e-5}, variants={"high-end": {"end_lr": 1e-4}},
            docs="end_lr: the final learning rate; warmup_multiplier: a fraction of the initial lr",
            reading="monai-end-lr",
        ),
        LibrarySchedule(
            "linear",
            FROM + "LinearLR",
            "LinearLR(optimizer, end_lr={end_lr}, num_iter={num_iter})",
            lambda a: Formula(lambda t, base: base + _risen(a, t) * (a.end_lr - base)),
            fields={"end_lr": 10.0, "num_iter": 12}, edges={"one-step": {"num_iter": 1}}, peak=10.0, docs=RISE,
            reading="after-total",
        ),
        LibrarySchedule(
            "exponential",
            FROM + "ExponentialLR",
            "ExponentialLR(optimizer, end_lr={end_lr}, num_iter={num_iter})",
            lambda a: Formula(lambda t, base: base * (a.end_lr / base) ** _risen(a, t)),
            fields={"end_lr": 10.0, "num_iter": 12}, edges={"one-step": {"num_iter": 1}}, peak=10.0, docs=RISE,
            reading="after-total",
        ),
    ),
)  # fmt: skip
