"""NeMo: torch schedulers with a warmup of (t + 1)/(W + 1), stepped after each update."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from reference import (
    ConstantDecay,
    CosineDecay,
    Decay,
    InverseSqrtDecay,
    LinearWarmup,
    Noam,
    PolynomialDecay,
    Schedule,
    StableDecay,
    family,
)
from reference.check import Rates, Steps, integer
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, ShapedDecay
from suite.libraries.core.library import Library, LibrarySchedule, Numbers

FLOOR: dict[str, object] = {"min_lr": 3e-5}
#: One is reached before the end of a slow decay from the small base LR.
FLOORS: dict[str, Numbers] = {"floor0": {"min_lr": 0.0}, "floor2e-4": {"min_lr": 2e-4}}
HOLD: dict[str, object] = {"hold_steps": 2, "excess": 0, **FLOOR}
#: Not to hold, as a number and as the default.
HOLDS: dict[str, Numbers] = {"hold0": {"hold_steps": 0}, "nohold": {"hold_steps": None}, **FLOORS}
LONGER = {"longer": {"excess": 8}}
WARMED = "warmup_steps={warmup_steps}, max_steps={total_steps}, min_lr={min_lr}"
HELD = f"{WARMED}, hold_steps={{hold_steps and min(hold_steps, decay_steps) + excess}}"
#: A schedule without a length.
ENDLESS = {"bounded": True}, {"endless": {"bounded": False}}
UNTIL = "warmup_steps={warmup_steps}, max_steps={total_steps if bounded else None}"


def _warmed(a: Arguments, decay: Decay) -> Schedule:
    return family("F", LinearWarmup(a.warmup_steps), decay)


def _at_least(a: Arguments, schedule: Schedule) -> Schedule:
    """The schedule, which after the warmup stops at a floor that is not a part of its formula."""
    return Formula(
        lambda t, base: np.where(t > a.warmup_steps, np.maximum(schedule(t, base), a.min_lr), schedule(t, base))
    )


def _held(a: Arguments) -> int:
    return int(min(a.hold_steps or 0, a.decay_steps))


def _cosine(a: Arguments) -> Schedule:
    """With constant_steps as in Megatron-LM: a warmup of t/W, and a decay that is over as much earlier."""
    if not a.constant_steps:
        return _warmed(a, CosineDecay(a.decay_steps, a.min_lr))
    falling = CosineDecay(max(a.decay_steps - a.constant_steps, 0), a.min_lr)
    return family("A", LinearWarmup(a.warmup_steps), falling)


def _noam_hold(a: Arguments) -> Schedule:
    """Noam's decay to a power of its own, later by the steps of the hold."""
    warmup, hold = integer("warmup_steps", a.warmup_steps, 1), _held(a)

    def formula(t: Steps, base: float) -> Rates:
        falling = np.minimum(1.0, (warmup / np.maximum(t - hold, 1)) ** a.decay_rate)
        return np.asarray(base * np.where(t < warmup, (t + 1) / (warmup + 1), falling))

    return _at_least(a, Formula(formula))


def _t5(a: Arguments) -> Schedule:
    steps = a.constant_steps or int(a.constant_ratio * a.total_steps)
    return Formula(lambda t, base: base / np.sqrt(np.maximum(t, steps)))


def _policy(
    name: str,
    call: str,
    reference: Callable[[Arguments], Schedule],
    docs: str,
    fields: Numbers = FLOOR,
    variants: Mapping[str, Numbers] = FLOORS,
    edges: Mapping[str, Numbers] | None = None,
) -> LibrarySchedule:
    return LibrarySchedule(
        name,
        f"from nemo.core.optim.lr_scheduler import {name}",
        f"{name}(optimizer, {call})",
        reference,
        fields=fields,
        variants=variants,
        edges=edges or {},
        docs=docs,
        reading="nemo-warmup",
    )


LIBRARY = Library(
    "nemo",
    project="nemo-toolkit",
    files=("nemo/core/optim/lr_scheduler.py",),
    releases=("1.0.0", "1.10.0", "1.14.0", "1.20.0", "2.0.0", "2.4.0", "2.7.3", "3.0.0"),
    schedules=(
        _policy(
            "WarmupPolicy",
            UNTIL,
            lambda a: _warmed(a, ConstantDecay()),
            "docstring: adds a warmup; max_steps is the total number of steps, or None for infinite training",
            *ENDLESS,
        ),
        _policy(
            "WarmupHoldPolicy",
            f"{UNTIL}, hold_steps={{max(0, min(2, decay_steps))}}",
            lambda a: _warmed(a, ConstantDecay()),
            "docstring: WarmupPolicy which maintains a high LR for hold_steps; max_steps may be None",
            *ENDLESS,
        ),
        _policy(
            "SquareAnnealing",
            WARMED,
            lambda a: _at_least(a, _warmed(a, PolynomialDecay(a.decay_steps, 2.0))),
            "name and arguments: the square of what is left after the warmup, not below min_lr",
        ),
        _policy(
            "SquareRootAnnealing",
            WARMED,
            lambda a: _at_least(a, _warmed(a, PolynomialDecay(a.decay_steps, 0.5))),
            "name and arguments: the square root of what is left after the warmup, not below min_lr",
        ),
        _policy(
            "CosineAnnealing",
            f"{WARMED}, constant_steps={{constant_steps}}",
            _cosine,
            "docstring of its base: constant_steps at min_lr after the decay; comment: then a warmup as in Megatron-LM",
            FLOOR | {"constant_steps": 0},
            FLOORS | {"constant2": {"constant_steps": 2}},
            {"longer": {"constant_steps": 10}},
        ),
        dataclasses.replace(
            _policy(
                "CosineAnnealing",
                "warmup_ratio={warmup_steps / total_steps}, max_steps={total_steps}, min_lr={min_lr}",
                lambda a: _warmed(a, CosineDecay(a.decay_steps, a.min_lr)),
                "docstring of its base: warmup_ratio is the ratio of warmup steps to total steps",
                variants={"of100": {"warmup_steps": 29, "total_steps": 100}},
            ),
            name="CosineAnnealing-warmup_ratio",
        ),
        _policy(
            "NoamAnnealing",
            f"d_model={{d_model}}, {WARMED}",
            lambda a: _at_least(a, Noam(a.warmup_steps, a.d_model, count="max_one")),
            "Attention Is All You Need, equation 3; the documentation gives no other formula",
            FLOOR | {"d_model": 4},
        ),
        _policy(
            "NoamHoldAnnealing",
            f"{HELD}, decay_rate={{decay_rate}}",
            _noam_hold,
            "docstring: linear warmup to the LR, hold, then a polynomial decay in which 0.5 is Noam's",
            HOLD | {"decay_rate": 0.5},
            HOLDS | {"rate1": {"decay_rate": 1.0}},
            LONGER,
        ),
        _policy(
            "WarmupHoldAnnealOneMinusSquareRoot",
            HELD,
            lambda a: _at_least(a, _warmed(a, StableDecay(_held(a), a.decay_steps - _held(a), "sqrt"))),
            "docstring: warmup, hold, then base_lr * (1 - sqrt(progress)), not below min_lr",
            HOLD,
            HOLDS,
            LONGER,
        ),
        _policy(
            "WarmupHoldAnnealLinear",
            HELD,
            lambda a: _warmed(a, StableDecay(_held(a), a.decay_steps - _held(a), "linear", a.min_lr)),
            "docstring: warmup, hold, then linearly from base_lr to min_lr",
            HOLD,
            HOLDS,
            LONGER,
        ),
        _policy(
            "WarmupAnnealing",
            WARMED,
            lambda a: _warmed(a, StableDecay(0, a.decay_steps, "linear", a.min_lr)),
            "name and arguments: linearly to min_lr at max_steps (pull request 3400)",
        ),
        _policy(
            "InverseSquareRootAnnealing",
            WARMED,
            lambda a: _at_least(a, _warmed(a, InverseSqrtDecay(a.warmup_steps + 1))),
            "name and arguments: the inverse square root with the time scale of the warmup, not below min_lr",
        ),
        _policy(
            "T5InverseSquareRootAnnealing",
            "constant_steps={constant_steps}, constant_ratio={constant_ratio}, max_steps={total_steps}",
            _t5,
            "Raffel et al. 2020 (T5), section 3.1.2: 1/sqrt(max(n, k)), times the LR; k as a number or a ratio",
            {"constant_steps": 4, "constant_ratio": None},
            {"ratio": {"constant_steps": None, "constant_ratio": 0.34}},
        ),
        _policy(
            "PolynomialDecayAnnealing",
            f"{WARMED}, power={{power}}",
            lambda a: _warmed(a, PolynomialDecay(a.decay_steps, a.power, a.min_lr)),
            "name and arguments: a power of what is left after the warmup, down to min_lr",
            FLOOR | {"power": 1.0},
            FLOORS | {"power2": {"power": 2.0}},
        ),
        _policy(
            "PolynomialHoldDecayAnnealing",
            f"{HELD}, power={{power}}",
            lambda a: _warmed(
                a, ShapedDecay(a.decay_steps - _held(a), lambda p: (1.0 - p) ** a.power, a.min_lr, _held(a))
            ),
            "name and arguments: hold_steps after the warmup, then a power of what is left, down to min_lr",
            HOLD | {"power": 1.0},
            HOLDS | {"power2": {"power": 2.0}},
            LONGER,
        ),
    ),
)
