"""One thing that a reader should know about a plan, and the curve that it is read from."""

from __future__ import annotations

import dataclasses
from typing import Any

from reference.check import Rates

#: Changes below this share of the peak are left out: nobody would change a line for them.
VISIBLE_SHARE = 0.01


@dataclasses.dataclass(frozen=True)
class PlanFact:
    """A fact in one sentence.

    `kind`: a word for programs; `wrong`: whether the plan should be changed; if so `fix` says how. `step`: the first
    step that it is about, None where it is about the whole run.
    """

    kind: str
    sentence: str
    wrong: bool = False
    fix: str = ""
    step: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The fact as plain data for JSON."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, eq=False)
class PlannedCurve:
    """The LRs of one group over the run, and what the same schedule would do after it.

    `lrs`: from step 0 to the last update; `longer`: the same and further, as far as it is known; `milestones`: the
    steps at which a phase of a composition starts; `repeats`: whether a part may rise after a decay; `steps_down`:
    whether a part drops in steps; `cosine`: whether one is CosineAnnealingLR, which rises again after its end;
    `resumed`: whether the first update of this run is a later step of the schedule; `updates`: those of the run, more
    than there are LRs where the schedule ends before (0: as many).
    """

    lrs: Rates
    longer: Rates
    milestones: tuple[int, ...] = ()
    repeats: bool = False
    steps_down: bool = False
    cosine: bool = False
    resumed: bool = False
    updates: int = 0
