"""The tables of a sweep: one row per run, and one row per setting with its measures over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median_low
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.toy import measures

from .shards import COLUMNS
from .spec import Run, Setting, Spec
from .train import Result

if TYPE_CHECKING:
    from pandas import DataFrame

Results = Mapping[Run, Result]
NOTHING = measures.Estimate(math.nan, math.nan, math.nan)


def curves(results: Results, setting: Setting, spec: Spec, field: str = "loss") -> NDArray[np.float64]:
    """One field of every result of a setting: float64 [seeds, LRs]."""
    runs = [[Run(*setting, lr, seed) for lr in spec.lrs] for seed in spec.seeds]
    return np.array([[getattr(results[run], field) for run in row] for row in runs], dtype=np.float64)


def sensitivities(results: Results, setting: Setting, spec: Spec) -> NDArray[np.float64]:
    """The LR sensitivity of each seed, [seeds]."""
    initial = curves(results, setting, spec, "initial_loss")[:, 0]
    return measures.lr_sensitivity(curves(results, setting, spec), initial)


def edges(results: Results, setting: Setting, spec: Spec) -> NDArray[np.float64] | None:
    """The interpolated edge of stability of each seed, [seeds]; None where a single LR leaves nothing between."""
    if len(spec.lrs) < 2:
        return None
    return measures.interpolated_edge(curves(results, setting, spec), spec.lrs)


def runs_table(results: Results, spec: Spec) -> DataFrame:
    """A tidy table with one row per run: setting, LR, seed, results, and whether it failed or is stable.

    Losses in nats per token, lengths in steps; a step that does not exist is an empty cell.
    """
    import pandas

    table = pandas.DataFrame([(*run, *result) for run, result in results.items()], columns=[*COLUMNS])
    by_setting = [curves(results, setting, spec) for setting in spec.settings()]
    # .T.ravel(): in the order of the runs, by LR and seed.
    table["failed"] = np.concatenate([measures.failed(losses, spec.lrs).T.ravel() for losses in by_setting])
    table["stable"] = np.concatenate([measures.stable(losses).T.ravel() for losses in by_setting])
    for name in ("first_failing_step", "steps_to_target"):
        table[name] = table[name].astype("Int64")
    table.insert(table.columns.get_loc("norm") + 1, "config", spec.name)
    table.insert(table.columns.get_loc("config") + 1, "steps", spec.steps)
    return table


def summary_table(results: Results, spec: Spec) -> DataFrame:
    """One row per setting.

    * `lr_sensitivity` with `_low` and `_high`: mean over seeds and its 95 % interval;
    * `change` …: the same for the difference to no warmup, paired by seed; NaN if the sweep has no such setting;
    * `edge` …: the interpolated edge of stability, geometric mean over seeds, and `factor` …: how many times as high it
      is as without warmup, paired by seed; NaN with fewer than two LRs; an edge outside the grid counts with its end;
    * `edges_outside`: the number of seeds whose edge is outside the grid;
    * `max_stable_lr`: low median over seeds, `_low` and `_high` its range; 0 where no LR is stable;
    * `failed_share` …: over all LRs and seeds, with Wilson's interval; `best_loss`: mean over seeds of the lowest loss.
    """
    import pandas

    return pandas.DataFrame([_summary(results, setting, spec) for setting in spec.settings()])


def _summary(results: Results, setting: Setting, spec: Spec) -> dict[str, Any]:
    losses, per_seed = curves(results, setting, spec), sensitivities(results, setting, spec)
    without = spec.setting(setting.norm, setting.decay, "none", 0)
    change = factor = NOTHING
    edge = edges(results, setting, spec)
    if without in spec.settings():
        change = measures.paired_difference(per_seed, sensitivities(results, without, spec))
        before = edges(results, without, spec)
        if edge is not None and before is not None:
            factor = measures.paired_factor(edge, before)
    largest = measures.max_stable_lr(losses, spec.lrs).tolist()
    stable = measures.Estimate(median_low(largest), min(largest), max(largest))
    initial = curves(results, setting, spec, "initial_loss")[:, 0]
    row: dict[str, Any] = {**setting._asdict(), "config": spec.name, "steps": spec.steps, "seeds": len(spec.seeds)}
    for name, estimate in {
        "lr_sensitivity": measures.mean(per_seed),
        "change": change,
        "edge": NOTHING if edge is None else measures.geometric_mean(edge),
        "factor": factor,
        "max_stable_lr": stable,
        "failed_share": measures.share(measures.failed(losses, spec.lrs)),
    }.items():
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    row["edges_outside"] = 0 if edge is None else int(((edge < spec.lrs[0]) | (edge >= spec.lrs[-1])).sum())
    return {**row, "best_loss": float(measures.capped(losses, initial).min(-1).mean())}
