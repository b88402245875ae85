"""The runs of a grid for a claim: loss as a function of the LR, by setting and seed."""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.sweep.engine import processes, run_sweep
from bench.sweep.progress import progress
from bench.sweep.spec import Run, Setting, Spec
from bench.sweep.tables import curves, sensitivities
from bench.sweep.train import Result
from bench.toy.machine import cores
from bench.toy.measures import CONFIDENCE, Estimate, failed, max_stable_lr


@dataclasses.dataclass(frozen=True, eq=False)
class Curves:
    """The results of a sweep as arrays: rows are seeds, columns are LRs."""

    spec: Spec
    results: dict[Run, Result]

    def losses(self, setting: Setting) -> NDArray[np.float64]:
        """Validation losses after the last step, [seeds, LRs]."""
        return curves(self.results, setting, self.spec)

    def initial(self, setting: Setting) -> NDArray[np.float64]:
        """Validation losses of the untrained models, [seeds]: the same for every LR."""
        return curves(self.results, setting, self.spec, "initial_loss")[:, 0]

    def sensitivity(self, setting: Setting) -> NDArray[np.float64]:
        """LR sensitivity of each seed, [seeds]."""
        return sensitivities(self.results, setting, self.spec)

    def best(self, setting: Setting) -> NDArray[np.float64]:
        """The lowest loss of each seed over the LRs, [seeds]."""
        return np.asarray(np.nanmin(self.losses(setting), axis=1))

    def edge(self, setting: Setting) -> NDArray[np.float64]:
        """The largest stable LR of each seed, [seeds]; one step below the grid where none of its LRs is stable."""
        below = self.spec.lrs[0] ** 2 / self.spec.lrs[1]
        largest = max_stable_lr(self.losses(setting), self.spec.lrs)
        return np.where(largest > 0, largest, below)

    def failed(self, setting: Setting) -> NDArray[np.float64]:
        """The share of failed LRs of each seed, [seeds]."""
        return np.asarray(failed(self.losses(setting), self.spec.lrs).mean(1))


def measured(spec: Spec, folder: Path) -> Curves:
    """Run a grid on all cores of this machine; finished runs are read from the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = cores()
    with progress(quiet=False) as report, processes(jobs) as pool:
        results = run_sweep(spec, pool, folder, jobs=jobs, report=report)
    return Curves(spec, results)


def about(*curves: Curves) -> str:
    """What was run, as text: model, lengths, LRs, seeds."""
    spec, steps = curves[0].spec, " and ".join(str(grid.spec.steps) for grid in curves)
    norms = " and ".join(f"{norm}-LN" for norm in spec.norms)
    return (
        f"toy Transformer {spec.name} (d {spec.config.d_model}, {norms}), {steps} steps, "
        f"{', '.join(spec.kinds)} warmup before a cosine to 0, {len(spec.lrs)} LRs from {spec.lrs[0]:g} "
        f"to {spec.lrs[-1]:g}, {len(spec.seeds)} seeds"
    )


def caption(*curves: Curves) -> str:
    """The caption of a picture."""
    return "\n".join(textwrap.wrap(f"{about(*curves)}; bars: 95 % intervals over seeds.", 130))


def median(values: NDArray[np.float64]) -> Estimate:
    """The median over seeds with its interval: the order statistics x(k) and x(n+1−k).

    k is the largest with P(Binomial(n, ½) < k) <= 2.5 %, so coverage is at least 95 % for any distribution; with fewer
    than 6 values the interval is their range. A single seed that learns at no LR hardly affects it.
    Source: Conover 1999, section 3.2.

    >>> median(np.arange(1.0, 11.0))
    Estimate(value=5.5, low=2.0, high=9.0)
    """
    from scipy.stats import binom

    ordered = np.sort(values)
    k = max(1, int(binom.ppf((1 - CONFIDENCE) / 2, len(ordered), 0.5)))
    return Estimate(float(np.median(ordered)), float(ordered[k - 1]), float(ordered[-k]))
