"""diffusers: functions that return a LambdaLR; its example scripts step it after each update."""

from __future__ import annotations

import itertools

from reference import (
    ConstantDecay,
    Convention,
    CosineDecay,
    CosineRestartsDecay,
    LinearDecay,
    LinearWarmup,
    PiecewiseDecay,
    PolynomialDecay,
    Schedule,
    WarmupDecay,
    family,
    sequential,
)
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.library import Library, LibrarySchedule

FROM = "from diffusers.optimization import "


def _cosine(a: Arguments) -> Schedule:
    """Half a wave, or `num_cycles` whole ones, which end where they began."""
    rising = LinearWarmup(a.warmup_steps)
    if a.num_cycles == 0.5:
        return family("A", rising, CosineDecay(a.decay_steps))
    waves = WarmupDecay(rising, CosineDecay(a.decay_steps // (2 * a.num_cycles)), Convention(past_end="periodic"))
    return sequential(waves, ConstantDecay(), milestones=[a.total_steps])


def _pieces(a: Arguments) -> Schedule:
    """Each rule but the last is a factor and the number of steps that it is used for."""
    *rules, last = a.step_rules.split(",")
    factors, lengths = zip(*(rule.split(":") for rule in rules), strict=True)
    ends = itertools.accumulate(map(int, lengths))
    return PiecewiseDecay(tuple(ends), (*map(float, factors[1:]), float(last)))


LIBRARY = Library(
    "diffusers",
    project="diffusers",
    files=("diffusers/optimization.py",),
    releases=("0.3.0", "0.9.0", "0.18.2", "0.30.0", "0.36.0", "0.42.1"),
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
            "piecewise_constant",
            FROM + "get_piecewise_constant_schedule",
            "get_piecewise_constant_schedule(optimizer, step_rules={step_rules})",
            _pieces,
            fields={"step_rules": "1:3,0.5:6,0.1"},
            variants={"four": {"step_rules": "1:2,0.5:3,0.2:4,0.1"}},
            docs="docstring: '1:10,0.1:20,0.01:30,0.005' is 1 for the first 10 steps, 0.1 for the next 20, 0.01 for "
            "the next 30 and 0.005 for the others",
        ),
        LibrarySchedule(
            "linear",
            FROM + "get_linear_schedule_with_warmup",
            "get_linear_schedule_with_warmup(optimizer, {warmup_steps}, {total_steps})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), LinearDecay(a.decay_steps)),
            docs="docstring: decreases linearly to 0, after a warmup in which it increases linearly from 0",
        ),
        LibrarySchedule(
            "linear-f_min",
            FROM + "get_linear_schedule_with_warmup",
            "get_linear_schedule_with_warmup(optimizer, {warmup_steps}, {total_steps}, f_min={f_min})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), LinearDecay(a.decay_steps, a.f_min * a.base_lr)),
            fields={"f_min": 0.1},
            docs="docstring: f_min is the floor of the decay, as a multiple of the initial LR",
        ),
        LibrarySchedule(
            "cosine",
            FROM + "get_cosine_schedule_with_warmup",
            "get_cosine_schedule_with_warmup(optimizer, {warmup_steps}, {total_steps}, num_cycles={num_cycles})",
            _cosine,
            fields={"num_cycles": 0.5},
            variants={"cycles1": {"num_cycles": 1}, "cycles2": {"num_cycles": 2}},
            docs="docstring: follows the cosine function to 0 after a linear warmup from 0; num_cycles is the number "
            "of periods",
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
            "get_polynomial_decay_schedule_with_warmup("
            "optimizer, {warmup_steps}, {total_steps}, lr_end={lr_end}, power={power})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), PolynomialDecay(a.decay_steps, a.power, a.lr_end)),
            fields={"lr_end": 1e-7, "power": 1.0},
            variants={"power2": {"power": 2.0}, "end3e-5": {"lr_end": 3e-5}},
            docs="docstring: a polynomial decay to lr_end, which is an LR, after a linear warmup from 0",
            reading="floor-is-an-lr",
        ),
    ),
)
