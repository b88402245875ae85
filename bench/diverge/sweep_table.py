"""The table of a sweep in place of a search: which settings held there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reference import WarmupDecay, parse

from .change import warmup_length, with_warmup
from .populations import learned_by
from .remedy import Remedy, Trainer, TrainingSetup, Trial, checked, trial

#: What the table must have: the columns of a sweep's runs.csv that are read here.
COLUMNS = ("schedule", "kind", "warmup_steps", "decay", "norm", "config", "steps", "lr", "seed", "loss")


def read_table(path: Path) -> list[Mapping[str, Any]]:
    """The rows of a sweep's runs.csv.

    Raises ValueError for a file that cannot be read or is no such table.
    """
    import pandas

    try:
        table = pandas.read_csv(path)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"table={path} must be a sweep's runs.csv: {error}") from error
    except OSError as error:
        raise ValueError(f"table={path} must be a file that can be read: {error.strerror}") from error
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise ValueError(f"table={path} must be a sweep's runs.csv, with the column {missing[0]!r}")
    numeric = table[["warmup_steps", "steps", "lr", "loss"]].apply(pandas.to_numeric, errors="coerce")
    if numeric.drop(columns="loss").isna().any(axis=None) or table.empty:
        raise ValueError(f"table={path} must hold numbers in warmup_steps, steps and lr, one row or more")
    found: list[Mapping[str, Any]] = table.assign(**numeric).to_dict("records")
    return found


def candidates(
    setting: TrainingSetup, rows: Sequence[Mapping[str, Any]]
) -> tuple[list[TrainingSetup], list[TrainingSetup], list[Trial]]:
    """The longer warmups and the lower LRs that held in the table, the smallest change first, and all that is in it.

    The LR of the table that is read for longer warmups is the least at or above the setting's own;
    the warmup that is read for lower LRs is the longest at or below it. So the table errs on the safe side.
    Raises ValueError where the table has no run of this model, length, decay and kind of warmup.
    """
    own = warmup_length(parse(setting.schedule))
    alike = [row for row in rows if _alike(row, setting)]
    if own is None or not alike:
        raise ValueError(
            f"schedule={setting.schedule} must be of kinds that the table has, with a warmup of some length, "
            f"for {setting.config}, {setting.norm}-LN, {setting.steps} steps"
        )
    cells: dict[tuple[int, float], list[float]] = {}
    for row in alike:
        cells.setdefault((int(row["warmup_steps"]), float(row["lr"])), []).append(float(row["loss"]))
    found = {cell: trial(_changed(setting, *cell), np.array(losses)) for cell, losses in cells.items()}
    above = min((lr for _, lr in cells if lr >= setting.base_lr), default=None)
    below = max((length for length, _ in cells if length <= own), default=None)
    held = sorted(cell for cell, one in found.items() if one.holds)
    lengths = [length for length, lr in held if lr == above and length > own]
    lrs = sorted((lr for length, lr in held if length == below and lr < setting.base_lr), reverse=True)
    longer = [setting._replace(schedule=_changed(setting, length, 1.0).schedule) for length in lengths]
    return longer, [setting._replace(base_lr=lr) for lr in lrs], list(found.values())


def from_table(setting: TrainingSetup, rows: Sequence[Mapping[str, Any]], trainer: Trainer) -> Remedy:
    """What would have held by the table (see `candidates`), checked by running it."""
    longer, lower, found = candidates(setting, rows)
    (warmup, lr), records = checked([longer, lower], trainer)
    by = None if records is None else learned_by(records, np.arange(records.final.size))
    return Remedy(warmup, lr, None, tuple(found), by)


def _changed(setting: TrainingSetup, length: int, lr: float) -> TrainingSetup:
    return setting._replace(schedule=with_warmup(parse(setting.schedule), length).slug, base_lr=lr)


def _alike(row: Mapping[str, Any], setting: TrainingSetup) -> bool:
    """Whether a run of the table differs from the setting in warmup length, LR and seed only."""
    same = (row["config"], row["norm"], int(row["steps"])) == (setting.config, setting.norm, setting.steps)
    return same and _kinds(str(row["schedule"])) == _kinds(setting.schedule)


def _kinds(slug: str) -> tuple[type, type] | None:
    """The kinds of warmup and decay of a pair; None of what is no pair."""
    schedule = parse(slug)
    return (type(schedule.warmup), type(schedule.decay)) if isinstance(schedule, WarmupDecay) else None
