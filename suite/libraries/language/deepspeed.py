"""DeepSpeed: scheduler classes of its own; its engine steps them after each update, as the docstrings do."""

from __future__ import annotations

import numpy as np

from reference import (
    ConstantDecay,
    Convention,
    CosineDecay,
    Decay,
    LinearDecay,
    LinearWarmup,
    LogWarmup,
    Schedule,
    WarmupDecay,
)
from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula
from suite.libraries.core.library import Library, LibrarySchedule

FROM = "from deepspeed.runtime.lr_schedules import "
LINEAR = ", warmup_type='linear'"
#: Below the smallest base LR of the cases.
MIN_LR = {"min-lr": {"min_lr": 1e-4}}
RATIOS = {"min-ratio": {"min_ratio": 0.1}, "cos-min-ratio": {"end_ratio": 0.1}}
ARGUMENTS = "warmup_min_lr={min_lr}, warmup_max_lr={base_lr}, warmup_num_steps={warmup_steps}"
RISE = "docstring: from min lr to max lr over warmup_num_steps steps; log or linear"


def _warmed(a: Arguments, linear: bool, first: float, decay: Decay) -> Schedule:
    """A line, or a logarithm that is 0 at step 0 and full at step W − 1, then the decay."""
    if linear:
        return WarmupDecay(LinearWarmup(a.warmup_steps, first), decay, Convention("affine"))
    return WarmupDecay(LogWarmup(a.warmup_steps, first), decay, Convention("linspace"))


def _warmup(linear: bool) -> LibrarySchedule:
    return LibrarySchedule(
        f"warmup-{'linear' if linear else 'log'}",
        FROM + "WarmupLR",
        f"WarmupLR(optimizer, {ARGUMENTS}{LINEAR if linear else ''})",
        lambda a: _warmed(a, linear, a.min_lr / a.base_lr, ConstantDecay()),
        fields={"min_lr": 0.0},
        variants=MIN_LR,
        docs=RISE + ", then fixed",
    )


def _warmup_decay(linear: bool) -> LibrarySchedule:
    return LibrarySchedule(
        f"warmup-decay-{'linear' if linear else 'log'}",
        FROM + "WarmupDecayLR",
        f"WarmupDecayLR(optimizer, {{total_steps}}, {ARGUMENTS}{LINEAR if linear else ''})",
        lambda a: _warmed(a, linear, a.min_lr / a.base_lr, LinearDecay(a.decay_steps, a.min_lr)),
        fields={"min_lr": 0.0},
        variants=MIN_LR,
        docs=RISE + ", then at linear rate over the remaining training steps",
    )


def _warmup_cosine(linear: bool) -> LibrarySchedule:
    return LibrarySchedule(
        f"warmup-cosine-{'linear' if linear else 'log'}",
        FROM + "WarmupCosineLR",
        "WarmupCosineLR(optimizer, {total_steps}, warmup_min_ratio={min_ratio}, warmup_num_steps={warmup_steps}, "
        f"cos_min_ratio={{end_ratio}}{LINEAR if linear else ''})",
        lambda a: _warmed(a, linear, a.min_ratio, CosineDecay(a.decay_steps, a.end_ratio * a.base_lr)),
        fields={"min_ratio": 0.0, "end_ratio": 0.0001},
        variants=RATIOS,
        docs="docstring: from warmup_min_ratio to 1.0, then at cosine rate over the remaining steps to cos_min_ratio",
    )


def _one_cycle(a: Arguments) -> Schedule:
    """A triangle, in stairs where a count is given, then low/(1 + rate·n/interval)."""
    up, down = a.warmup_steps, a.second

    def lr(t: Steps, base: float) -> Rates:
        height = np.where(t <= up, t / max(up, 1), np.maximum(up + down - t, 0) / down)
        if a.stairs:
            height = (
                np.floor(np.where(t <= up, t * a.stairs / max(up, 1), (up + down - t) * a.stairs / down)) / a.stairs
            )
        after = np.maximum(t - up - down, 0)
        low = a.low_lr / (1 + a.decay_rate * after / a.decay_interval) if a.decay_interval else a.low_lr
        return np.asarray(np.where(t < up + down, a.low_lr + (base - a.low_lr) * height, low))

    if not up:
        raise ValueError("warmup_steps=0 must be >= 1: it is the rising half of the cycle")
    return Formula(lr)


def _range_test(a: Arguments) -> Schedule:
    return Formula(lambda t, base: base * (1 + a.rate * (t // a.size if a.stairs else t / a.size)))


LIBRARY = Library(
    "deepspeed",
    project="deepspeed",
    files=("deepspeed/runtime/lr_schedules.py",),
    releases=("0.3.1", "0.5.0", "0.8.0", "0.12.0", "0.14.0", "0.16.0", "0.18.0", "0.19.8"),
    sdist=True,
    schedules=(
        *(build(linear) for build in (_warmup, _warmup_decay, _warmup_cosine) for linear in (False, True)),
        LibrarySchedule(
            "one-cycle",
            FROM + "OneCycle",
            "OneCycle(optimizer, {low_lr}, {base_lr}, decay_lr_rate={decay_rate}, "
            "cycle_first_step_size={warmup_steps}, cycle_second_step_size={second}, cycle_first_stair_count={stairs}, "
            "decay_step_size={decay_interval}, cycle_momentum=False)",
            _one_cycle,
            fields={"low_lr": 1e-4, "second": 4, "stairs": 0, "decay_rate": 0.5, "decay_interval": 2},
            variants={"stairs": {"stairs": 2}, "no-decay": {"decay_rate": 0.0, "decay_interval": 0}},
            docs="docstring: one cycle between cycle_min_lr and cycle_max_lr, in stairs, then a decay by decay_lr_rate",
        ),
        LibrarySchedule(
            "lr-range-test",
            FROM + "LRRangeTest",
            "LRRangeTest(optimizer, {base_lr}, {size}, {rate}, {stairs})",
            _range_test,
            fields={"size": 4, "rate": 1.0, "stairs": False},
            variants={"staircase": {"stairs": True}},
            peak=5.0,
            docs="docstring: from lr_range_test_min_lr up by the share step_rate every step_size steps, without an end",
        ),
    ),
)
