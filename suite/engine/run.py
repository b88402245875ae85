"""What happened in a case, as the loop records it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from .action import Check


@dataclasses.dataclass
class CaseRun:
    """What happened in a case: one row per optimizer step, one column per parameter group."""

    lrs: list[list[float]] = dataclasses.field(default_factory=list)
    last_lrs: list[list[float]] = dataclasses.field(default_factory=list)
    momenta: list[list[float]] = dataclasses.field(default_factory=list)
    positions: list[int] = dataclasses.field(default_factory=list)  # the schedule's own step of each row
    own_momentum: float = math.nan  # the optimizer's, before any scheduler was built
    warned: list[str] = dataclasses.field(default_factory=list)
    error: BaseException | None = None
    unread: tuple[int, AttributeError] | None = None  # the first row at which get_last_lr() failed
    stage: str = "construction"  # what was being done last: construction, a place of an action, or the update
    built: bool = False
    absent: str = ""
    checks: list[tuple[Check, Any, Any]] = dataclasses.field(default_factory=list)  # both sides of each


#: What a scheduler may change in a group.
CHANGED = ("params", "lr", "momentum", "betas")


def settings_of(group: dict[str, Any]) -> dict[str, Any]:
    """What no scheduler may change."""
    return {name: value for name, value in group.items() if name not in CHANGED}


def momentum_of(group: dict[str, Any]) -> float:
    """The momentum, or beta1, of a group; NaN where its optimizer has neither."""
    return float(group["betas"][0] if "betas" in group else group.get("momentum", math.nan))
