"""A limit on the work of the fits: fifteen rows 1000 steps apart leave thousands of warmups and decays open."""

from __future__ import annotations

import dataclasses

#: Curves that are fitted at most: for a healthy schedule, and then for all mistakes. Each takes about 0.15 ms.
HEALTHY, MISTAKES = 2500.0, 2500.0


@dataclasses.dataclass
class Effort:
    """What may still be spent, in fits of one curve; fits of few and of many rows cost much the same.

    Counted, not timed: the same trace has the same diagnosis on every machine.

    >>> effort = Effort(2)
    >>> [effort.spend() for _ in range(3)]
    [True, True, False]
    """

    left: float = HEALTHY

    def spend(self, curves: float = 1.0) -> bool:
        """Take from what is left; whether there was any."""
        self.left -= curves
        return self.left >= 0
