"""pytorch-warmup: a factor on the LR of another scheduler, which is stepped inside ``with scheduler.dampening()``."""

from __future__ import annotations

import dataclasses

import numpy as np

from reference import (
    CosineAnnealingLR,
    RAdamWarmup,
    Schedule,
    UntunedLinearWarmup,
)
from reference.check import integer, real
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, RateFunction, then
from suite.libraries.core.library import Library, LibrarySchedule

ADAM = "torch.optim.AdamW({groups}, lr={lr}, betas=(0.9, {beta2}))"
#: The first as in the documentation; for the others 2/(1 - beta2) is 20 and 200.
BETAS = {"beta0.9": {"beta2": 0.9}, "beta0.99": {"beta2": 0.99}}
LATE_COSINE = "lr_scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max={max(1, decay_steps)})"
LATE_STEP = """with scheduler.dampening():
    if scheduler.last_step + 1 >= {warmup_steps}:
        lr_scheduler.step()"""


def _dampened(weights: RateFunction, a: Arguments) -> Schedule:
    """Family G with torch's cosine, which is documented to rise again."""
    wave = CosineAnnealingLR(a.total_steps)
    return Formula(lambda t, base: weights(t, 1.0) * wave(t, base))


def _linear(period: int) -> RateFunction:
    steps = integer("warmup_period", period, 1)
    return lambda t, base: np.minimum(1.0, (t + 1.0) / steps)


def _exponential(period: float) -> RateFunction:
    real("warmup_period", period, above=0.0)
    return lambda t, base: -np.expm1(-(t + 1.0) / period)


def _radam(a: Arguments) -> Schedule:
    """The factor of RAdam, from the first update that it rectifies on."""
    warmup = RAdamWarmup(a.beta2)
    offset = int(np.argmax(warmup(np.arange(100)) > 0))
    return _dampened(lambda t, base: warmup(t + offset), a)


def _delayed(a: Arguments) -> Schedule:
    """Family C; the cosine is torch's."""
    wave, rising = CosineAnnealingLR(max(1, a.decay_steps)), _linear(a.warmup_steps)
    return then(lambda t, base: base * rising(t, base), a.warmup_steps, lambda n, base: wave(n + 1, base))


DAMPENED = LibrarySchedule(
    "linear",
    "import torch\nfrom pytorch_warmup.base import LinearWarmup",
    "LinearWarmup(optimizer, warmup_period={warmup_steps})",
    lambda a: _dampened(_linear(a.warmup_steps), a),
    setup="lr_scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max={total_steps})",
    step="with scheduler.dampening():\n    lr_scheduler.step()",
    state=(
        "(lr_scheduler.state_dict(), scheduler.state_dict())",
        "(lr_scheduler.load_state_dict(saved[0]), scheduler.load_state_dict(saved[1]))",
    ),
    docs="docstring: min(1, t / period) at iteration t, from 1; README: the LR of the scheduler times the factor",
)
UNTUNED = dataclasses.replace(DAMPENED, optimizer=ADAM, fields={"beta2": 0.999}, variants=BETAS)

LIBRARY = Library(
    "pytorch-warmup",
    project="pytorch-warmup",
    files=("pytorch_warmup/base.py", "pytorch_warmup/untuned.py", "pytorch_warmup/radam.py"),
    releases=("0.0.3", "0.0.4", "0.1.1", "0.2.0"),
    schedules=(
        DAMPENED,
        dataclasses.replace(
            DAMPENED,
            name="exponential",
            imports="import torch\nfrom pytorch_warmup.base import ExponentialWarmup",
            call="ExponentialWarmup(optimizer, warmup_period={warmup_steps})",
            reference=lambda a: _dampened(_exponential(a.warmup_steps), a),
            docs="docstring: 1 - exp(-t / period) at iteration t, from 1",
        ),
        dataclasses.replace(
            UNTUNED,
            name="untuned-linear",
            imports="import torch\nfrom pytorch_warmup.untuned import UntunedLinearWarmup",
            call="UntunedLinearWarmup(optimizer)",
            reference=lambda a: _dampened(UntunedLinearWarmup(a.beta2), a),
            docs="README: linear, warmup_period = 2 / (1 - beta2); Ma & Yarats 2021, section 5",
        ),
        dataclasses.replace(
            UNTUNED,
            name="untuned-exponential",
            imports="import torch\nfrom pytorch_warmup.untuned import UntunedExponentialWarmup",
            call="UntunedExponentialWarmup(optimizer)",
            reference=lambda a: _dampened(_exponential(1.0 / (1.0 - a.beta2)), a),
            docs="docstring: 1 - exp(-(1 - beta2) t); README: warmup_period = 1 / (1 - beta2)",
        ),
        dataclasses.replace(
            UNTUNED,
            name="radam",
            imports="import torch\nfrom pytorch_warmup.radam import RAdamWarmup",
            call="RAdamWarmup(optimizer)",
            reference=_radam,
            fields={"beta2": 0.9},  # with 0.999 the formula of the docstring loses four digits to cancellation
            variants={"beta0.99": {"beta2": 0.99}},
            docs="docstring: the factor of RAdam at t + d - 1, where d is the first t with rho_t > 4",
        ),
        dataclasses.replace(
            DAMPENED,
            name="linear-then-cosine",
            setup=LATE_COSINE,
            step=LATE_STEP,
            reference=_delayed,
            docs="README: the learning rate schedule is delayed by the warmup period",
        ),
        dataclasses.replace(
            DAMPENED,
            name="linear-dampen",
            step="lr_scheduler.step(lr_scheduler.last_epoch + 1)\nscheduler.dampen()",
            docs="README of 0.0.4, the loop before dampening() existed",
        ),
    ),
)
