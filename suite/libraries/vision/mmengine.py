"""mmengine: schedulers that change the LR from begin on and not from end on; several of them multiply each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference import (
    ConstantDecay,
    ConstantWarmup,
    Convention,
    CosineDecay,
    Decay,
    ExponentialDecay,
    LinearWarmup,
    MultiStepLR,
    OneCycleLR,
    PolynomialDecay,
    Schedule,
    StepDecay,
    WarmRestartsDecay,
    WarmupDecay,
    chain,
    per_epoch,
)
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula
from suite.libraries.core.library import Library, LibrarySchedule

#: Several schedulers, stepped after each update as the hook of the runner does it.
SEVERAL: dict[str, Any] = {
    "step": "for each in scheduler:\n    each.step()",
    "state": (
        "[each.state_dict() for each in scheduler]",
        "[each.load_state_dict(one) for each, one in zip(scheduler, saved)]",
    ),
}
WARMUP = "LinearLR(optimizer, start_factor={start_factor}, begin=0, end={warmup_steps}, by_epoch=False)"
REST = "begin={warmup_steps}, end={total_steps}, by_epoch=False"
START = {"start_factor": 0.1}
STARTS = {"from-0.001": {"start_factor": 0.001}, "from-0": {"start_factor": 0.0}}
PAGES = "tutorial on parameter schedulers: a linear warmup at [0, 100), a cosine at [100, 900)"


def _import(*names: str) -> str:
    return f"from mmengine.optim.scheduler.lr_scheduler import {', '.join(names)}"


def _linear(a: Arguments, decay: Decay) -> Schedule:
    """The end factor is reached at the last step before end; a factor of 0 can only be refused."""
    if not a.start_factor:
        raise ValueError(f"start_factor={a.start_factor} must be above 0: each step multiplies the LR that it finds")
    return WarmupDecay(LinearWarmup(a.warmup_steps, a.start_factor), decay, Convention("linspace"))


def _stopped(schedule: Schedule, end: int) -> Schedule:
    """Nothing changes from step `end` on."""
    return Formula(lambda t, base: schedule(np.minimum(t, max(end - 1, 0)), base))


def _poly(a: Arguments) -> Decay:
    """As with the linear warmup, the end value is that of the last step before end."""
    return PolynomialDecay(max(a.decay_steps - 1, 1), a.power, a.eta_min)


LIBRARY = Library(
    "mmengine",
    project="mmengine",
    files=("mmengine/optim/scheduler/lr_scheduler.py", "mmengine/optim/scheduler/param_scheduler.py"),
    releases=("0.1.0", "0.2.0", "0.3.2", "0.6.0", "0.8.4", "0.10.7"),
    schedules=(
        LibrarySchedule(
            "linear",
            _import("LinearLR"),
            WARMUP,
            lambda a: _linear(a, ConstantDecay()),
            fields=START, variants=STARTS, reading="mmengine-end", docs="LinearLR: end_factor by the step end",
        ),
        LibrarySchedule(
            "constant",
            _import("ConstantLR"),
            "ConstantLR(optimizer, factor={factor}, begin=0, end={warmup_steps}, by_epoch=False)",
            lambda a: WarmupDecay(ConstantWarmup(a.warmup_steps, a.factor), ConstantDecay()),
            fields={"factor": 0.25},
            docs="ConstantLR: a constant factor until the number of steps reaches end",
        ),
        LibrarySchedule(
            "linear-cosine",
            _import("CosineAnnealingLR", "LinearLR"),
            f"[{WARMUP}, CosineAnnealingLR(optimizer, T_max={{decay_steps}}, eta_min={{eta_min}}, {REST})]",
            lambda a: _stopped(_linear(a, CosineDecay(a.decay_steps, a.eta_min)), a.total_steps),
            fields=START | {"eta_min": 0.0}, variants=STARTS | {"floor": {"eta_min": 1e-5}},
            reading="mmengine-end", docs=PAGES, **SEVERAL,
        ),
        LibrarySchedule(
            "linear-cosine-ratio",
            _import("CosineAnnealingLR", "LinearLR"),
            f"[{WARMUP}, CosineAnnealingLR(optimizer, T_max={{decay_steps}}, eta_min_ratio={{ratio}}, {REST})]",
            lambda a: _stopped(_linear(a, CosineDecay(a.decay_steps, a.ratio * a.base_lr)), a.total_steps),
            fields=START | {"ratio": 0.1}, docs="eta_min_ratio: a share of the base value",
            reading="mmengine-end", **SEVERAL,
        ),
        LibrarySchedule(
            "linear-cosine-converted",
            _import("CosineAnnealingLR", "LinearLR"),
            "[LinearLR.build_iter_from_epoch(optimizer, start_factor={start_factor}, end={warmup_steps / 2}, "
            "epoch_length=2), CosineAnnealingLR.build_iter_from_epoch(optimizer, T_max={decay_steps / 2}, "
            "begin={warmup_steps / 2}, end={total_steps / 2}, epoch_length=2)]",
            lambda a: _stopped(_linear(a, CosineDecay(a.decay_steps)), a.total_steps),
            fields=START, docs="convert_to_iter_based: epochs become steps", reading="mmengine-end", **SEVERAL,
        ),
        LibrarySchedule(
            "cosine",
            _import("CosineAnnealingLR"),
            "CosineAnnealingLR(optimizer, T_max={total_steps}, eta_min={eta_min}, by_epoch=False)",
            lambda a: CosineDecay(a.total_steps, a.eta_min),
            fields={"eta_min": 0.0}, variants={"floor": {"eta_min": 1e-5}},
            docs="CosineAnnealingLR: only the annealing part of SGDR, not the restarts", reading="after-total",
        ),
        LibrarySchedule(
            "linear-cosine-restart",
            _import("CosineRestartLR", "LinearLR"),
            f"[{WARMUP}, CosineRestartLR(optimizer, periods=[2, 4], restart_weights=[1, 0.5], eta_min={{eta_min}}, "
            "begin={warmup_steps}, by_epoch=False)]",
            lambda a: _stopped(_linear(a, WarmRestartsDecay(2, 2, 0.5, "top", a.eta_min)), a.warmup_steps + 6),
            fields=START | {"eta_min": 0.0}, variants={"floor": {"eta_min": 1e-5}, "high-floor": {"eta_min": 1e-4}},
            docs="CosineRestartLR: eta_min at the end; a restart at the base value times its weight",
            reading="mmengine-end", **SEVERAL,
        ),
        LibrarySchedule(
            "linear-exponential",
            _import("ExponentialLR", "LinearLR"),
            f"[{WARMUP}, ExponentialLR(optimizer, gamma=0.8, {REST})]",
            lambda a: _stopped(_linear(a, ExponentialDecay(gamma=0.8)), a.total_steps),
            fields=START, docs="ExponentialLR: gamma every step", reading="mmengine-end", **SEVERAL,
        ),
        LibrarySchedule(
            "linear-step",
            _import("LinearLR", "StepLR"),
            f"[{WARMUP}, StepLR(optimizer, step_size=3, gamma=0.5, {REST})]",
            lambda a: _stopped(_linear(a, StepDecay(3, 0.5)), a.total_steps),
            fields=START, docs="StepLR: gamma every step_size steps", reading="mmengine-end", **SEVERAL,
        ),
        LibrarySchedule(
            "linear-poly",
            _import("LinearLR", "PolyLR"),
            f"[{WARMUP}, PolyLR(optimizer, power={{power}}, eta_min={{eta_min}}, {REST})]",
            lambda a: _stopped(_linear(a, _poly(a)), a.total_steps),
            fields=START | {"power": 0.9, "eta_min": 0.0},
            variants={"floor": {"eta_min": 1e-5}, "linear": {"power": 1.0}},
            docs="PolyLR: eta_min is the value at the end", reading="mmengine-end", **SEVERAL,
        ),
        LibrarySchedule(
            "linear-multistep",
            _import("LinearLR", "MultiStepLR"),
            f"[{WARMUP}, MultiStepLR(optimizer, milestones=[3, 8], gamma=0.5, by_epoch=False)]",
            lambda a: chain(_linear(a, ConstantDecay()), MultiStepLR((3, 8), 0.5)),
            fields=START, docs="tutorial on parameter schedulers: a linear warmup over a MultiStepLR",
            reading="mmengine-end", **SEVERAL,
        ),
        LibrarySchedule(
            "linear-multistep-by-epoch",
            _import("LinearLR", "MultiStepLR"),
            f"[{WARMUP}, MultiStepLR(optimizer, milestones=[2, 4], gamma=0.5, by_epoch=True)]",
            lambda a: chain(_linear(a, ConstantDecay()), per_epoch(MultiStepLR((2, 4), 0.5), 3)),
            fields=START, docs="tutorial: the warmup by_epoch=False, the milestones by_epoch=True; here 3 steps each",
            reading="mmengine-end",
            **SEVERAL | {"step": "scheduler[0].step()\nif (t + 1) % 3 == 0:\n    scheduler[1].step()"},
        ),
        LibrarySchedule(
            "onecycle",
            _import("OneCycleLR"),
            "OneCycleLR(optimizer, eta_max={eta_max}, total_steps={total_steps}, "
            "pct_start={warmup_steps / total_steps}, anneal_strategy={strategy}, three_phase={three_phase})",
            lambda a: _stopped(
                OneCycleLR(
                    a.eta_max, a.total_steps, pct_start=a.warmup_steps / a.total_steps,
                    anneal_strategy=a.strategy, three_phase=a.three_phase,
                ),
                a.total_steps,
            ),
            fields={"eta_max": 0.5, "strategy": "cos", "three_phase": False},
            variants={"linear": {"strategy": "linear"}, "three-phase": {"three_phase": True}},
            docs="OneCycleLR: eta_max for all groups; as in torch", reading="after-total",
        ),
    ),
)  # fmt: skip
