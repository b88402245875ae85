"""ignite: handlers that an engine calls when an iteration starts; each call sets the LR, absolute or of a scheduler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference import (
    ConstantDecay,
    ConstantWarmup,
    Convention,
    CosineDecay,
    Decay,
    ExponentialDecay,
    ExponentialLR,
    LinearDecay,
    LinearWarmup,
    Schedule,
    StepDecay,
    StepLR,
    WarmRestartsDecay,
    WarmupDecay,
)
from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, then
from suite.libraries.core.library import Library, LibrarySchedule

#: As on Events.ITERATION_STARTED, where the documentation attaches every handler.
STARTED: dict[str, Any] = {"before": "scheduler(None)", "step": ""}
WARMED = "warmup_start_value={start_value}, warmup_duration={warmup_steps})"
START = {"start_value": 0.0}
STARTS = {"start": {"start_value": 1e-5}}
#: Absolute LRs, whatever the optimizer's is.
ABSOLUTE = {"low": 0.05, "high": 0.5}
LINE = "create_lr_scheduler_with_warmup, example: 0.0, 0.05, 0.1, 0.1 * 0.98, ... with warmup_duration=3"
#: Of an axis that gives the optimizer another LR.
NOT_ITS_OWN = {"defaults-base3e-4": "it has LRs of its own, which are not those of the optimizer"}
FEW = dict.fromkeys(("w0", "w1"), "warmup_duration must be at least 2")


def _import(*names: str) -> str:
    """The module was moved in 0.4.5; its contents come through the old one until 0.6."""
    text = ", ".join(names)
    return (
        f"try:\n    from ignite.handlers.param_scheduler import {text}\n"
        f"except ImportError:\n    from ignite.contrib.handlers.param_scheduler import {text}"
    )


def _warmed(a: Arguments, decay: Decay) -> Schedule:
    """The last value of the warmup is the first of the schedule."""
    return WarmupDecay(LinearWarmup(a.warmup_steps, a.start_value / a.base_lr), decay, Convention("linspace", "closed"))


def _ending_elsewhere(a: Arguments) -> Schedule:
    """The warmup has a last value of its own, and the schedule starts in the step after it."""
    rising = WarmupDecay(LinearWarmup(a.warmup_steps, 0.0), ConstantDecay(), Convention("linspace"))
    return then(lambda t, base: rising(t, a.end_value), a.warmup_steps, StepDecay(3, 0.5))


def _cycles(a: Arguments, share: Callable[[Rates], Rates], warmup: int = 0) -> Schedule:
    """Cycles of growing length between two values that change, with a line from the low to the high one in between."""

    def lr(t: Steps, base: float) -> Rates:
        values: list[float] = []
        start, end, size, line = a.high, a.low, a.cycle_size, warmup
        while len(values) <= t.max(initial=0):
            values.extend(end + (start - end) * share(np.arange(size) / size))
            start *= a.start_mult
            values.extend(end + (start - end) * np.arange(line) / max(line, 1))
            end, size, line = end * a.end_mult, int(size * a.cycle_mult), int(line * a.cycle_mult)
        return np.array(values)[t]

    return Formula(lr)


def _half_cosine(p: Rates) -> Rates:
    return np.asarray((1.0 + np.cos(np.pi * p)) / 2.0)


def _lines(a: Arguments) -> Schedule:
    """Up to the high value in the warmup, down to the low one at the end."""
    nodes = [0, a.warmup_steps, a.total_steps], [a.low, a.high, a.low]
    return Formula(lambda t, base: np.where(t < a.warmup_steps, *_both(t, *nodes)))


def _both(t: Steps, steps: list[int], values: list[float]) -> tuple[Rates, Rates]:
    return np.interp(t, steps[:2], values[:2]), np.interp(t, steps[1:], values[1:])


def _constant(a: Arguments) -> Schedule:
    return WarmupDecay(ConstantWarmup(a.warmup_steps, 0.25), ConstantDecay())


def _wrapped(name: str, torch: str, arguments: str, reference: Callable[[Arguments], Schedule]) -> LibrarySchedule:
    """A scheduler of torch as a handler."""
    return LibrarySchedule(
        f"torch-{name}",
        f"from torch.optim.lr_scheduler import {torch}\n{_import('LRScheduler')}",
        f"LRScheduler({torch}(optimizer, {arguments}))",
        reference,
        docs="LRScheduler, example with StepLR(step_size=3): 0.1, 0.1, 0.1, 0.01, ...",
        **STARTED,
    )


CYCLE = '(optimizer, "lr", {high}, {low}, {cycle_size}, cycle_mult={cycle_mult}, start_value_mult={start_mult}, '
CYCLES: dict[str, Any] = ABSOLUTE | {"cycle_size": 4, "cycle_mult": 1.0, "start_mult": 1.0, "end_mult": 1.0}
GROWING: dict[str, Any] = {
    "growing": {"cycle_mult": 2.0},
    "half": {"cycle_mult": 1.5},
    "lower": {"start_mult": 0.5, "end_mult": 0.5},
    "odd": {"cycle_size": 3},
}

LIBRARY = Library(
    "ignite",
    project="pytorch-ignite",
    files=("ignite/handlers/param_scheduler.py", "ignite/contrib/handlers/param_scheduler.py", "ignite/_six.py"),
    releases=("0.2.0", "0.3.0", "0.4.2", "0.4.10", "0.4.11", "0.4.13", "0.5.1", "0.5.5"),
    schedules=(
        LibrarySchedule(
            "warmup-cosine",
            "from torch.optim.lr_scheduler import CosineAnnealingLR\n" + _import("create_lr_scheduler_with_warmup"),
            f"create_lr_scheduler_with_warmup(CosineAnnealingLR(optimizer, T_max={{decay_steps}}), {WARMED}",
            lambda a: _warmed(a, CosineDecay(a.decay_steps)),
            fields=START, variants=STARTS, left_out=FEW, docs=LINE, reading="ignite-last-of-the-warmup", **STARTED,
        ),
        LibrarySchedule(
            "warmup-exponential",
            "from torch.optim.lr_scheduler import ExponentialLR\n" + _import("create_lr_scheduler_with_warmup"),
            f"create_lr_scheduler_with_warmup(ExponentialLR(optimizer, gamma=0.8), {WARMED}",
            lambda a: _warmed(a, ExponentialDecay(gamma=0.8)),
            fields=START, variants=STARTS, left_out=FEW, docs=LINE, reading="ignite-last-of-the-warmup", **STARTED,
        ),
        LibrarySchedule(
            "warmup-step",
            "from torch.optim.lr_scheduler import StepLR\n" + _import("create_lr_scheduler_with_warmup"),
            f"create_lr_scheduler_with_warmup(StepLR(optimizer, step_size=3, gamma=0.5), {WARMED}",
            lambda a: _warmed(a, StepDecay(3, 0.5)),
            fields=START, variants=STARTS, left_out=FEW, docs=LINE, reading="ignite-last-of-the-warmup", **STARTED,
        ),
        LibrarySchedule(
            "warmup-step-end-value",
            "from torch.optim.lr_scheduler import StepLR\n" + _import("create_lr_scheduler_with_warmup"),
            "create_lr_scheduler_with_warmup(StepLR(optimizer, step_size=3, gamma=0.5), warmup_start_value=0.0, "
            "warmup_duration={warmup_steps}, warmup_end_value={end_value})",
            _ending_elsewhere,
            fields={"end_value": 2e-5}, left_out=FEW,
            docs="docstring: warmup_end_value, by default the base LR", reading="ignite-last-of-the-warmup", **STARTED,
        ),
        LibrarySchedule(
            "warmup-restarts",
            "from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts\n"
            + _import("create_lr_scheduler_with_warmup"),
            f"create_lr_scheduler_with_warmup(CosineAnnealingWarmRestarts(optimizer, T_0=4), {WARMED}",
            lambda a: _warmed(a, WarmRestartsDecay(4)),
            fields=START, left_out=FEW, docs=LINE, reading="ignite-last-of-the-warmup", **STARTED,
        ),
        LibrarySchedule(
            "warmup-cosine-of-ignite",
            _import("CosineAnnealingScheduler", "create_lr_scheduler_with_warmup"),
            'create_lr_scheduler_with_warmup(CosineAnnealingScheduler(optimizer, "lr", {base_lr}, 0.0, '
            f"{{decay_steps}}), {WARMED}",
            lambda a: _warmed(a, CosineDecay(a.decay_steps)),
            fields=START, variants=STARTS,
            left_out=FEW
            | dict.fromkeys(("groups", "start-groups"), "it sets one LR for all groups")
            | dict.fromkeys(("w11", "w12"), "cycle_size must be at least 2"),
            docs=LINE, reading="ignite-last-of-the-warmup", **STARTED,
        ),
        _wrapped("cosine", "CosineAnnealingLR", "T_max={total_steps}", lambda a: CosineDecay(a.total_steps)),
        _wrapped("exponential", "ExponentialLR", "gamma=0.8", lambda a: ExponentialLR(0.8)),
        _wrapped(
            "linear", "LinearLR", "start_factor=0.25, total_iters={warmup_steps}",
            lambda a: LinearWarmup(a.warmup_steps, 0.25),
        ),
        _wrapped("step", "StepLR", "step_size=3, gamma=0.1", lambda a: StepLR(3, 0.1)),
        _wrapped("polynomial", "PolynomialLR", "total_iters={total_steps}", lambda a: LinearDecay(a.total_steps)),
        _wrapped("constant", "ConstantLR", "factor=0.25, total_iters={warmup_steps}", _constant),
        LibrarySchedule(
            "linear-cyclical",
            _import("LinearCyclicalScheduler"),
            f"LinearCyclicalScheduler{CYCLE}end_value_mult={{end_mult}})",
            lambda a: _cycles(a, lambda p: np.abs(p - 0.5) * 2.0),
            fields=CYCLES, variants=GROWING, left_out=NOT_ITS_OWN,
            docs="docstring: to end_value for half a cycle, then back", **STARTED,
        ),
        LibrarySchedule(
            "linear-monotonic",
            _import("LinearCyclicalScheduler"),
            f"LinearCyclicalScheduler{CYCLE}end_value_mult={{end_mult}}, warmup_duration={{warmup}}, monotonic=True)",
            lambda a: _cycles(a, lambda p: 1.0 - p, a.warmup),
            fields=CYCLES | {"warmup": 0}, variants=GROWING | {"warmup": {"warmup": 3}}, left_out=NOT_ITS_OWN,
            docs="docstring: one half of the cycle only", **STARTED,
        ),
        LibrarySchedule(
            "cosine-cyclical",
            _import("CosineAnnealingScheduler"),
            f"CosineAnnealingScheduler{CYCLE}end_value_mult={{end_mult}})",
            lambda a: _cycles(a, _half_cosine),
            fields=CYCLES, variants=GROWING, left_out=NOT_ITS_OWN,
            docs="docstring: from start_value to end_value over each cycle", **STARTED,
        ),
        LibrarySchedule(
            "cosine-cyclical-warmup",
            _import("CosineAnnealingScheduler"),
            f"CosineAnnealingScheduler{CYCLE}end_value_mult={{end_mult}}, warmup_duration={{warmup}})",
            lambda a: _cycles(a, _half_cosine, a.warmup),
            fields=CYCLES | {"warmup": 2}, variants=GROWING | {"long": {"warmup": 5}}, left_out=NOT_ITS_OWN,
            docs="warmup_duration: a line from the last cycle's end value to the next cycle's start value", **STARTED,
        ),
        LibrarySchedule(
            "piecewise-linear",
            _import("PiecewiseLinear"),
            'PiecewiseLinear(optimizer, "lr", milestones_values=[(0, {low}), ({warmup_steps}, {high}), '
            "({total_steps}, {low})])",
            _lines,
            fields=ABSOLUTE, left_out=NOT_ITS_OWN,
            docs="docstring: linear between the milestones, constant before and after", **STARTED,
        ),
        LibrarySchedule(
            "param-groups",
            _import("ParamGroupScheduler", "PiecewiseLinear"),
            'ParamGroupScheduler([PiecewiseLinear(optimizer, "lr", milestones_values=[(0, 0.0), ({warmup_steps}, '
            'group["lr"]), ({total_steps}, 0.0)], param_group_index=i) for i, group in '
            'enumerate(optimizer.param_groups)], names=["lr"] * len(optimizer.param_groups))',
            lambda a: WarmupDecay(LinearWarmup(a.warmup_steps), LinearDecay(a.decay_steps)),
            docs="docstring: one scheduler for each group", **STARTED,
        ),
        LibrarySchedule(
            "concat",
            _import("ConcatScheduler", "CosineAnnealingScheduler", "PiecewiseLinear"),
            'ConcatScheduler([PiecewiseLinear(optimizer, "lr", [(0, 0.0), ({warmup_steps}, {high})]), '
            'CosineAnnealingScheduler(optimizer, "lr", {high}, {low}, 100)], durations=[{warmup_steps}])',
            lambda a: Formula(
                lambda t, base: np.where(
                    t < a.warmup_steps,
                    a.high * t / max(a.warmup_steps, 1),
                    a.low + (a.high - a.low) * _half_cosine((t - a.warmup_steps) / 100),
                )
            ),
            fields=ABSOLUTE, left_out=NOT_ITS_OWN,
            docs="docstring: durations, the number of events of each but the last", **STARTED,
        ),
    ),
)  # fmt: skip
