"""What every scheduler must keep right beside the LR, as checks that a script can print."""

from __future__ import annotations

from typing import Any

from reference import SWALR, CyclicLR, OneCycleLR, ReduceLROnPlateau, Schedule

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
