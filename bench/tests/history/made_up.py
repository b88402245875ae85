"""Made-up measurements: every benchmark of the plan, with noise and one planted change."""

from __future__ import annotations

import importlib
import random
from collections.abc import Mapping
from typing import Any

from bench.history import rounds
from bench.history.inside import combinations
from bench.history.table import HistoryTable, tabulate

RELEASES = ("2.8.0", "2.9.1", "2.10.0")
#: Relative noise of a made-up measurement, and how much slower SequentialLR becomes in 2.10.0.
NOISE, SLOWER = 0.01, 1.4
BASE = {"time_step": 2e-6, "peakmem_train": 3e8}


class MadeUp:
    """Measures nothing: replaces the run in a release's environment, and counts its calls."""

    def __init__(self, slower: float = SLOWER, seed: int = 0, core: float = 0.99) -> None:
        self.slower, self.core, self.draw = slower, core, random.Random(seed)
        self.calls: list[str] = []

    def __call__(self, release: str, requests: list[Any]) -> tuple[dict[str, Any], float]:
        """Made-up values of all requested benchmarks."""
        self.calls.append(release)
        return {name: self.values(release, name, axes) for name, axes, _ in requests}, self.core

    def values(self, release: str, name: str, axes: Any) -> Mapping[str, Any]:
        """The values of one benchmark."""
        module, class_name, method = name.split(".")
        rows = combinations(getattr(importlib.import_module(f"bench.asv_benchmarks.{module}"), class_name), axes)
        found = []
        for order, row in enumerate(rows):
            value = BASE.get(method, 0.5) * (1 + 0.1 * order) * self.draw.gauss(1, NOISE)
            is_planted = name.startswith("scheduler_step") and row[0] == "sequential" and release == "2.10.0"
            found.append(value * (self.slower if is_planted else 1))
        return {"params": rows, "values": found}


def measured(runner: MadeUp, number: int = 5) -> tuple[HistoryTable, list[dict[str, Any]]]:
    """The table and the records of all rounds."""
    records = rounds.run(RELEASES, number, lambda line: None, runner)
    return tabulate(records, [arm.label for arm in rounds.arms(RELEASES)]), records
