"""The runs of a grid for a claim: loss as a function of the LR, by setting and seed."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.sweep.engine import processes, run_sweep
from bench.sweep.progress import progress
from bench.sweep.spec import Run, Setting, Spec
from bench.sweep.tables import curves, sensitivities
from bench.sweep.train import Result
from bench.toy.machine import cores
from bench.toy.measures import EDGE_LOSS, failed, interpolated_edge, lr_sensitivity, stable

if TYPE_CHECKING:
    from pandas import DataFrame

Numbers = NDArray[np.float64]
#: What a table of runs keeps of a result: the others are recorded with instruments only.
KEPT = ("loss", "initial_loss", "first_failing_step", "steps_to_target")
COLUMNS = ("config", "steps", *Run._fields, *KEPT)


@dataclasses.dataclass(frozen=True, eq=False)
class Curves:
    """The results of a sweep as arrays: rows are seeds, columns are LRs."""

    spec: Spec
    results: dict[Run, Result]

    def setting(self, warmup_steps: int, kind: str = "linear") -> Setting:
        """The setting of the sweep's first norm and decay with this warmup."""
        return self.spec.setting(self.spec.norms[0], self.spec.decays[0], kind, warmup_steps)

    def losses(self, setting: Setting) -> Numbers:
        """Validation losses after the last step, [seeds, LRs]."""
        return curves(self.results, setting, self.spec)

    def initial(self, setting: Setting) -> Numbers:
        """Validation losses of the untrained models, [seeds]: the same for every LR."""
        return curves(self.results, setting, self.spec, "initial_loss")[:, 0]

    def sensitivity(self, setting: Setting) -> Numbers:
        """LR sensitivity of each seed, [seeds]."""
        return sensitivities(self.results, setting, self.spec)

    def sensitivity_within(self, setting: Setting, low: float, high: float) -> Numbers:
        """LR sensitivity of each seed over the LRs of the grid from `low` to `high` alone, [seeds]."""
        columns = [i for i, lr in enumerate(self.spec.lrs) if low <= lr <= high]
        return np.asarray(lr_sensitivity(self.losses(setting)[:, columns], self.initial(setting)))

    def best(self, setting: Setting) -> Numbers:
        """The lowest loss of each seed over the LRs, [seeds]."""
        return np.asarray(np.nanmin(self.losses(setting), axis=1))

    def edge(self, setting: Setting, limit: float = EDGE_LOSS) -> Numbers:
        """The edge of stability of each seed, [seeds]: see `bench.toy.measures.interpolated_edge`."""
        return np.asarray(interpolated_edge(self.losses(setting), self.spec.lrs, limit))

    def outside(self, setting: Setting) -> Numbers:
        """1 for each seed whose edge is outside the grid, so that it is only known to be beyond its end, else 0."""
        edges = self.edge(setting)
        return np.asarray((edges < self.spec.lrs[0]) | (edges >= self.spec.lrs[-1]), dtype=np.float64)

    def failed(self, setting: Setting) -> Numbers:
        """The share of failed LRs of each seed, [seeds]."""
        return np.asarray(failed(self.losses(setting), self.spec.lrs).mean(1))

    def stable_above_a_failure(self) -> int:
        """The number of runs that learned the task at an LR above one at which their seed failed."""
        count = 0
        for setting in self.spec.settings():
            losses = self.losses(setting)
            failures = np.logical_or.accumulate(failed(losses, self.spec.lrs), axis=1)
            count += int((failures & stable(losses)).sum())
        return count


def trained(specs: Sequence[Spec], folder: Path) -> DataFrame:
    """Run grids on all cores of this machine; finished runs are read from the folder."""
    import pandas

    folder.mkdir(parents=True, exist_ok=True)
    jobs, tables = cores(), []
    with progress(quiet=False) as report, processes(jobs) as pool:
        for spec in specs:
            tables.append(as_table(spec, run_sweep(spec, pool, folder, jobs=jobs, report=report)))
    return pandas.concat(tables, ignore_index=True)


def as_table(spec: Spec, results: dict[Run, Result]) -> DataFrame:
    """The runs of a grid as a table, one row for each."""
    import pandas

    rows = [(spec.name, spec.steps, *run, *(getattr(result, name) for name in KEPT)) for run, result in results.items()]
    table = pandas.DataFrame(rows, columns=[*COLUMNS])
    for name in ("first_failing_step", "steps_to_target"):
        table[name] = table[name].astype("Int64")
    return table


def from_table(spec: Spec, table: DataFrame) -> Curves:
    """The runs of a grid out of a table; ValueError if it lacks any."""
    import pandas

    here = table[(table["config"] == spec.name) & (table["steps"] == spec.steps)]
    columns = [here[name].tolist() for name in COLUMNS[2:]]
    split, nothing = len(Run._fields), float("nan")
    results = {}
    for row in zip(*columns, strict=True):
        loss, initial, *steps = row[split:]
        failing, reached = (None if pandas.isna(step) else int(step) for step in steps)
        results[Run(*row[:split])] = Result(loss, initial, failing, reached, nothing, nothing, nothing)
    runs = spec.runs()
    missing = [run for run in runs if run not in results]
    if missing:
        first = missing[0]
        raise ValueError(
            f"runs={len(runs) - len(missing)} must be all {len(runs)} runs of the grid; the first that is missing is "
            f"{first.schedule}, {first.norm}-LN, LR {first.lr:g}, seed {first.seed}"
        )
    return Curves(spec, {run: results[run] for run in runs})


def one_edge(*grids: Curves) -> str:
    """Whether each seed has one edge, inside the grid, in a sentence: the first question to a largest stable LR."""
    runs = sum(len(curves.results) for curves in grids)
    settings = [(curves, setting) for curves in grids for setting in curves.spec.settings()]
    outside = sum(int(curves.outside(setting).sum()) for curves, setting in settings)
    edges = sum(len(curves.spec.seeds) for curves, _ in settings)
    return (
        f"* **Is there one edge?** {sum(curves.stable_above_a_failure() for curves in grids)} of {runs} runs learned "
        f"the task at an LR above one at which their seed failed. {outside} of {edges} edges lie outside the grid, "
        "and count with its end."
    )


def about(*grids: Curves) -> str:
    """What was run, as text: model, lengths, LRs, seeds."""
    spec = grids[0].spec
    steps = " and ".join(dict.fromkeys(str(grid.spec.steps) for grid in grids))
    norms = " and ".join(dict.fromkeys(f"{norm}-LN" for grid in grids for norm in grid.spec.norms))
    ranges = list(dict.fromkeys(f"{grid.spec.lrs[0]:g} to {grid.spec.lrs[-1]:g}" for grid in grids))
    return (
        f"toy Transformer {spec.name} (d {spec.config.d_model}, {norms}), {steps} steps, "
        f"{', '.join(spec.kinds)} warmup before a cosine to 0, {len(spec.lrs)} LRs from {' or '.join(ranges)}, "
        f"{len(spec.seeds)} seeds"
    )


def caption(*grids: Curves) -> str:
    """The caption of a picture."""
    return "\n".join(textwrap.wrap(f"{about(*grids)}; bars: 95 % intervals over seeds.", 130))
