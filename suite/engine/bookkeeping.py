"""What every scheduler must keep right whatever its schedule: bounds of the LR, and its own records."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference import SWALR, CyclicLR, OneCycleLR, ReduceLROnPlateau, Schedule
from reference.check import Rates

from . import tolerances
from .action import Check
from .axes import Setup

#: Classes that are documented to set a base LR of their own, so that initial_lr and base_lrs are theirs.
OWN_BASE = (OneCycleLR, CyclicLR, SWALR, ReduceLROnPlateau)


def bookkeeping(schedule: Schedule, setup: Setup, position: int) -> list[Check]:
    """The scheduler's own record after `position` steps; none under actions, which may rebuild it or add a group."""
    if setup.actions:
        return []
    checks = [("last_epoch", f"getattr(scheduler, 'last_epoch', {position})", repr(position))]
    if not _has_own_base(schedule):
        bases = repr(setup.base_lrs())
        checks.append(("initial_lr", "[float(g['initial_lr']) for g in optimizer.param_groups]", bases))
        checks.append(("base_lrs", f"[float(lr) for lr in getattr(scheduler, 'base_lrs', {bases})]", bases))
    return [Check("bookkeeping", *texts) for texts in checks]


def _has_own_base(schedule: Schedule) -> bool:
    """Whether it sets a base LR of its own, or is composed of nothing else."""
    parts = getattr(schedule, "schedulers", ())
    return all(map(_has_own_base, parts)) if parts else isinstance(schedule, OWN_BASE)


def settings_check(name: str, group: int, before: Any) -> Check:
    """A setting of a group that no scheduler may change."""
    return Check("settings", name, f"optimizer.param_groups[{group}].get({name!r})", repr(before))


def out_of_bounds(setup: Setup, actual: Rates, target: Rates) -> tuple[str, int, float, str] | None:
    """The shape, step, size and words of the first LR below 0, also where `target` is, or of the highest too high."""
    if not np.isfinite(actual).any():
        return None
    peak = max(float(np.nanmax(target, initial=0.0)), *setup.base_lrs())
    lowest, highest = float(np.nanmin(actual)), float(np.nanmax(actual))
    floor = -tolerances.of_peak(len(actual), setup.precision) * peak  # rounding may leave a 0 a little below it
    if lowest < floor:
        step = int(np.argmax((actual < floor).any(axis=1)))
        first = float(np.nanmin(actual[step]))
        return "negative", step, -lowest / peak, f"step {step}: LR {first:.6g} is negative"
    if highest > peak * (1 + tolerances.relative(len(actual), setup.precision)):
        step = int(np.nanargmax(actual) // actual.shape[1])
        words = f"step {step}: LR {highest:.6g}, above the highest LR that was asked for, {peak:.6g}"
        return "above", step, highest / peak, words
    return None
