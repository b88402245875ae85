"""An LR that is lowered below the minimum of an annealing, or lowered and trained on with past its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from reference import CosineAnnealingLR, CosineAnnealingWarmRestarts, Schedule
from suite.engine.action import Action, Check
from suite.engine.axes import Setup
from suite.engine.case import Case

from .beside import Beside
from .groups.altered import DROP, DroppedByHand
from .other_scheduler import PLATEAU

#: More updates than the shorter annealing has: it has risen to its peak and fallen once more.
STEPS = 24


@dataclasses.dataclass(frozen=True)
class FallWatched(Action):
    """Something else lowers the LR to this share of the schedule's: what only anneals must not raise it again."""

    general = False

    share: float
    until: int  # the update of the minimum

    prepare = "present = highest_after = 0.0\nrises = 0"

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return "watched"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return "its LR watched"

    @property
    def after(self) -> str:
        """Count the rises before the minimum, and find the highest LR after it; `step` + 1 uses the LR of now."""
        return (
            'previous, present = present, float(optimizer.param_groups[0]["lr"])\n'
            f"rises += 0 < step < {self.until} and round(present - previous, 9) > 0\n"
            f"highest_after = max(highest_after, present) if step >= {self.until} else 0.0"
        )

    @property
    def finish(self) -> str:
        """The lowered base LR."""
        return f'lowered = {self.share} * optimizer.param_groups[0]["initial_lr"]'

    @property
    def checks(self) -> tuple[Check, ...]:
        """It does not rise before the minimum, and after it no higher than the lowered base LR."""
        return (
            Check("bounds", "the number of rises before the minimum", "rises", "0", "above"),
            Check(
                "bounds",
                "whether the LR later rises above its limit",
                "round(highest_after, 9) > round(lowered, 9)",
                "False",
                "above",
            ),
        )


def _cosines() -> Iterator[Schedule]:
    """The minimum above the lowered LR, in a run that ends before it; and low minima that the run goes past."""
    yield from (CosineAnnealingLR(STEPS, 0.2), CosineAnnealingLR(STEPS, 0.1), CosineAnnealingLR(STEPS, 1e-3))
    yield from (CosineAnnealingLR(4), CosineAnnealingLR(7), CosineAnnealingLR(7, 1e-3), CosineAnnealingLR(11, 1e-3))


def cases() -> Iterator[Case]:
    """A drop by hand, or the reductions of ReduceLROnPlateau, under each annealing."""
    for cosine in _cosines():
        assert isinstance(cosine, CosineAnnealingLR)
        for lowers, share in ((Beside(PLATEAU), PLATEAU.factor), (DroppedByHand(4), DROP)):
            actions = (lowers, FallWatched(share, cosine.T_max))
            steps = len(PLATEAU.metrics) - 1 if isinstance(lowers, Beside) else STEPS
            yield Case("beside", cosine, Setup(actions=actions), steps)
    for restarts in (CosineAnnealingWarmRestarts(5, 2, 0.1), CosineAnnealingWarmRestarts(5, 2, 0.2)):
        for action in (Beside(PLATEAU), DroppedByHand(4)):
            yield Case("beside", restarts, Setup(actions=(action,)))
