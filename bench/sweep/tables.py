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


def curves(results: Results, setting: Setting, spec: Spec, field: str = "loss") -> NDArray[np.float64]:
    """One field of every result of a setting: float64 [seeds, LRs]."""
    runs = [[Run(*setting, lr, seed) for lr in spec.lrs] for seed in spec.seeds]
    return np.array([[getattr(results[run], field) for run in row] for row in runs], dtype=np.float64)


def sensitivities(results: Results, setting: Setting, spec: Spec) -> NDArray[np.float64]:
    """The LR sensitivity of each seed, [seeds]."""
    initial = curves(results, setting, spec, "initial_loss")[:, 0]
    return measures.lr_sensitivity(curves(results, setting, spec), initial)


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
    * `max_stable_lr`: low median over seeds, `_low` and `_high` its range; 0 where no LR is stable;
    * `failed_share` …: over all LRs and seeds, with Wilson's interval; `best_loss`: mean over seeds of the lowest loss.
    """
    import pandas

    return pandas.DataFrame([_summary(results, setting, spec) for setting in spec.settings()])


def _summary(results: Results, setting: Setting, spec: Spec) -> dict[str, Any]:
    losses, per_seed = curves(results, setting, spec), sensitivities(results, setting, spec)
    without = spec.setting(setting.norm, setting.decay, "none", 0)
    change = measures.Estimate(math.nan, math.nan, math.nan)
    if without in spec.settings():
        change = measures.paired_difference(per_seed, sensitivities(results, without, spec))
    largest = measures.max_stable_lr(losses, spec.lrs).tolist()
    stable = measures.Estimate(median_low(largest), min(largest), max(largest))
    initial = curves(results, setting, spec, "initial_loss")[:, 0]
    row: dict[str, Any] = {**setting._asdict(), "config": spec.name, "steps": spec.steps, "seeds": len(spec.seeds)}
    for name, estimate in {
        "lr_sensitivity": measures.mean(per_seed),
        "change": change,
        "max_stable_lr": stable,
        "failed_share": measures.share(measures.failed(losses, spec.lrs)),
    }.items():
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return {**row, "best_loss": float(measures.capped(losses, initial).min(-1).mean())}
