"""fvcore: functions of the share of the training that is done, as detectron2's LRMultiplier calls them: t/T."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference import (
    ConstantDecay,
    Convention,
    CosineDecay,
    ExponentialDecay,
    LinearDecay,
    LinearWarmup,
    PiecewiseDecay,
    PolynomialDecay,
    Schedule,
    WarmupDecay,
)
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, rising_from
from suite.libraries.core.library import Library, LibrarySchedule

RATE: dict[str, Any] = {"rate": "scheduler(t / {total_steps})", "reading": "after-total"}
LINE = "LinearParamScheduler({start}, {base_lr})"
PARTS = "lengths=[{warmup_steps / total_steps}, {1 - warmup_steps / total_steps}]"
FLOOR = {"start": 0.0, "end": 0.0}
FLOORS = {"start": {"start": 1e-5}, "floor": {"end": 1e-5}}


def _import(*names: str) -> str:
    return f"from fvcore.common.param_scheduler import {', '.join(f'{name}ParamScheduler' for name in names)}"


def _steps(a: Arguments, factors: list[float]) -> Schedule:
    """The factors in turn, each for the same share of the training."""
    count, values = len(factors), np.array(factors)
    return Formula(lambda t, base: base * values[np.minimum(t * count // a.total_steps, count - 1)])


LIBRARY = Library(
    "fvcore",
    project="fvcore",
    files=("fvcore/common/param_scheduler.py",),
    sdist=True,
    releases=(
        "0.1.3.post20210317", "0.1.5.post20210402", "0.1.5.post20210609", "0.1.5.post20211023",
        "0.1.5.post20220512", "0.1.5.post20221221",
    ),
    schedules=(
        LibrarySchedule(
            "constant",
            _import("Constant"),
            "ConstantParamScheduler({base_lr})",
            lambda a: ConstantDecay(),
            docs="docstring", **RATE,
        ),
        LibrarySchedule(
            "cosine",
            _import("Cosine"),
            "CosineParamScheduler({base_lr}, {end})",
            lambda a: CosineDecay(a.total_steps, a.end),
            fields={"end": 0.0}, variants={"floor": {"end": 1e-5}}, docs="docstring: not the restarts", **RATE,
        ),
        LibrarySchedule(
            "exponential",
            _import("Exponential"),
            "ExponentialParamScheduler({base_lr}, 0.02)",
            lambda a: ExponentialDecay(a.total_steps, min_lr=0.02 * a.base_lr),
            docs="docstring: values in [2.0, 0.04) for start_value=2.0, decay=0.02", **RATE,
        ),
        LibrarySchedule(
            "linear",
            _import("Linear"),
            "LinearParamScheduler({base_lr}, {end})",
            lambda a: LinearDecay(a.total_steps, a.end),
            fields={"end": 0.0}, variants={"floor": {"end": 1e-5}}, docs="docstring", **RATE,
        ),
        LibrarySchedule(
            "polynomial",
            _import("PolynomialDecay"),
            "PolynomialDecayParamScheduler({base_lr}, {power})",
            lambda a: PolynomialDecay(a.total_steps, a.power),
            fields={"power": 0.9}, variants={"square": {"power": 2.0}}, docs="docstring", **RATE,
        ),
        LibrarySchedule(
            "multistep",
            _import("MultiStep"),
            "MultiStepParamScheduler([{base_lr}, {0.5 * base_lr}, {0.1 * base_lr}], num_updates={total_steps}, "
            "milestones=[5, 9])",
            lambda a: PiecewiseDecay((5, 9), (0.5, 0.1)),
            docs="docstring: the milestones are the upper boundary, excluded, of each range", **RATE,
        ),
        LibrarySchedule(
            "multistep-even",
            _import("MultiStep"),
            "MultiStepParamScheduler([{base_lr}, {0.5 * base_lr}, {0.1 * base_lr}], num_updates={total_steps})",
            lambda a: _steps(a, [1.0, 0.5, 0.1]),
            docs="milestones: if None, will evenly split num_updates", **RATE,
        ),
        LibrarySchedule(
            "step",
            _import("Step"),
            "StepParamScheduler({total_steps}, [{base_lr}, {0.1 * base_lr}, {0.01 * base_lr}, {0.001 * base_lr}])",
            lambda a: _steps(a, [1.0, 0.1, 0.01, 0.001]),
            variants={"uneven": {"total_steps": 14}}, docs="docstring: divided evenly among the values", **RATE,
        ),
        LibrarySchedule(
            "step-fixed-gamma",
            _import("StepWithFixedGamma"),
            "StepWithFixedGammaParamScheduler({base_lr}, num_decays=3, gamma=0.1, num_updates={total_steps})",
            lambda a: _steps(a, [1.0, 0.1, 0.01, 0.001]),
            docs="docstring: decays by gamma at equal numbers of steps", **RATE,
        ),
        LibrarySchedule(
            "warmup-cosine",
            _import("Composite", "Cosine", "Linear"),
            f"CompositeParamScheduler([{LINE}, CosineParamScheduler({{base_lr}}, {{end}})], {PARTS}, "
            "interval_scaling=['rescaled', 'rescaled'])",
            lambda a: rising_from(a.start, a.base_lr, a.warmup_steps, CosineDecay(a.decay_steps, a.end)),
            fields=FLOOR, variants=FLOORS, docs="docstring: each starts and ends at its own values", **RATE,
        ),
        LibrarySchedule(
            "warmup-linear",
            _import("Composite", "Linear"),
            f"CompositeParamScheduler([{LINE}, LinearParamScheduler({{base_lr}}, {{end}})], {PARTS}, "
            "interval_scaling=['rescaled', 'rescaled'])",
            lambda a: rising_from(a.start, a.base_lr, a.warmup_steps, LinearDecay(a.decay_steps, a.end)),
            fields=FLOOR, variants=FLOORS, docs="docstring: each starts and ends at its own values", **RATE,
        ),
        LibrarySchedule(
            "detectron2-warmup-cosine",
            _import("Composite", "Cosine", "Linear"),
            "CompositeParamScheduler([LinearParamScheduler(0.1 * cosine(0.0), cosine({warmup_steps / total_steps})), "
            f"cosine], {PARTS}, interval_scaling=['rescaled', 'fixed'])",
            lambda a: WarmupDecay(
                LinearWarmup(a.warmup_steps, 0.1), CosineDecay(a.total_steps), Convention("affine", clock="meeting")
            ),
            setup="cosine = CosineParamScheduler({base_lr}, 0.0)",
            left_out={"w11": "the warmup would start above the LR of the cosine at its end",
                      "w12": "the warmup would end at 0"},
            docs="detectron2, WarmupParamScheduler: rises to the value of the schedule by then", **RATE,
        ),
    ),
)  # fmt: skip
