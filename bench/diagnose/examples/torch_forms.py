"""The torch schedulers that a user would write for a drawn setting, correctly or with one mistake."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    PolynomialLR,
    SequentialLR,
    StepLR,
)

import reference
from reference import Schedule

from .setting import DrawnSetting, draw_setting

#: Decays that torch has a scheduler for.
TORCH_DECAYS = ("cosine", "cosine", "linear", "gamma", "step", "multistep", "polynomial")


def draw_torch_setting(
    rng: np.random.Generator, *, decays: tuple[str, ...] = TORCH_DECAYS, floored: bool = False
) -> DrawnSetting:
    """A setting that torch's schedulers can express: LinearLR, then one of its decays."""
    setting = draw_setting(rng, decays=decays, warmups=("linear",), floored=floored)
    s = float(f"{10 ** rng.uniform(-3, -0.5):.2g}")
    changes: dict[str, Any] = {"start": "affine", "s": s}
    if setting.decay == "polynomial":
        changes["floor"] = 0.0  # PolynomialLR has none
    return dataclasses.replace(setting, **changes)


def rise(setting: DrawnSetting, optimizer: torch.optim.Optimizer, steps: int | None = None) -> LRScheduler:
    """LinearLR over the warmup, or over `steps`."""
    return LinearLR(optimizer, setting.s, 1.0, setting.w if steps is None else steps)


def fall(
    setting: DrawnSetting, optimizer: torch.optim.Optimizer, length: int | None = None, **over: Any
) -> LRScheduler:
    """The decay over its steps, or over `length`; `over` replaces eta_min (`floor`) or milestones."""
    d = setting.d if length is None else length
    if setting.decay == "cosine":
        return CosineAnnealingLR(optimizer, d, over.get("floor", setting.floor))
    if setting.decay == "linear":
        return LinearLR(optimizer, 1.0, over.get("floor", setting.floor) / setting.base, d)
    if setting.decay == "gamma":
        return ExponentialLR(optimizer, setting.gamma)
    if setting.decay == "step":
        return StepLR(optimizer, setting.milestones[0], setting.gamma)
    if setting.decay == "multistep":
        return MultiStepLR(optimizer, list(over.get("milestones", setting.milestones)), setting.gamma)
    return PolynomialLR(optimizer, d, setting.power)


def sequential(setting: DrawnSetting, optimizer: torch.optim.Optimizer, length: int | None = None, **over: Any) -> Any:
    """Warmup, then decay."""
    parts = [rise(setting, optimizer), fall(setting, optimizer, length, **over)]
    return SequentialLR(optimizer, parts, milestones=[setting.w])


def chained(setting: DrawnSetting, optimizer: torch.optim.Optimizer, length: int) -> Any:
    """Warmup and decay at once."""
    return ChainedScheduler([rise(setting, optimizer), fall(setting, optimizer, length)])


def nested(setting: DrawnSetting, optimizer: torch.optim.Optimizer, levels: int) -> Any:
    """The warmup inside `levels` more SequentialLRs, each with a constant second part that never runs."""
    inner: Any = rise(setting, optimizer)
    for _ in range(levels):
        inner = SequentialLR(optimizer, [inner, ConstantLR(optimizer, 1.0, 1)], milestones=[setting.w])
    return SequentialLR(optimizer, [inner, fall(setting, optimizer)], milestones=[setting.w])


def twin(setting: DrawnSetting, *, nested: bool) -> Schedule | None:
    """The expected schedule as a user of torch would name it: the composition; None if torch has no such parts."""
    if setting.warmup != "linear" or setting.start != "affine" or not setting.w or not 0 < setting.s <= 1:
        return None
    d, low = setting.d, setting.floor
    decays: dict[str, Schedule] = {
        "cosine": reference.CosineAnnealingLR(d, low),
        "linear": reference.LinearLR(1.0, low / setting.base, d),
        "gamma": reference.ExponentialLR(setting.gamma),
    }
    if setting.decay == "step":
        decays["step"] = reference.StepLR(setting.milestones[0], setting.gamma)
    if setting.decay == "multistep":
        decays["multistep"] = reference.MultiStepLR(setting.milestones, setting.gamma)
    if setting.decay not in decays:
        return None
    first: Schedule = reference.LinearLR(setting.s, 1.0, setting.w)
    if nested:
        first = reference.SequentialLR((first, reference.ConstantLR(1.0, 1)), (setting.w,))
    return reference.SequentialLR((first, decays[setting.decay]), (setting.w,))
