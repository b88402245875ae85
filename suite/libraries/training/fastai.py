"""fastai: functions of the share of the training that is done; its fit methods combine them as it is done here."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference import (
    ConstantDecay,
    Convention,
    CosineDecay,
    CosineWarmup,
    ExponentialDecay,
    LinearDecay,
    LinearWarmup,
    StableDecay,
    WarmupDecay,
    family,
)
from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, ShapedDecay
from suite.libraries.core.library import Library, LibrarySchedule

#: pct_train, which the learner counts up after each batch.
RATE: dict[str, Any] = {"rate": "scheduler(t / {total_steps})", "precision": "float32", "reading": "after-total"}
SHARE = "{warmup_steps / total_steps}"


def _import(*names: str) -> str:
    return f"from fastai.callback.schedule import {', '.join(names)}"


def _sgdr(a: Arguments) -> Formula:
    """Cosines to 0, each `mult` times as long as the one before, over the whole run."""
    lengths = a.mult ** np.arange(a.cycles) * a.total_steps / sum(a.mult**i for i in range(a.cycles))
    starts = np.cumsum([0.0, *lengths[:-1]])

    def lr(t: Steps, base: float) -> Rates:
        cycle = np.searchsorted(starts, t + 1e-9, side="right") - 1
        p = np.minimum((t - starts[cycle]) / lengths[cycle], 1.0)
        return np.asarray(base * (1 + np.cos(np.pi * p)) / 2)

    return Formula(lr)


def _one(name: str, call: str, reference: Any, **more: Any) -> LibrarySchedule:
    """A schedule without parts."""
    return LibrarySchedule(name, _import(call.partition("(")[0]), call, reference, **RATE, **more)


LIBRARY = Library(
    "fastai",
    project="fastai",
    files=("fastai/callback/schedule.py",),
    stand_ins={"fastai.basics": "suite.libraries.sandbox.fastai_basics"},
    releases=("2.1.0", "2.3.0", "2.5.0", "2.7.0", "2.7.19", "2.8.12"),
    schedules=(
        _one("constant", "SchedNo({base_lr}, {base_lr})", lambda a: ConstantDecay(), docs="docstring"),
        _one("linear", "SchedLin({base_lr}, {end})", lambda a: LinearDecay(a.total_steps, a.end),
             fields={"end": 0.0}, variants={"end": {"end": 1e-5}}, docs="docstring"),
        _one("cosine", "SchedCos({base_lr}, {end})", lambda a: CosineDecay(a.total_steps, a.end),
             fields={"end": 0.0}, variants={"end": {"end": 1e-5}}, docs="docstring"),
        _one("exponential", "SchedExp({base_lr}, {end})", lambda a: ExponentialDecay(a.total_steps, a.end),
             fields={"end": 1e-5}, docs="docstring"),
        _one("polynomial", "SchedPoly({base_lr}, {end}, {power})",
             lambda a: ShapedDecay(a.total_steps, lambda p: 1 - p**a.power, a.end),
             fields={"end": 0.0, "power": 2.0}, variants={"root": {"power": 0.5}}, docs="docstring: pos ** power"),
        LibrarySchedule(
            "one-cycle",
            _import("combined_cos"),
            f"combined_cos({SHARE}, {{base_lr / div}}, {{base_lr}}, {{base_lr / div_final}})",
            lambda a: WarmupDecay(
                CosineWarmup(a.warmup_steps, 1 / a.div), CosineDecay(a.decay_steps, a.base_lr / a.div_final),
                Convention("affine"),
            ),
            fields={"div": 25.0, "div_final": 1e5}, variants={"div": {"div": 5.0, "div_final": 100.0}},
            docs="fit_one_cycle: cosine annealing from lr_max/div to lr_max, then to lr_max/div_final", **RATE,
        ),
        LibrarySchedule(
            "flat-cosine",
            _import("combined_cos"),
            f"combined_cos({SHARE}, {{base_lr}}, {{base_lr}}, {{base_lr / div_final}})",
            lambda a: StableDecay(a.warmup_steps, a.decay_steps, "cosine", a.base_lr / a.div_final),
            fields={"div_final": 1e5}, docs="fit_flat_cos: flat lr before a cosine annealing", **RATE,
        ),
        LibrarySchedule(
            "sgdr",
            _import("SchedCos", "combine_scheds"),
            "combine_scheds([{mult}**i / {(mult**cycles - 1) // (mult - 1)} for i in range({cycles})], "
            "[SchedCos({base_lr}, 0)] * {cycles})",
            _sgdr,
            fields={"cycles": 2, "mult": 2}, variants={
                "three": {"cycles": 3, "total_steps": 14}, "four": {"cycles": 4, "total_steps": 15},
                "five": {"cycles": 5, "total_steps": 31}, "by-three": {"cycles": 3, "mult": 3, "total_steps": 13},
            },
            docs="fit_sgdr: cycles of cycle_len epochs, each cycle_mult times as long", **RATE,
        ),
        LibrarySchedule(
            "warmup-linear",
            _import("SchedLin", "combine_scheds"),
            f"combine_scheds([{SHARE}, {{decay_steps / total_steps}}], [SchedLin(0.0, {{base_lr}}), "
            "SchedLin({base_lr}, 0.0)])",
            lambda a: family("A", LinearWarmup(a.warmup_steps), LinearDecay(a.decay_steps)),
            docs="combine_scheds: one schedule after another, according to pcts", **RATE,
        ),
        LibrarySchedule(
            "warmup-hold-cosine",
            _import("SchedCos", "SchedLin", "SchedNo", "combine_scheds"),
            f"combine_scheds([{SHARE}, {{hold / total_steps}}, {{(decay_steps - hold) / total_steps}}], "
            "[SchedLin(0.0, {base_lr}), SchedNo({base_lr}, {base_lr}), SchedCos({base_lr}, 0.0)])",
            lambda a: family("A", LinearWarmup(a.warmup_steps), StableDecay(a.hold, a.decay_steps - a.hold, "cosine")),
            fields={"hold": 1}, variants={"ten": {"warmup_steps": 7, "hold": 2, "total_steps": 10}},
            left_out={"w12": "there is no step left to hold the LR"},
            docs="combine_scheds: one schedule after another, according to pcts", **RATE,
        ),
    ),
)  # fmt: skip
