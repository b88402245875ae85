"""PaddleNLP: schedulers that Paddle's optimizers ask for the LR, and its Trainer's functions, once transformers'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reference import (
    ConstantDecay,
    CosineDecay,
    CosineRestartsDecay,
    Decay,
    InverseSqrtDecay,
    LinearDecay,
    LinearWarmup,
    PolynomialDecay,
    Schedule,
    family,
)
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.library import Library, LibrarySchedule

#: A scheduler is stepped after each update, and asked for the LR.
STEP = """def lr_at(t):
    if t:
        scheduler.step()
    return scheduler()"""
#: A float is documented as a share of total_steps.
WARMUP = "{warmup_steps if share is None else share}"
SHARE = {"share": {"share": 0.25, "warmup_steps": 3}}
NOT_A_LENGTH = {"w4.5": "a warmup that is a float is a share of total_steps"}
RAMP = "docstring: from 0 to learning_rate, then "


def _family(a: Arguments, decay: Decay) -> Schedule:
    return family("A", LinearWarmup(a.warmup_steps), decay)


def _cosine(a: Arguments) -> Schedule:
    cycles = a.num_cycles if a.restarts and a.num_cycles else 1
    return _family(a, CosineRestartsDecay(a.decay_steps, int(cycles)) if cycles > 1 else CosineDecay(a.decay_steps))


def _scheduler(
    name: str,
    call: str,
    reference: Callable[[Arguments], Schedule],
    docs: str,
    fields: Mapping[str, object] = {},  # never changed
    **more: Any,
) -> LibrarySchedule:
    """A class of paddlenlp.transformers, or a function of its Trainer."""
    module = "trainer.trainer_utils" if call.startswith("get_") else "transformers.optimization"
    imports = f"from paddlenlp.{more.pop('module', module)} import {call.partition('(')[0]}"
    return LibrarySchedule(
        name, imports, call, reference, setup=STEP, rate="lr_at(t)", fields=fields, docs=docs, **more
    )


LIBRARY = Library(
    "paddlenlp",
    project="paddlenlp",
    files=(
        "paddlenlp/transformers/optimization.py",
        "paddlenlp/ops/optimizer/lr.py",
        "paddlenlp/trainer/trainer_utils.py",
    ),
    stand_ins={"paddle.optimizer.lr": "suite.libraries.sandbox.paddle_lr"},
    releases=("2.0.0", "2.1.1", "2.3.7", "2.5.2", "2.8.1"),
    schedules=(
        _scheduler(
            "linear",
            f"LinearDecayWithWarmup({{base_lr}}, {{total_steps}}, {WARMUP})",
            lambda a: _family(a, LinearDecay(a.decay_steps)),
            RAMP + "linearly to 0",
            {"share": None},
            variants=SHARE,
            left_out=NOT_A_LENGTH,
        ),
        _scheduler(
            "constant-warmup",
            f"ConstScheduleWithWarmup({{base_lr}}, {WARMUP}, {{total_steps}})",
            lambda a: _family(a, ConstantDecay()),
            RAMP + "constant",
            {"share": None},
            variants=SHARE,
            left_out=NOT_A_LENGTH,
        ),
        _scheduler(
            "cosine",
            f"CosineDecayWithWarmup({{base_lr}}, {{total_steps}}, {WARMUP}, {{restarts}}, {{num_cycles}})",
            _cosine,
            RAMP + "decreased following the values of the cosine function; with several hard restarts if asked for",
            {"share": None, "restarts": False, "num_cycles": None},
            variants=SHARE | {"restarts": {"restarts": True}, "two": {"restarts": True, "num_cycles": 2.0}},
            left_out=NOT_A_LENGTH,
        ),
        _scheduler(
            "polynomial",
            f"PolyDecayWithWarmup({{base_lr}}, {{total_steps}}, {WARMUP}, {{lr_end}}, {{power}})",
            lambda a: _family(a, PolynomialDecay(a.decay_steps, a.power, a.lr_end)),
            RAMP + "as a polynomial to lr_end",
            {"share": None, "lr_end": 1e-7, "power": 1.0},
            variants=SHARE | {"square": {"power": 2.0}},
            left_out=NOT_A_LENGTH,
        ),
        _scheduler(
            "cosine-annealing",
            "CosineAnnealingWithWarmupDecay({base_lr}, {min_lr}, {warmup_steps}, {total_steps})",
            lambda a: _family(a, CosineDecay(a.decay_steps, a.min_lr)),
            "argument names: max_lr, min_lr, warmup_step, decay_step",
            {"min_lr": 0.0},
            variants={"floor": {"min_lr": 1e-5}},
            reading="paddlenlp-decay-step",
        ),
        _scheduler(
            "linear-annealing",
            "LinearAnnealingWithWarmupDecay({base_lr}, {min_lr}, {warmup_steps}, {total_steps})",
            lambda a: _family(a, LinearDecay(a.decay_steps, a.min_lr)),
            "argument names: max_lr, min_lr, warmup_step, decay_step",
            {"min_lr": 0.0},
            variants={"floor": {"min_lr": 1e-5}},
            reading="paddlenlp-decay-step",
        ),
        _scheduler(
            "inverse-sqrt",
            "InverseSquareRootSchedule({warmup_steps}, {base_lr})",
            lambda a: _family(a, InverseSqrtDecay(a.warmup_steps)),
            "docstring: a linear warmup, then proportional to the inverse square root of the number of updates",
            module="ops.optimizer.lr",
        ),
        _scheduler(
            "trainer-constant",
            "get_constant_schedule({base_lr})",
            lambda a: ConstantDecay(),
            "docstring: a constant learning rate",
        ),
        _scheduler(
            "trainer-constant-warmup",
            "get_constant_schedule_with_warmup({base_lr}, {warmup_steps})",
            lambda a: _family(a, ConstantDecay()),
            "docstring: constant, after a warmup that increases linearly from 0",
        ),
        _scheduler(
            "trainer-linear",
            "get_linear_schedule_with_warmup({base_lr}, {warmup_steps}, {total_steps})",
            lambda a: _family(a, LinearDecay(a.decay_steps)),
            "docstring: decreases linearly to 0, after a warmup that increases linearly from 0",
        ),
        _scheduler(
            "trainer-cosine",
            "get_cosine_schedule_with_warmup({base_lr}, {warmup_steps}, {total_steps})",
            lambda a: _family(a, CosineDecay(a.decay_steps)),
            "docstring: just decreases to 0 following a half-cosine, after a linear warmup from 0",
        ),
        _scheduler(
            "trainer-polynomial",
            "get_polynomial_decay_schedule_with_warmup({base_lr}, {warmup_steps}, {total_steps}, {lr_end}, {power})",
            lambda a: _family(a, PolynomialDecay(a.decay_steps, a.power, a.lr_end)),
            "docstring: as a polynomial to lr_end, after a linear warmup from 0",
            {"lr_end": 1e-7, "power": 1.0},
            variants={"square": {"power": 2.0}},
        ),
    ),
)
