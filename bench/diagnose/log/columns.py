"""The columns of a log: which are steps and which are learning rates."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference.check import Rates, Steps

#: Names of step columns, the most reliable first.
STEP_NAMES = (
    *("optimizer_step", "num_updates", "updates", "update", "global_step", "globalstep"),
    *("step", "steps", "iteration", "iterations", "iter", "iters", "t"),
)
#: Weights & Biases adds the range of each point, Lightning the other settings of a group.
OTHER_ENDINGS = ("__min", "__max", "momentum", "weight_decay")
#: Columns that tell the rows of several groups or runs apart.
OWNER_NAMES = ("run", "optimizer", "group", "param_group")
#: Names listed in an error message, at most.
SHOWN = 8

Values = NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Columns by name; an empty cell is NaN in a column of numbers and '' or None in one of objects.

    `load` returns a column; `where` names the place of a row in the file; `trainer` marks a Trainer's state, whose
    `last_step` is its last update.
    """

    names: Sequence[str]
    load: Callable[[str], Values]
    where: Callable[[int], str]
    trainer: bool = False
    last_step: int | None = None

    def numbers(self, name: str, rows: Steps | None = None) -> tuple[Steps, Rates]:
        """The rows (of the given ones) in which a column has a value, and the values.

        Raises ValueError for a value that is not a finite number.
        """
        values = self.load(name)
        rows = np.arange(values.size) if rows is None else rows
        values = values[rows]
        if values.dtype != object:
            full = ~np.isnan(values)
            numbers = values[full].astype(np.float64)
        else:
            full = np.array([not (v is None or (isinstance(v, str) and not v.strip())) for v in values], dtype=bool)
            numbers = self._converted(name, values[full], rows[full])
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if wrong.size:
            at = int(wrong[0])
            raise ValueError(f"{name}={numbers[at]} in {self.where(int(rows[full][at]))} must be finite")
        return rows[full], numbers

    def _converted(self, name: str, values: Values, rows: Steps) -> Rates:
        numbers = np.empty(values.size)
        for i, value in enumerate(values):
            try:
                numbers[i] = float(str(value) if isinstance(value, bool) else value)
            except (TypeError, ValueError, OverflowError):
                shown = str(value)[:40]
                raise ValueError(f"{name}={shown!r} in {self.where(int(rows[i]))} must be a number") from None
        return numbers


def metric(name: str) -> str:
    """The name of a metric in lower case, without the run name that Weights & Biases prepends.

    >>> metric("warm-run-3 - train/learning_rate")
    'train/learning_rate'
    """
    return name.rpartition(" - ")[2].strip().lower()


def names_lr(name: str) -> bool:
    """Whether the name of a column is that of a learning rate.

    >>> [names_lr(name) for name in ("lr-AdamW/pg1", "learningRate", "lr-Adam-momentum", "color", "run - lr__MIN")]
    [True, True, False, False, False]
    """
    text = metric(name)
    if text.endswith(OTHER_ENDINGS):
        return False
    return re.search(r"(^|[^a-z])(lrs?|learning[ _-]?rates?)([^a-z]|$)", text) is not None


def step_column(table: Table) -> tuple[str | None, str | None]:
    """The step column, None where the rows are numbered instead, and a note on the choice, if any."""
    plain = {metric(name).rpartition("/")[2].strip("_ ").replace(" ", "_"): name for name in reversed(table.names)}
    for known in STEP_NAMES:
        if known in plain:
            return plain[known], None
    if "epoch" in plain:
        return plain["epoch"], f"There is no step column; {plain['epoch']} is used instead."
    if len(table.names) > 1:
        return None, "There is no step column; the rows are numbered from 0."
    return None, None


def lr_columns(table: Table, requested: str | None, steps: str | None) -> list[str]:
    """The columns of learning rates, or the requested one; raises ValueError if there is none."""
    others = [name for name in table.names if name != steps]
    listed = ", ".join(others[:SHOWN]) + (f" and {len(others) - SHOWN} more" if len(others) > SHOWN else "")
    if requested is not None:
        if requested not in table.names:
            raise ValueError(f"column={requested!r} must be one of {listed}")
        return [requested]
    columns = [name for name in others if names_lr(name)]
    if not columns:  # the name that TensorBoard uses for every metric
        columns = [name for name in others if metric(name) in ("value", "values")]
    if not columns:
        raise ValueError(f"columns={listed or 'none'} must include a learning rate: name it with --column")
    return columns


def owners(table: Table) -> list[tuple[str, Steps | None]]:
    """The rows of each optimizer, group or run, with its name; one unnamed owner of all rows if there is only one.

    >>> columns = {"optimizer": np.array(["SGD", "SGD"], dtype=object), "group": np.array([0, 1]), "lr": np.ones(2)}
    >>> owners(Table(tuple(columns), columns.__getitem__, str))
    [('SGD group 0', array([0])), ('SGD group 1', array([1]))]
    """
    keys = [name for name in table.names if name.lower() in OWNER_NAMES]
    if not keys:
        return [("", None)]
    parts = []
    for key in keys:
        values, before = table.load(key), "" if key.lower() == "optimizer" else f"{key} "
        parts.append(np.array([f"{before}{value}" for value in values.tolist()]))
    texts = functools.reduce(lambda a, b: np.char.add(np.char.add(a, " "), b), parts)
    first, codes = np.unique(texts, return_index=True, return_inverse=True)[1:]
    if first.size == 1:
        return [("", None)]
    return [(str(texts[first[i]]), np.flatnonzero(codes == i)) for i in np.argsort(first)]
