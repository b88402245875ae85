"""timm: classes whose step takes the number of the epoch or update that is next, as train.py calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference import (
    ConstantDecay,
    Convention,
    CosineDecay,
    Decay,
    LinearDecay,
    LinearWarmup,
    MultiStepDecay,
    PolynomialDecay,
    Schedule,
    StableDecay,
    StepDecay,
    TanhDecay,
    WarmRestartsDecay,
    WarmupDecay,
    per_epoch,
    sequential,
)
from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, ShapedDecay
from suite.libraries.core.library import Library, LibrarySchedule

#: The decay starts after the warmup (warmup_prefix=True), or runs from step 0 on, hidden by the warmup.
PREFIX, WITHIN = Convention("affine"), Convention("affine", clock="absolute")
#: As `WITHIN`, and the warmup ends where the decay is by then: tanh alone.
MEETING = Convention("affine", clock="meeting")

EPOCHS: dict[str, Any] = {"step": "scheduler.step(t + 1)", "resumed": "scheduler.step(t)"}
UPDATES: dict[str, Any] = {"step": "scheduler.step_update(t + 1)", "resumed": "scheduler.step_update(t)"}
WARM = {"warmup_lr_init": 0.0}
FLOOR = WARM | {"lr_min": 0.0}
STARTS = {"start": {"warmup_lr_init": 1e-5}}
FLOORS = STARTS | {"floor": {"lr_min": 1e-5}, "same": {"lr_min": 1e-5, "warmup_lr_init": 1e-5}}
OF_WARMUP = "warmup_t={warmup_steps}, warmup_lr_init={warmup_lr_init}"
OF_FLOOR = f"lr_min={{lr_min}}, {OF_WARMUP}"
FALLS = {"w4.5": "the LR falls where the warmup ends, so the cases of 4 and 5 steps do not enclose that of 4.5"}
NO_ROOM = dict.fromkeys(("w11", "w12"), "the decay of 4 steps has no room: the edge no-room")
EDGE = {"no-room": {"warmup_steps": 10}}
HSUEH = "docstring: hyperbolic-tangent decay (Hsueh et al. 2018)"
CREATE = "from timm.scheduler.scheduler_factory import create_scheduler_v2"
#: What is handed to create_scheduler_v2, whose default for warmup_lr is 1e-5.
OF_CREATE = "min_lr={lr_min}, warmup_epochs={warmup_steps}, warmup_lr={warmup_lr_init}"
RESTARTS = "docstring: cosine decay with restarts (SGDR); cycle_limit restarts in all, each cycle_decay times as high"
DOCS = "create_scheduler_v2: num_epochs excludes the warmup if warmup_prefix; the LR is held at min_lr after the end"


def _pair(a: Arguments, decay: Decay, convention: Convention) -> Schedule:
    return WarmupDecay(LinearWarmup(a.warmup_steps, a.warmup_lr_init / a.base_lr), decay, convention)


def _k_decay(a: Arguments, share: Callable[[Rates], Rates]) -> Decay:
    """The share of the LR that is left, on the clock p^k of Zhang et al. 2020."""
    return ShapedDecay(a.total_steps, lambda p: share(p**a.k_decay), a.lr_min)


def _cycles(a: Arguments) -> Schedule:
    """`cycle_limit` cosines after the warmup, then lr_min."""
    waves = WarmRestartsDecay(a.t_initial, a.cycle_mul, a.cycle_decay, "top", a.lr_min)
    end = a.warmup_steps + sum(a.t_initial * a.cycle_mul**i for i in range(a.cycle_limit))
    return sequential(_pair(a, waves, PREFIX), LinearDecay(0, a.lr_min), milestones=(end,))


def _wsd(a: Arguments) -> Schedule:
    shape = {"1-sqrt": "sqrt"}.get(a.decay_fn, a.decay_fn)
    return _pair(a, StableDecay(a.decay_steps - a.decay_t, a.decay_t, shape, a.lr_min), PREFIX)


def _wsd_falling(a: Arguments, scale: float, power: float) -> Schedule:
    """The stable phase falls as a power, and its value times a linear decay is the LR."""

    def lr(n: Steps, base: float) -> Rates:
        stable = np.maximum(base * (1.0 + n / scale) ** -power, a.lr_min)
        rest = np.clip((a.decay_steps - n) / a.decay_t, 0.0, 1.0)
        return np.asarray(a.lr_min + (stable - a.lr_min) * rest)

    warmup = LinearWarmup(a.warmup_steps, a.warmup_lr_init / a.base_lr)
    return sequential(warmup, Formula(lr), milestones=(a.warmup_steps,))


def _class(file: str, name: str, length: str, rest: str = "") -> tuple[str, str]:
    """The import of a scheduler and its call."""
    return f"from timm.scheduler.{file} import {name}", f"{name}(optimizer, {length}, {OF_FLOOR}{rest})"


COSINE = ("cosine_lr", "CosineLRScheduler")
TANH = ("tanh_lr", "TanhLRScheduler")
POLY = ("poly_lr", "PolyLRScheduler")
WSD = ("wsd_lr", "WSDLRScheduler")
WHOLE, AFTER = "t_initial={total_steps}", "t_initial={total_steps - warmup_steps}"

CLASSES = (
    LibrarySchedule(
        "cosine",
        *_class(*COSINE, WHOLE),
        lambda a: _pair(a, CosineDecay(a.total_steps, a.lr_min), WITHIN),
        fields=FLOOR, variants=FLOORS, left_out=FALLS, docs=DOCS, reading="timm-warmup-within", **EPOCHS,
    ),
    LibrarySchedule(
        "cosine-updates",
        *_class(*COSINE, WHOLE, ", t_in_epochs=False"),
        lambda a: _pair(a, CosineDecay(a.total_steps, a.lr_min), WITHIN),
        fields=FLOOR, left_out=FALLS, docs=DOCS, reading="timm-warmup-within", **UPDATES,
    ),
    LibrarySchedule(
        "cosine-per-epoch",
        *_class(*COSINE, WHOLE),
        lambda a: per_epoch(_pair(a, CosineDecay(a.total_steps, a.lr_min), WITHIN), 3),
        step="if (t + 1) % 3 == 0:\n    scheduler.step((t + 1) // 3)", resumed="scheduler.step(t // 3)",
        fields=FLOOR, docs="Scheduler: step is called at the end of each epoch", reading="timm-warmup-within",
    ),
    LibrarySchedule(
        "cosine-prefix",
        *_class(*COSINE, AFTER, ", warmup_prefix=True"),
        lambda a: _pair(a, CosineDecay(a.decay_steps, a.lr_min), PREFIX),
        fields=FLOOR, variants=FLOORS, docs=DOCS, **EPOCHS,
    ),
    LibrarySchedule(
        "cosine-k-decay",
        *_class(*COSINE, WHOLE, ", k_decay={k_decay}"),
        lambda a: _pair(a, _k_decay(a, lambda p: (1.0 + np.cos(np.pi * p)) / 2.0), WITHIN),
        fields=FLOOR | {"k_decay": 2.0}, variants={"k0.5": {"k_decay": 0.5}},
        docs="docstring: k-decay (Zhang et al. 2020)", reading="timm-warmup-within", **EPOCHS,
    ),
    LibrarySchedule(
        "cosine-cycles",
        *_class(
            *COSINE, "t_initial={t_initial}",
            ", warmup_prefix=True, cycle_mul={cycle_mul}, cycle_decay={cycle_decay}, cycle_limit={cycle_limit}",
        ),
        _cycles,
        fields=FLOOR | {"t_initial": 2, "cycle_mul": 2, "cycle_decay": 0.5, "cycle_limit": 2},
        variants={
            "floor": {"lr_min": 1e-5},
            "equal": {"cycle_mul": 1, "cycle_limit": 4},
            "long": {"t_initial": 1, "cycle_mul": 3, "cycle_limit": 6, "total_steps": 130},
        },
        left_out=FALLS | dict.fromkeys(("w11", "w12"), "the waves end after total_steps"),
        docs=RESTARTS, **EPOCHS,
    ),
    LibrarySchedule(
        "tanh",
        *_class(*TANH, WHOLE),
        lambda a: _pair(a, TanhDecay(a.total_steps, min_lr=a.lr_min), MEETING),
        fields=FLOOR, variants=FLOORS, docs=HSUEH, reading="timm-warmup-within", **EPOCHS,
    ),
    LibrarySchedule(
        "tanh-prefix",
        *_class(*TANH, AFTER, ", warmup_prefix=True, lb={lb}, ub={ub}"),
        lambda a: _pair(a, TanhDecay(a.decay_steps, a.lb, a.ub, a.lr_min), PREFIX),
        fields=FLOOR | {"lb": -7.0, "ub": 3.0}, variants=FLOORS | {"bounds": {"lb": -2.0, "ub": 2.0}},
        docs=HSUEH, **EPOCHS,
    ),
    LibrarySchedule(
        "poly",
        *_class(*POLY, WHOLE, ", power={power}"),
        lambda a: _pair(a, PolynomialDecay(a.total_steps, a.power, a.lr_min), WITHIN),
        fields=FLOOR | {"power": 0.5}, variants=FLOORS | {"power2": {"power": 2.0}}, left_out=FALLS,
        docs="docstring: polynomial with warmup", reading="timm-warmup-within", **EPOCHS,
    ),
    LibrarySchedule(
        "poly-prefix",
        *_class(*POLY, AFTER, ", power={power}, warmup_prefix=True, t_in_epochs=False"),
        lambda a: _pair(a, PolynomialDecay(a.decay_steps, a.power, a.lr_min), PREFIX),
        fields=FLOOR | {"power": 0.5}, variants=FLOORS, docs="as poly", **UPDATES,
    ),
    LibrarySchedule(
        "poly-k-decay",
        *_class(*POLY, WHOLE, ", power={power}, k_decay={k_decay}"),
        lambda a: _pair(a, _k_decay(a, lambda p: (1.0 - p) ** a.power), WITHIN),
        fields=FLOOR | {"power": 0.5, "k_decay": 2.0}, variants={"k0.5": {"k_decay": 0.5}},
        docs="docstring: k-decay (Zhang et al. 2020)", reading="timm-warmup-within", **EPOCHS,
    ),
    LibrarySchedule(
        "step",
        "from timm.scheduler.step_lr import StepLRScheduler",
        f"StepLRScheduler(optimizer, decay_t=3, decay_rate={{decay_rate}}, {OF_WARMUP})",
        lambda a: _pair(a, StepDecay(3, a.decay_rate), PREFIX),
        fields=WARM | {"decay_rate": 0.5}, variants=STARTS,
        docs="arguments: warmup_prefix is True", **EPOCHS,
    ),
    LibrarySchedule(
        "multistep",
        "from timm.scheduler.multistep_lr import MultiStepLRScheduler",
        f"MultiStepLRScheduler(optimizer, decay_t=[3, 6], decay_rate={{decay_rate}}, {OF_WARMUP})",
        lambda a: _pair(a, MultiStepDecay((2, 5), a.decay_rate), PREFIX),
        fields=WARM | {"decay_rate": 0.5}, variants=STARTS,
        docs="docstring: milestones are compared against t + 1, so a milestone of 10 applies at schedule index 9",
        reading="timm-milestones", **EPOCHS,
    ),
    LibrarySchedule(
        "wsd",
        *_class(*WSD, AFTER, ", decay_t={decay_t}, decay_fn={decay_fn}"),
        _wsd,
        fields=FLOOR | {"decay_t": 4, "decay_fn": "1-sqrt"},
        variants=FLOORS | {"linear": {"decay_fn": "linear"}, "cosine": {"decay_fn": "cosine"}, "all": {"decay_t": 8}},
        edges=EDGE, left_out=NO_ROOM, docs="docstring of WSDLRScheduler", **EPOCHS,
    ),
    LibrarySchedule(
        "wsd-power",
        *_class(
            *WSD, AFTER,
            ", decay_t={decay_t}, stable_fn='power', stable_timescale=2, stable_power={power}, decay_fn='linear'",
        ),
        lambda a: _wsd_falling(a, 2.0, a.power),
        fields=FLOOR | {"decay_t": 4, "power": 0.7}, variants=FLOORS | {"high-floor": {"lr_min": 2e-4}},
        edges=EDGE, left_out=NO_ROOM, docs="docstring: lr_min + (base * stable - lr_min) * decay", **EPOCHS,
    ),
    LibrarySchedule(
        "create-cosine",
        CREATE,
        f"create_scheduler_v2(optimizer, 'cosine', num_epochs={{total_steps}}, {OF_CREATE})[0]",
        lambda a: _pair(a, CosineDecay(a.total_steps, a.lr_min), WITHIN),
        fields=FLOOR, variants=FLOORS, left_out=FALLS, docs=DOCS, reading="timm-warmup-within", **EPOCHS,
    ),
    LibrarySchedule(
        "create-cosine-updates",
        CREATE,
        "create_scheduler_v2(optimizer, 'cosine', num_epochs={(total_steps - warmup_steps) / 2}, min_lr={lr_min}, "
        "warmup_epochs={warmup_steps / 2}, warmup_lr={warmup_lr_init}, warmup_prefix=True, step_on_epochs=False, "
        "updates_per_epoch=2)[0]",
        lambda a: _pair(a, CosineDecay(a.decay_steps, a.lr_min), PREFIX),
        fields=FLOOR, variants=FLOORS, docs=DOCS, **UPDATES,
    ),
    LibrarySchedule(
        "create-tanh",
        CREATE,
        f"create_scheduler_v2(optimizer, 'tanh', num_epochs={{decay_steps}}, {OF_CREATE}, warmup_prefix=True)[0]",
        lambda a: _pair(a, TanhDecay(a.decay_steps, min_lr=a.lr_min), PREFIX),
        fields=FLOOR, variants=FLOORS, docs=DOCS, **EPOCHS,
    ),
    LibrarySchedule(
        "create-poly",
        CREATE,
        f"create_scheduler_v2(optimizer, 'poly', num_epochs={{decay_steps}}, decay_rate={{power}}, {OF_CREATE}, "
        "warmup_prefix=True)[0]",
        lambda a: _pair(a, PolynomialDecay(a.decay_steps, a.power, a.lr_min), PREFIX),
        fields=FLOOR | {"power": 2.0}, variants=FLOORS,
        docs="create_scheduler_v2: decay_rate is the polynomial power", **EPOCHS,
    ),
    LibrarySchedule(
        "create-step",
        CREATE,
        "create_scheduler_v2(optimizer, 'step', num_epochs={total_steps}, decay_epochs=3, decay_rate=0.5, "
        "warmup_epochs={warmup_steps}, warmup_lr={warmup_lr_init}, warmup_prefix=True)[0]",
        lambda a: _pair(a, StepDecay(3, 0.5), PREFIX),
        fields=WARM, variants=STARTS, docs=DOCS, **EPOCHS,
    ),
    LibrarySchedule(
        "create-multistep",
        CREATE,
        "create_scheduler_v2(optimizer, 'multistep', num_epochs={total_steps}, decay_milestones=[6, 9], "
        "decay_rate=0.5, warmup_epochs={warmup_steps}, warmup_lr={warmup_lr_init})[0]",
        lambda a: _pair(a, MultiStepDecay((5, 8), 0.5), WITHIN),
        fields=WARM, docs=DOCS, reading="timm-milestones", **EPOCHS,
    ),
    LibrarySchedule(
        "create-constant",
        CREATE,
        "create_scheduler_v2(optimizer, 'constant', num_epochs={total_steps}, warmup_epochs={warmup_steps}, "
        "warmup_lr={warmup_lr_init})[0]",
        lambda a: _pair(a, ConstantDecay(), PREFIX),
        fields=WARM, docs="create_scheduler_v2: 'constant' holds the lr after the warmup", **EPOCHS,
    ),
    LibrarySchedule(
        "create-wsd",
        CREATE,
        f"create_scheduler_v2(optimizer, 'wsd', num_epochs={{total_steps}}, decay_epochs={{decay_t}}, {OF_CREATE})[0]",
        _wsd,
        fields=FLOOR | {"decay_t": 4, "decay_fn": "1-sqrt"}, variants=FLOORS, edges=EDGE, left_out=NO_ROOM,
        docs=DOCS, **EPOCHS,
    ),
    LibrarySchedule(
        "create-rsqrt",
        CREATE,
        f"create_scheduler_v2(optimizer, 'rsqrt', num_epochs={{total_steps}}, decay_epochs=4, {OF_CREATE})[0]",
        lambda a: _wsd_falling(a, a.warmup_steps, 0.5),
        fields=FLOOR | {"decay_t": 4}, variants=FLOORS,
        edges=EDGE, left_out=NO_ROOM | {"w0": "the timescale is the warmup, and 0 is refused"}, docs=DOCS, **EPOCHS,
    ),
)  # fmt: skip

LIBRARY = Library(
    "timm",
    project="timm",
    files=("timm/scheduler/*.py",),
    releases=("0.1.30", "0.4.12", "0.5.4", "0.6.13", "0.9.0", "1.0.15", "1.0.31"),
    schedules=CLASSES,
)
