"""Use the table of a finished sweep instead of a search: which setups were stable there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reference import WarmupDecay, parse

from .change import warmup_length, with_warmup
from .populations import learned_by
from .remedy import Remedy, Trainer, TrainingSetup, Trial, checked, trial

#: The columns of a sweep's runs.csv that the table must have.
COLUMNS = ("schedule", "kind", "warmup_steps", "decay", "norm", "config", "steps", "lr", "seed", "loss")


def read_table(path: Path) -> list[Mapping[str, Any]]:
    """The rows of a sweep's runs.csv.

    Raises ValueError for a file that cannot be read or is not such a table.
    """
    import pandas

    try:
        table = pandas.read_csv(path)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"table={path} must be a sweep's runs.csv: {error}") from error
    except OSError as error:
        raise ValueError(f"table={path} must be a readable file: {error.strerror}") from error
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise ValueError(f"table={path} must be a sweep's runs.csv, but has no column {missing[0]!r}")
    numeric = table[["warmup_steps", "steps", "lr", "loss"]].apply(pandas.to_numeric, errors="coerce")
    if numeric.drop(columns="loss").isna().any(axis=None) or table.empty:
        raise ValueError(f"table={path} must have at least one row, and numbers in warmup_steps, steps and lr")
    rows: list[Mapping[str, Any]] = table.assign(**numeric).to_dict("records")
    return rows


def candidates(
    setup: TrainingSetup, rows: Sequence[Mapping[str, Any]]
) -> tuple[list[TrainingSetup], list[TrainingSetup], list[Trial]]:
    """The longer warmups and the lower LRs that were stable in the table, the smallest change first; and all trials.

    Longer warmups are looked up at the lowest LR in the table at or above the setup's own, lower LRs at the longest
    warmup at or below its own, so that the result errs on the safe side.
    Raises ValueError if the table has no run of this model, length, decay and kind of warmup.
    """
    own = warmup_length(parse(setup.schedule))
    alike = [row for row in rows if _alike(row, setup)]
    if own is None or not alike:
        raise ValueError(
            f"schedule={setup.schedule} must have a kind of warmup and decay that the table has, and a warmup length "
            f"that can be chosen, for {setup.config}, {setup.norm}-LN, {setup.steps} steps"
        )
    cells: dict[tuple[int, float], list[float]] = {}
    for row in alike:
        cells.setdefault((int(row["warmup_steps"]), float(row["lr"])), []).append(float(row["loss"]))
    trials = {cell: trial(_changed(setup, *cell), np.array(losses)) for cell, losses in cells.items()}
    above = min((lr for _, lr in cells if lr >= setup.base_lr), default=None)
    below = max((length for length, _ in cells if length <= own), default=None)
    stable = sorted(cell for cell, result in trials.items() if result.stable)
    lengths = [length for length, lr in stable if lr == above and length > own]
    lrs = sorted((lr for length, lr in stable if length == below and lr < setup.base_lr), reverse=True)
    longer = [setup._replace(schedule=_changed(setup, length, 1.0).schedule) for length in lengths]
    return longer, [setup._replace(base_lr=lr) for lr in lrs], list(trials.values())


def from_table(setup: TrainingSetup, rows: Sequence[Mapping[str, Any]], trainer: Trainer) -> Remedy:
    """What would have prevented the failure according to the table (see `candidates`), checked by running it."""
    longer, lower, trials = candidates(setup, rows)
    (warmup, lr), records = checked([longer, lower], trainer)
    by = None if records is None else learned_by(records, np.arange(records.final.size))
    return Remedy(warmup, lr, None, tuple(trials), by)


def _changed(setup: TrainingSetup, length: int, lr: float) -> TrainingSetup:
    return setup._replace(schedule=with_warmup(parse(setup.schedule), length).slug, base_lr=lr)


def _alike(row: Mapping[str, Any], setup: TrainingSetup) -> bool:
    """Whether a run of the table differs from the setup only in warmup length, LR and seed."""
    same = (row["config"], row["norm"], int(row["steps"])) == (setup.config, setup.norm, setup.steps)
    return same and _kinds(str(row["schedule"])) == _kinds(setup.schedule)


def _kinds(slug: str) -> tuple[type, type] | None:
    """The kinds of warmup and decay of a pair; None for other schedules."""
    schedule = parse(slug)
    return (type(schedule.warmup), type(schedule.decay)) if isinstance(schedule, WarmupDecay) else None
