"""lrsched: functions of keyword arguments that return a function of the step; no framework."""

from __future__ import annotations

import numpy as np

from reference import (
    ConstantDecay,
    CosineDecay,
    CosineWarmup,
    ExponentialDecay,
    InverseSqrtDecay,
    LinearDecay,
    LinearWarmup,
    MultiStepDecay,
    PolynomialDecay,
    Schedule,
    StableDecay,
    StepDecay,
    WarmRestartsDecay,
    family,
)
from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, rising_from, then
from suite.libraries.core.library import Library, LibrarySchedule

RATE = "scheduler(t)"


def _triangle(a: Arguments, shrink: str = "") -> Schedule:
    """Up in step_size steps and down in as many; the amplitude halves after each cycle, or falls with each step."""

    def values(t: Steps, base: float) -> Rates:
        cycle, size = t // (2 * a.step_size), a.step_size
        height = 1.0 - np.abs(t % (2 * size) - size) / size
        scale = {"": 1.0, "cycle": 0.5**cycle, "step": a.get("gamma", 1.0) ** t}[shrink]
        return np.asarray(a.min_lr + (base - a.min_lr) * height * scale)

    return Formula(values)


def _one_cycle(a: Arguments) -> Schedule:
    rise = round(a.pct_start * a.total_steps)
    up = CosineWarmup(rise, 1.0 / a.initial_div)
    return then(up, rise, CosineDecay(a.total_steps - rise, a.base_lr / a.final_div))


def _wsd(a: Arguments) -> Schedule:
    shape = {"1-sqrt": "sqrt"}.get(a.shape, a.shape)
    stable = a.total_steps - a.warmup_steps - a.fall_steps
    return rising_from(a.start_lr, a.base_lr, a.warmup_steps, StableDecay(stable, a.fall_steps, shape, a.final_lr))


def _in_turn(a: Arguments) -> Schedule:
    """Two phases; after them the LR of the last step of the last one, as documented."""
    pair = then(LinearDecay(4, a.base_lr / 2), 4, lambda n, base: CosineDecay(a.total_steps - 4)(n, base / 2))
    return Formula(lambda t, base: pair(np.minimum(t, a.total_steps - 1), base))


LIBRARY = Library(
    "lrsched",
    project="lrsched",
    files=("lrsched/*.py",),
    releases=("0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0"),
    schedules=(
        LibrarySchedule(
            "constant",
            "from lrsched.schedules import constant",
            "constant(lr={base_lr})",
            lambda a: ConstantDecay(),
            rate=RATE,
            docs="docstring: a flat learning rate",
        ),
        LibrarySchedule(
            "step",
            "from lrsched.schedules import step_decay",
            "step_decay(base_lr={base_lr}, drop={drop}, step_size=4)",
            lambda a: StepDecay(4, a.drop),
            rate=RATE,
            fields={"drop": 0.1},
            variants={"half": {"drop": 0.5}},
            docs="docstring: base_lr * drop ** floor(step / step_size)",
        ),
        LibrarySchedule(
            "multi-step",
            "from lrsched.schedules import multi_step",
            "multi_step(base_lr={base_lr}, milestones=[6, 9], gamma=0.1)",
            lambda a: MultiStepDecay((6, 9)),
            rate=RATE,
            docs="docstring: multiply by gamma at each milestone step",
        ),
        LibrarySchedule(
            "exponential",
            "from lrsched.schedules import exponential",
            "exponential(base_lr={base_lr}, gamma=0.9)",
            lambda a: ExponentialDecay(gamma=0.9),
            rate=RATE,
            docs="docstring: base_lr * gamma ** step",
        ),
        LibrarySchedule(
            "exponential-decay",
            "from lrsched.schedules import exponential_decay",
            "exponential_decay(base_lr={base_lr}, decay_rate=0.5, decay_steps=4)",
            lambda a: ExponentialDecay(gamma=0.5**0.25),
            rate=RATE,
            docs="docstring: base_lr * decay_rate ** (step / decay_steps)",
        ),
        LibrarySchedule(
            "linear",
            "from lrsched.schedules import linear",
            "linear(base_lr={base_lr}, end_lr={end_lr}, total_steps={total_steps})",
            lambda a: LinearDecay(a.total_steps, a.end_lr),
            rate=RATE,
            fields={"end_lr": 0.0},
            variants={"floor": {"end_lr": 1e-5}},
            docs="docstring: from base_lr to end_lr over total_steps, then hold end_lr",
        ),
        LibrarySchedule(
            "polynomial",
            "from lrsched.schedules import polynomial",
            "polynomial(base_lr={base_lr}, end_lr={end_lr}, total_steps={total_steps}, power={power})",
            lambda a: PolynomialDecay(a.total_steps, a.power, a.end_lr),
            rate=RATE,
            fields={"end_lr": 0.0, "power": 2.0},
            variants={"floor": {"end_lr": 1e-5}, "root": {"power": 0.5}},
            docs="docstring: from base_lr to end_lr over total_steps, then hold end_lr",
        ),
        LibrarySchedule(
            "polynomial-decay",
            "from lrsched.schedules import polynomial_decay",
            "polynomial_decay(start_lr={base_lr}, end_lr={end_lr}, total_steps={total_steps}, power={power})",
            lambda a: PolynomialDecay(a.total_steps, a.power, a.end_lr),
            rate=RATE,
            fields={"end_lr": 0.0, "power": 2.0},
            variants={"floor": {"end_lr": 1e-5}, "root": {"power": 0.5}},
            docs="docstring: (start_lr - end_lr) * (1 - min(t, total_steps) / total_steps) ** power + end_lr",
        ),
        LibrarySchedule(
            "cosine",
            "from lrsched.schedules import cosine",
            "cosine(base_lr={base_lr}, min_lr={min_lr}, total_steps={total_steps})",
            lambda a: CosineDecay(a.total_steps, a.min_lr),
            rate=RATE,
            fields={"min_lr": 0.0},
            variants={"floor": {"min_lr": 1e-5}},
            docs="docstring: from base_lr at step 0 to min_lr at total_steps, then hold",
        ),
        LibrarySchedule(
            "cosine-restarts",
            "from lrsched.schedules import cosine_restarts",
            "cosine_restarts(base_lr={base_lr}, min_lr={min_lr}, period=4, t_mult={t_mult})",
            lambda a: WarmRestartsDecay(4, a.t_mult, min_lr=a.min_lr),
            rate=RATE,
            fields={"min_lr": 0.0, "t_mult": 1},
            variants={"floor": {"min_lr": 1e-5}, "longer": {"t_mult": 2}},
            docs="docstring: each cycle resets to base_lr, and is t_mult times as long",
        ),
        LibrarySchedule(
            "inverse-sqrt",
            "from lrsched.schedules import inverse_sqrt",
            "inverse_sqrt(base_lr={base_lr}, warmup_steps={warmup_steps})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), InverseSqrtDecay(a.warmup_steps)),
            rate=RATE,
            docs="docstring: linear warmup to base_lr at warmup_steps, then the inverse square root of the step",
        ),
        LibrarySchedule(
            "one-cycle",
            "from lrsched.schedules import one_cycle",
            "one_cycle(max_lr={base_lr}, total_steps={total_steps}, pct_start={pct_start}, "
            "initial_div={initial_div}, final_div={final_div})",
            _one_cycle,
            rate=RATE,
            fields={"pct_start": 0.25, "initial_div": 25.0, "final_div": 1e4},
            variants={"rounded": {"pct_start": 0.3}, "low": {"initial_div": 10.0, "final_div": 100.0}},
            docs="docstring: from max_lr / initial_div along a cosine for pct_start, then down to max_lr / final_div",
        ),
        LibrarySchedule(
            "wsd",
            "from lrsched.schedules import warmup_stable_decay",
            "warmup_stable_decay(base_lr={base_lr}, warmup_steps={warmup_steps}, decay_steps={fall_steps}, "
            "total_steps={total_steps}, final_lr={final_lr}, warmup_start={start_lr}, decay_shape={shape})",
            _wsd,
            rate=RATE,
            fields={"fall_steps": 4, "final_lr": 0.0, "start_lr": 0.0, "shape": "linear"},
            variants={
                "sqrt": {"shape": "1-sqrt"},
                "floor": {"final_lr": 1e-5},
                "start": {"start_lr": 1e-5},
                "no-fall": {"fall_steps": 0},
            },
            docs="docstring: three phases over total_steps; holds final_lr past total_steps",
        ),
        LibrarySchedule(
            "triangular",
            "from lrsched.clr import triangular",
            "triangular(min_lr={min_lr}, max_lr={base_lr}, step_size=4)",
            _triangle,
            rate=RATE,
            fields={"min_lr": 0.0, "step_size": 4},
            variants={"floor": {"min_lr": 1e-5}},
            docs="docstring: between min_lr and max_lr, up and down in step_size steps each",
        ),
        LibrarySchedule(
            "triangular2",
            "from lrsched.clr import triangular2",
            "triangular2(min_lr={min_lr}, max_lr={base_lr}, step_size=4)",
            lambda a: _triangle(a, "cycle"),
            rate=RATE,
            fields={"min_lr": 0.0, "step_size": 4},
            variants={"floor": {"min_lr": 1e-5}},
            docs="docstring: the amplitude halves after each cycle",
        ),
        LibrarySchedule(
            "exp-range",
            "from lrsched.clr import exp_range",
            "exp_range(min_lr={min_lr}, max_lr={base_lr}, step_size=4, gamma=0.9)",
            lambda a: _triangle(a, "step"),
            rate=RATE,
            fields={"min_lr": 0.0, "step_size": 4, "gamma": 0.9},
            variants={"floor": {"min_lr": 1e-5}},
            docs="docstring: the amplitude decays by gamma each step",
        ),
        LibrarySchedule(
            "warmup-cosine",
            "from lrsched.compose import with_warmup\nfrom lrsched.schedules import cosine",
            "with_warmup(cosine(base_lr={base_lr}, min_lr={min_lr}, total_steps={decay_steps}), "
            "warmup_steps={warmup_steps}, start_lr={start_lr})",
            lambda a: rising_from(a.start_lr, a.base_lr, a.warmup_steps, CosineDecay(a.decay_steps, a.min_lr)),
            rate=RATE,
            fields={"min_lr": 0.0, "start_lr": 0.0},
            variants={"floor": {"min_lr": 1e-5}, "start": {"start_lr": 1e-5}},
            docs="docstring: a linear warmup from start_lr to the schedule's value at step 0; README, first example",
        ),
        LibrarySchedule(
            "sequential",
            "from lrsched.compose import sequential\nfrom lrsched.schedules import cosine, linear",
            "sequential([(4, linear(base_lr={base_lr}, end_lr={base_lr / 2}, total_steps=4)), "
            "({total_steps - 4}, cosine(base_lr={base_lr / 2}, min_lr=0.0, total_steps={total_steps - 4}))])",
            _in_turn,
            rate=RATE,
            docs="docstring: each phase counts from its start; past the final phase its final value is held",
        ),
        LibrarySchedule(
            "by-group",
            "from lrsched.groups import scale_by_group\nfrom lrsched.schedules import cosine",
            "scale_by_group(cosine(base_lr=1.0, min_lr=0.0, total_steps={total_steps}), multipliers={multipliers})",
            lambda a: CosineDecay(a.total_steps),
            rate='scheduler(t)["head"] * {base_lr}',
            fields={"multipliers": {"head": 1.0, "backbone": 0.1}},
            docs="docstring: each named group scales the LR by its multiplier",
        ),
    ),
)
