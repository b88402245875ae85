"""The outcome of one check in a test, which goes into the failure, the report and the annotations."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from reference.check import Rates

#: Points of a curve that are kept for the report, at most.
POINTS = 400


@dataclasses.dataclass
class LrCheck:
    """A check: its name, what is wrong (nothing where it passed), and the curves that it saw, as plain data."""

    name: str
    failures: list[str]
    curves: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def add_curve(self, name: str, lrs: Rates, expected: Rates | None) -> None:
        """Keep the LRs of one parameter group, beside the expected ones."""
        shown = np.unique(np.linspace(0, max(len(lrs) - 1, 0), min(len(lrs), POINTS)).astype(int))
        if expected is not None and len(lrs):
            first = int(np.argmax(np.abs(lrs - expected) > 1e-6 * np.abs(expected).max(initial=0.0)))
            shown = np.union1d(shown, [first])
        columns = {"steps": shown.tolist(), "used": [float(lrs[i]) for i in shown]}
        planned = None if expected is None else [float(expected[i]) for i in shown]
        self.curves.append({"name": name, **columns, "expected": planned})

    @classmethod
    def together(cls, name: str, parts: Sequence[LrCheck]) -> LrCheck:
        """Several checks as one."""
        failures = [text for part in parts for text in part.failures]
        return cls(name, failures, [curve for part in parts for curve in part.curves])

    def to_json(self) -> dict[str, Any]:
        """The check as plain data for JSON: it travels between processes."""
        return dataclasses.asdict(self)
