"""transformers: functions that return a LambdaLR; its Trainer steps it after each update."""

from __future__ import annotations

import numpy as np

from reference import (
    ConstantDecay,
    Convention,
    CosineDecay,
    CosineRestartsDecay,
    CosineWarmup,
    Decay,
    InverseSqrtDecay,
    LinearDecay,
    LinearWarmup,
    PolynomialDecay,
    Schedule,
    StableDecay,
    WarmupDecay,
    family,
    sequential,
)
from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula
from suite.libraries.core.library import Library, LibrarySchedule

FROM = "from transformers.optimization import "
#: The steps of a decay after a stable phase: fewer where the warmup leaves less, more where lengths contradict.
ANNEAL = "{min(anneal_steps, decay_steps) + excess}"
ENDS = {"anneal_steps": 3, "excess": 0, "min_lr_ratio": 0.1}
#: The time scale where there is neither a warmup nor another one.
TIMESCALE = 10_000
FLOORS = {"rate": {"min_lr": None, "min_lr_rate": 0.1}}


def _cosine(a: Arguments) -> Schedule:
    """Half a wave, or `num_cycles` whole ones, which end where they began."""
    rising, floor = LinearWarmup(a.warmup_steps), _floor(a)
    if a.num_cycles == 0.5:
        return family("A", rising, CosineDecay(a.decay_steps, floor))
    half = CosineDecay(a.decay_steps // (2 * a.num_cycles), floor)
    waves = WarmupDecay(rising, half, Convention(past_end="periodic"))
    return sequential(waves, ConstantDecay(), milestones=[a.total_steps])


def _floor(a: Arguments) -> float:
    """`min_lr`, which is an LR, or `min_lr_rate` times the group's own LR."""
    rate = a.get("min_lr_rate")
    return float(a.get("min_lr", 0.0) if rate is None else rate * a.base_lr)


def _one_ahead(a: Arguments) -> Schedule:
    """The warmup and the decay end on their last steps."""
    if a.warmup_lr_rate is None:
        return family("C", LinearWarmup(a.warmup_steps), CosineDecay(a.decay_steps, _floor(a)))
    rising = LinearWarmup(a.warmup_steps, a.warmup_lr_rate)
    return WarmupDecay(rising, CosineDecay(a.decay_steps, _floor(a)), Convention("linspace", "closed"))


def _stable(a: Arguments) -> Schedule:
    """Warmup, stable phase and decay; the outer ends of both slopes are the floor."""
    shape = {"linear": "linear", "cosine": "cosine", "1-sqrt": "sqrt"}[a.get("decay_type", "cosine")]
    steps, floor = min(a.anneal_steps, a.decay_steps), a.min_lr_ratio
    falling = StableDecay(a.decay_steps - steps, steps, shape, floor * a.base_lr)
    if a.get("warmup_type") == "1-sqrt":
        return _rising_late(a, falling)
    rising = CosineWarmup if a.get("warmup_type") == "cosine" else LinearWarmup
    return family("E" if floor else "A", rising(a.warmup_steps, floor), falling)


def _rising_late(a: Arguments, decay: Decay) -> Schedule:
    """The decay of 1 - sqrt(p) in reverse: flat at first, steepest at the end of the warmup."""
    floor, steps = a.min_lr_ratio, max(a.warmup_steps, 1)
    after = family("A", LinearWarmup(a.warmup_steps), decay)

    def formula(t: Steps, base: float) -> Rates:
        share = 1.0 - np.sqrt(np.maximum(steps - t, 0) / steps)
        return np.where(t < a.warmup_steps, base * (floor + (1.0 - floor) * share), after(t, base))

    return Formula(formula)


LIBRARY = Library(
    "transformers",
    project="transformers",
    files=(
        "transformers/optimization.py",
        # The enumeration of the schedules' names.
        *("transformers/trainer_utils.py", "transformers/utils/generic.py", "transformers/utils/__init__.py"),
    ),
    releases=("2.2.0", "3.5.1", "4.25.1", "4.30.2", "4.40.2", "4.46.3", "4.50.3", "4.57.0", "5.10.1", "5.24.0"),
    schedules=(
        LibrarySchedule(
            "constant",
            FROM + "get_constant_schedule",
            "get_constant_schedule(optimizer)",
            lambda a: ConstantDecay(),
            docs="docstring: a constant LR",
        ),
        LibrarySchedule(
            "constant_with_warmup",
            FROM + "get_constant_schedule_with_warmup",
            "get_constant_schedule_with_warmup(optimizer, {warmup_steps})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), ConstantDecay()),
            docs="docstring: constant after a warmup in which the LR increases linearly from 0",
        ),
        LibrarySchedule(
            "linear",
            FROM + "get_linear_schedule_with_warmup",
            "get_linear_schedule_with_warmup(optimizer, {warmup_steps}, {total_steps})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), LinearDecay(a.decay_steps)),
            docs="docstring: decreases linearly to 0, after a warmup in which it increases linearly from 0",
        ),
        LibrarySchedule(
            "cosine",
            FROM + "get_cosine_schedule_with_warmup",
            "get_cosine_schedule_with_warmup(optimizer, {warmup_steps}, {total_steps}, num_cycles={num_cycles})",
            _cosine,
            fields={"num_cycles": 0.5},
            variants={"cycles1": {"num_cycles": 1}, "cycles2": {"num_cycles": 2}},
            docs="docstring: follows the cosine function to 0 after a linear warmup from 0; num_cycles is the number "
            "of waves",
            reading="after-total",
        ),
        LibrarySchedule(
            "cosine_with_restarts",
            FROM + "get_cosine_with_hard_restarts_schedule_with_warmup",
            "get_cosine_with_hard_restarts_schedule_with_warmup("
            "optimizer, {warmup_steps}, {total_steps}, num_cycles={num_cycles})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), CosineRestartsDecay(a.decay_steps, a.num_cycles)),
            fields={"num_cycles": 1},
            variants={"cycles2": {"num_cycles": 2}, "cycles3": {"num_cycles": 3}},
            docs="docstring: follows the cosine function to 0 with several hard restarts, after a linear warmup from 0",
        ),
        LibrarySchedule(
            "polynomial",
            FROM + "get_polynomial_decay_schedule_with_warmup",
            "get_polynomial_decay_schedule_with_warmup(optimizer, {warmup_steps}, {total_steps}, {lr_end}, {power})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), PolynomialDecay(a.decay_steps, a.power, a.lr_end)),
            fields={"lr_end": 1e-7, "power": 1.0},
            variants={"power2": {"power": 2.0}, "end3e-5": {"lr_end": 3e-5}},
            docs="docstring: a polynomial decay to lr_end, which is an LR, after a linear warmup from 0",
            reading="floor-is-an-lr",
        ),
        LibrarySchedule(
            "inverse_sqrt",
            FROM + "get_inverse_sqrt_schedule",
            "get_inverse_sqrt_schedule(optimizer, {warmup_steps}, timescale={timescale})",
            lambda a: family(
                "A", LinearWarmup(a.warmup_steps), InverseSqrtDecay(a.timescale or a.warmup_steps or TIMESCALE)
            ),
            fields={"timescale": None},
            variants={"timescale8": {"timescale": 8}, "timescale2": {"timescale": 2}},
            docs="docstring: an inverse square root after a linear warmup from 0; timescale defaults to the warmup",
        ),
        LibrarySchedule(
            "inverse_sqrt-by-name",
            FROM + "get_scheduler",
            "get_scheduler('inverse_sqrt', optimizer, {warmup_steps}, {total_steps}, "
            "scheduler_specific_kwargs={dict(timescale=timescale)})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), InverseSqrtDecay(a.timescale)),
            fields={"timescale": 8},
            docs="docstring of get_scheduler: scheduler_specific_kwargs are extra parameters of the schedule",
        ),
        LibrarySchedule(
            "cosine_with_min_lr",
            FROM + "get_cosine_with_min_lr_schedule_with_warmup",
            "get_cosine_with_min_lr_schedule_with_warmup(optimizer, {warmup_steps}, {total_steps}, {num_cycles}, "
            "min_lr={min_lr}, min_lr_rate={min_lr_rate})",
            _cosine,
            fields={"num_cycles": 0.5, "min_lr": 3e-5, "min_lr_rate": None},
            variants=FLOORS | {"cycles1": {"num_cycles": 1}},
            docs="docstring: follows the cosine function to min_lr, after a linear warmup from 0",
            reading="floor-is-an-lr",
        ),
        LibrarySchedule(
            "cosine_warmup_with_min_lr",
            FROM + "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
            "get_cosine_with_min_lr_schedule_with_warmup_lr_rate(optimizer, {warmup_steps}, {total_steps}, "
            "min_lr={min_lr}, min_lr_rate={min_lr_rate}, warmup_lr_rate={warmup_lr_rate})",
            _one_ahead,
            fields={"min_lr": 3e-5, "min_lr_rate": None, "warmup_lr_rate": None},
            variants=FLOORS | {"start0.1": {"warmup_lr_rate": 0.1}},
            docs="docstring: as cosine_with_min_lr; the warmup starts at warmup_lr_rate, or at 1/num_warmup_steps",
            reading="floor-is-an-lr",
        ),
        LibrarySchedule(
            "warmup_stable_decay",
            FROM + "get_wsd_schedule",
            "get_wsd_schedule(optimizer, num_warmup_steps={warmup_steps}, "
            "num_stable_steps={decay_steps - min(anneal_steps, decay_steps)}, "
            f"num_decay_steps={ANNEAL}, min_lr_ratio={{min_lr_ratio}})",
            _stable,
            fields=ENDS,
            variants={"ratio0": {"min_lr_ratio": 0}},
            edges={"longer": {"excess": 6}},
            docs="docstring: linear warmup from min_lr_ratio, constant, cosine to min_lr_ratio; all in units of the LR",
        ),
        LibrarySchedule(
            "warmup_stable_decay-by-name",
            FROM + "get_scheduler",
            "get_scheduler('warmup_stable_decay', optimizer, {warmup_steps}, {total_steps}, "
            f"scheduler_specific_kwargs=dict(num_decay_steps={ANNEAL}, min_lr_ratio={{min_lr_ratio}}, "
            "warmup_type={warmup_type}, decay_type={decay_type}))",
            _stable,
            fields=ENDS | {"warmup_type": "linear", "decay_type": "cosine"},
            variants={
                "warmup-cosine": {"warmup_type": "cosine"},
                "warmup-1-sqrt": {"warmup_type": "1-sqrt"},
                "decay-linear": {"decay_type": "linear"},
                "decay-1-sqrt": {"decay_type": "1-sqrt"},
            },
            edges={"longer": {"excess": 6}},
            docs="docstring: warmup_type and decay_type are shapes; the stable phase is what warmup and decay leave",
        ),
    ),
)
