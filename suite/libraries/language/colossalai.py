"""Colossal-AI: torch's schedulers with total_steps as the first argument, and forms with a warmup before them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reference import (
    CosineAnnealingLR,
    CosineDecay,
    Decay,
    ExponentialLR,
    LinearDecay,
    LinearWarmup,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialDecay,
    Schedule,
    StableDecay,
    StepLR,
    family,
)
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, then
from suite.libraries.core.library import Library, LibrarySchedule

FLOOR = {"floor": {"eta_min": 1e-5}}


def _own(
    where: str,
    name: str,
    arguments: str,
    reference: Callable[[Arguments], Schedule],
    fields: Mapping[str, object],
    docs: str,
    **more: Any,
) -> LibrarySchedule:
    """A class that takes the optimizer and total_steps, then `arguments`; `where` is its module and its name."""
    module, cls = where.split(":")
    imports = f"from colossalai.nn.lr_scheduler.{module} import {cls}"
    call = f"{cls}(optimizer, {{total_steps}}{arguments})"
    return LibrarySchedule(name, imports, call, reference, fields=fields, docs=docs, **more)


def _warmed_up(a: Arguments, decay: Decay) -> Schedule:
    """Family B."""
    return family("B", LinearWarmup(a.warmup_steps), decay)


def _flat(a: Arguments, steps: int) -> Decay:
    flat = int(steps * a.pct_start)
    return StableDecay(flat, steps - flat, "cosine", a.eta_min)


def _milestones(a: Arguments) -> Schedule:
    """A warmup, then a tenth from each milestone on, which are counted from the first step of the run."""
    steps, drops = LinearWarmup(a.warmup_steps), MultiStepLR((6, 9))
    rising = family("B", steps, StableDecay(1, 1))
    return then(rising, a.warmup_steps, lambda n, base: drops(n + a.warmup_steps, base))


LIBRARY = Library(
    "colossalai",
    project="colossalai",
    files=("colossalai/nn/lr_scheduler/*.py",),
    stand_ins={"packaging.version": "suite.libraries.sandbox.packaging_version"},
    sdist=True,
    releases=("0.2.0", "0.3.0", "0.3.3", "0.3.4", "0.3.5", "0.5.0"),
    schedules=(
        _own(
            "cosine:CosineAnnealingLR",
            "cosine",
            ", eta_min={eta_min}",
            lambda a: CosineAnnealingLR(a.total_steps, a.eta_min),
            {"eta_min": 0.0},
            "docstring: the formula of torch, which rises again after total_steps",
            variants=FLOOR,
        ),
        _own(
            "cosine:CosineAnnealingWarmupLR",
            "cosine-warmup",
            ", warmup_steps={warmup_steps}, eta_min={eta_min}",
            lambda a: _warmed_up(a, CosineDecay(a.decay_steps, a.eta_min)),
            {"eta_min": 0.0},
            "docstring: a linear warmup, cosine annealing to eta_min in total_steps",
            variants=FLOOR,
            reading="colossalai-first-step",
        ),
        _own(
            "cosine:FlatAnnealingLR",
            "flat-cosine",
            ", pct_start={pct_start}",
            lambda a: _flat(a, a.total_steps),
            {"pct_start": 0.72, "eta_min": 0.0},
            "docstring: a fixed value for pct_start of the steps, then cosine annealing",
            variants={"all-flat": {"pct_start": 1.0}, "not-flat": {"pct_start": 0.0}},
        ),
        _own(
            "cosine:FlatAnnealingWarmupLR",
            "flat-cosine-warmup",
            ", warmup_steps={warmup_steps}, pct_start={pct_start}, eta_min={eta_min}",
            lambda a: _warmed_up(a, _flat(a, a.decay_steps)),
            {"pct_start": 0.72, "eta_min": 0.0},
            "docstring: a linear warmup, then a fixed value for pct_start, then cosine annealing",
            variants=FLOOR | {"not-flat": {"pct_start": 0.0}},
            reading="colossalai-first-step",
        ),
        _own(
            "linear:LinearWarmupLR",
            "linear-warmup",
            ", warmup_steps={warmup_steps}",
            lambda a: family("F", LinearWarmup(a.warmup_steps), LinearDecay(a.decay_steps)),
            {},
            "docstring: linearly warmup learning rate and then linearly decay",
            reading="colossalai-first-step",
        ),
        _own(
            "multistep:MultiStepLR",
            "multi-step",
            ", milestones=[6, 9], gamma=0.1",
            lambda a: MultiStepLR((6, 9)),
            {},
            "docstring: by gamma once the number of epoch reaches one of the milestones",
        ),
        _own(
            "multistep:MultiStepWarmupLR",
            "multi-step-warmup",
            ", warmup_steps={warmup_steps}, milestones=[6, 9], gamma=0.1",
            _milestones,
            {},
            "docstring: multistep with warmup; milestones are epoch indices",
            reading="colossalai-first-step",
        ),
        _own(
            "poly:PolynomialLR",
            "polynomial",
            ", end_lr={end_lr}, power={power}",
            lambda a: PolynomialDecay(a.total_steps, a.power, a.end_lr),
            {"end_lr": 1e-4, "power": 1.0},
            "docstring: total_steps, a minimum learning rate, the power of the polynomial",
            variants={"square": {"power": 2.0}, "zero": {"end_lr": 0.0}},
        ),
        _own(
            "poly:PolynomialWarmupLR",
            "polynomial-warmup",
            ", warmup_steps={warmup_steps}, end_lr={end_lr}, power={power}",
            lambda a: _warmed_up(a, PolynomialDecay(a.decay_steps, a.power, a.end_lr)),
            {"end_lr": 1e-4, "power": 1.0},
            "docstring: polynomial with warmup; total_steps, a minimum learning rate, the power",
            variants={"square": {"power": 2.0}, "zero": {"end_lr": 0.0}},
            reading="colossalai-first-step",
        ),
        _own(
            "onecycle:OneCycleLR",
            "one-cycle",
            ", pct_start={pct_start}, anneal_strategy={strategy}",
            lambda a: OneCycleLR(a.base_lr, a.total_steps, pct_start=a.pct_start, anneal_strategy=a.strategy),
            {"pct_start": 0.25, "strategy": "cos"},
            "docstring: torch's, with the LR of each group as its maximum",
            variants={"linear": {"strategy": "linear"}},
            optimizer="torch.optim.SGD({groups}, lr={lr}, momentum=0.9)",
        ),
        _own(
            "torch:LambdaLR",
            "lambda",
            ", lambda n: 0.9 ** n",
            lambda a: ExponentialLR(0.9),
            {},
            "docstring: the initial lr times a given function",
        ),
        _own(
            "torch:MultiplicativeLR",
            "multiplicative",
            ", lambda n: 0.9",
            lambda a: MultiplicativeLR(Formula(lambda t, base: np.full(t.shape, 0.9))),
            {},
            "docstring: multiply by the factor given in the function",
        ),
        _own(
            "torch:StepLR",
            "step",
            ", step_size=4, gamma=0.1",
            lambda a: StepLR(4),
            {},
            "docstring: by gamma every step_size epochs",
        ),
        _own(
            "torch:ExponentialLR",
            "exponential",
            ", gamma=0.9",
            lambda a: ExponentialLR(0.9),
            {},
            "docstring: by gamma every epoch",
        ),
    ),
)
