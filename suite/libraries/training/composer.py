"""Composer (mosaicml): functions of the trainer's state, which its trainer compiles to a LambdaLR for each batch.

Lengths are texts with a unit, such as "4ba" (batches) and "2ep" (epochs); a scale schedule ratio stretches them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from reference import (
    ConstantDecay,
    Convention,
    CosineDecay,
    Decay,
    ExponentialDecay,
    LinearDecay,
    LinearWarmup,
    MultiStepDecay,
    PolynomialDecay,
    Schedule,
    StepDecay,
    WarmRestartsDecay,
    WarmupDecay,
    family,
)
from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula
from suite.libraries.core.library import Library, LibrarySchedule, Numbers

SETUP = (
    "state = SimpleNamespace(optimizers=[optimizer], timestamp=Timestamp(), dataloader_len={per}, "
    "max_duration=Time.from_timestring({str(total_steps // per) + unit}))"
)
STEP = "state.timestamp = state.timestamp.to_next_batch()\nif (t + 1) % {every} == 0:\n    scheduler.step()"
STATE = ("(state.timestamp, scheduler.state_dict())", "vars(state).update(timestamp=saved[0])")
T_WARMUP = "{given or str(int(warmup_steps / per / (ssr if scale_warmup else 1))) + unit}"
T_MAX = "t_max={'1dur' if ssr == 1 else str(int(total_steps / ssr)) + unit}"
SCALE = "scale_warmup={scale_warmup}"


def _batches(name: str) -> str:
    """A length that the scale schedule ratio brings to the argument of this name."""
    return "{str(int(" + name + " / per / ssr)) + unit}"


def _clocked(a: Arguments, schedule: Schedule) -> Schedule:
    """The LR of the batch at which the scheduler was stepped last."""
    return schedule if a.every == 1 else Formula(lambda t, base: schedule(t // a.every * a.every, base))


def _warmed(a: Arguments, decay: Decay) -> Schedule:
    return _clocked(a, family("A", LinearWarmup(a.warmup_steps), decay))


def _steps(a: Arguments) -> Schedule:
    decay = MultiStepDecay((6, 9), a.gamma)
    return _clocked(a, WarmupDecay(LinearWarmup(a.warmup_steps), decay, Convention(clock="absolute")))


def _linear(a: Arguments) -> Schedule:
    """t/W, then from alpha_i to alpha_f, as the docstring has it."""
    if a.alpha_i == 1:
        return _warmed(a, LinearDecay(a.decay_steps, a.alpha_f * a.base_lr))

    def lr(t: Steps, base: float) -> Rates:
        share = np.clip((t - a.warmup_steps) / max(a.decay_steps, 1), 0, 1)
        later = a.alpha_i + (a.alpha_f - a.alpha_i) * share
        return np.asarray(base * np.where(t < a.warmup_steps, t / max(a.warmup_steps, 1), later))

    return Formula(lr)


def _constant(a: Arguments, warmup_steps: int = 0) -> Schedule:
    """After the warmup alpha until t_max, then 1."""

    def lr(t: Steps, base: float) -> Rates:
        later = np.where(t < a.constant_steps, a.alpha, 1.0)
        return np.asarray(base * np.where(t < warmup_steps, t / max(warmup_steps, 1), later))

    return _clocked(a, Formula(lr) if a.alpha != 1 else family("A", LinearWarmup(warmup_steps), ConstantDecay()))


def _floor(a: Arguments) -> float:
    return float(a.alpha_f * a.base_lr)


CLOCK: Numbers = {"unit": "ba", "per": 1, "ssr": 1.0, "every": 1}
WARMUP: Numbers = {**CLOCK, "scale_warmup": False, "given": ""}
#: Epochs of three batches: as the unit of lengths, and as the clock of the scheduler.
CLOCKS: dict[str, Numbers] = {"ep": {"unit": "ep", "per": 3}, "per-epoch": {"every": 3}, "ssr": {"ssr": 0.5}}
WARMUPS: dict[str, Numbers] = {
    **CLOCKS,
    "ep": {"unit": "ep", "per": 3, "warmup_steps": 6},
    "scale-warmup": {"ssr": 0.5, "scale_warmup": True},
    "dur": {"given": "0.29dur", "total_steps": 100, "warmup_steps": 29},
}
ALPHA: dict[str, Numbers] = {"alpha-f": {"alpha_f": 0.1}}


def _schedule(
    name: str,
    call: str,
    reference: Callable[[Arguments], Schedule],
    docs: str,
    fields: Numbers = CLOCK,
    variants: Mapping[str, Numbers] = CLOCKS,
) -> LibrarySchedule:
    """One scheduler, compiled with the state and the scale schedule ratio."""
    imports = f"from composer.optim.scheduler import {call.partition('(')[0]}, compile_composer_scheduler"
    return LibrarySchedule(
        name,
        f"from types import SimpleNamespace\n\nfrom composer.core.time import Time, Timestamp\n{imports}",
        f"compile_composer_scheduler({call}, state, ssr={{ssr}})",
        reference,
        setup=SETUP,
        step=STEP,
        state=STATE,
        resumed="scheduler.load_state_dict(saved[1])",
        fields=fields,
        variants=variants,
        docs=f"docstring: {docs}",
        left_out={"zero-ssr": "a run without a length"},
        reading="composer-post-warmup",
    )


LIBRARY = Library(
    "composer",
    project="mosaicml",
    files=(
        *("composer/core/time.py", "composer/core/serializable.py", "composer/utils/string_enum.py"),
        "composer/optim/scheduler.py",
    ),
    releases=("0.8.0", "0.10.0", "0.14.0", "0.17.0", "0.20.0", "0.25.0", "0.32.1"),
    stand_ins={"composer.core": "composer.core.time", "composer.utils": "composer.utils.string_enum"},
    schedules=(
        _schedule(
            "step",
            f"StepScheduler({_batches('size')}, gamma={{gamma}})",
            lambda a: _clocked(a, StepDecay(a.size, a.gamma)),
            "gamma ^ floor(t / step_size)",
            {**CLOCK, "size": 3, "gamma": 0.5},
        ),
        _schedule(
            "multistep",
            f"MultiStepScheduler([{_batches('6')}, {_batches('9')}], gamma={{gamma}})",
            lambda a: _clocked(a, MultiStepDecay((6, 9), a.gamma)),
            "gamma ^ the number of milestones reached",
            {**CLOCK, "gamma": 0.5},
        ),
        _schedule(
            "constant",
            f"ConstantScheduler(alpha={{alpha}}, t_max={_batches('constant_steps')})",
            _constant,
            "alpha until t_max, 1.0 otherwise",
            {**CLOCK, "alpha": 1.0, "constant_steps": 6},
            {**CLOCKS, "alpha": {"alpha": 0.5}},
        ),
        _schedule(
            "linear",
            f"LinearScheduler(alpha_f={{alpha_f}}, {T_MAX})",
            lambda a: _clocked(a, LinearDecay(a.total_steps, _floor(a))),
            "from alpha_i to alpha_f over t_max, clipped",
            {**CLOCK, "alpha_f": 0.0},
            {**CLOCKS, **ALPHA},
        ),
        _schedule(
            "exponential",
            f"ExponentialScheduler(gamma={{gamma}}, decay_period={_batches('period')})",
            lambda a: _clocked(a, ExponentialDecay(gamma=a.gamma ** (1 / a.period))),
            "gamma ^ (t / decay_period)",
            {**CLOCK, "gamma": 0.5, "period": 3},
        ),
        _schedule(
            "cosine",
            f"CosineAnnealingScheduler({T_MAX}, alpha_f={{alpha_f}})",
            lambda a: _clocked(a, CosineDecay(a.total_steps, _floor(a))),
            "half a cosine from 1 to alpha_f over t_max, clipped",
            {**CLOCK, "alpha_f": 0.0},
            {**CLOCKS, **ALPHA},
        ),
        _schedule(
            "cosine-restarts",
            f"CosineAnnealingWarmRestartsScheduler({_batches('first')}, t_mult={{t_mult}}, alpha_f={{alpha_f}})",
            lambda a: _clocked(a, WarmRestartsDecay(a.first, int(a.t_mult), min_lr=_floor(a))),
            "cosines of t_0, t_0 * t_mult ... from 1 to alpha_f",
            {**CLOCK, "first": 3, "t_mult": 1.0, "alpha_f": 0.0},
            {**CLOCKS, **ALPHA, "t-mult": {"t_mult": 2.0}},
        ),
        _schedule(
            "polynomial",
            f"PolynomialScheduler(power={{power}}, {T_MAX}, alpha_f={{alpha_f}})",
            lambda a: _clocked(a, PolynomialDecay(a.total_steps, a.power, _floor(a))),
            "a power of the share of the time that is left, clipped",
            {**CLOCK, "power": 2.0, "alpha_f": 0.0},
            {**CLOCKS, **ALPHA, "power0.5": {"power": 0.5}},
        ),
        _schedule(
            "multistep-warmup",
            f"MultiStepWithWarmupScheduler({T_WARMUP}, [{_batches('6')}, {_batches('9')}], gamma={{gamma}}, {SCALE})",
            _steps,
            "t / t_warmup, then gamma ^ the number of milestones reached",
            {**WARMUP, "gamma": 0.5},
            {name: numbers for name, numbers in WARMUPS.items() if name != "dur"},
        ),
        _schedule(
            "constant-warmup",
            f"ConstantWithWarmupScheduler({T_WARMUP}, alpha={{alpha}}, {T_MAX}, {SCALE})",
            lambda a: _constant(a.but(constant_steps=a.total_steps), a.warmup_steps),
            "t / t_warmup, then alpha until t_max, 1.0 otherwise",
            {**WARMUP, "alpha": 1.0},
            {**WARMUPS, "alpha": {"alpha": 0.5}},
        ),
        _schedule(
            "linear-warmup",
            f"LinearWithWarmupScheduler({T_WARMUP}, alpha_i={{alpha_i}}, alpha_f={{alpha_f}}, {T_MAX}, {SCALE})",
            _linear,
            "t / t_warmup, then from alpha_i to alpha_f over the time after the warmup",
            {**WARMUP, "alpha_i": 1.0, "alpha_f": 0.0},
            {**WARMUPS, **ALPHA, "alpha-i": {"alpha_i": 0.5}},
        ),
        _schedule(
            "cosine-warmup",
            f"CosineAnnealingWithWarmupScheduler({T_WARMUP}, {T_MAX}, alpha_f={{alpha_f}}, {SCALE})",
            lambda a: _warmed(a, CosineDecay(a.decay_steps, _floor(a))),
            "t / t_warmup, then half a cosine from 1 to alpha_f over the time after the warmup",
            {**WARMUP, "alpha_f": 0.0},
            {**WARMUPS, **ALPHA},
        ),
        _schedule(
            "polynomial-warmup",
            f"PolynomialWithWarmupScheduler({T_WARMUP}, {{power}}, {T_MAX}, alpha_f={{alpha_f}}, {SCALE})",
            lambda a: _warmed(a, PolynomialDecay(a.decay_steps, a.power, _floor(a))),
            "t / t_warmup, then a power of the share of the time after the warmup that is left",
            {**WARMUP, "power": 2.0, "alpha_f": 0.0},
            {**WARMUPS, **ALPHA, "power0.5": {"power": 0.5}},
        ),
    ),
)
