"""The columns of a log: which are steps and which are learning rates."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.counts import COLUMNS, Counts, read_counts
from reference.check import Rates, Steps

#: Names of step columns, the most reliable first.
STEP_NAMES = (
    *("optimizer_step", "num_updates", "updates", "update", "global_step", "globalstep", "acc_iter"),
    *("step", "steps", "iteration", "iterations", "iter", "iters", "t"),
)
#: Columns that name the metric of each row of a long table, and those that hold its value.
METRIC_NAMES = ("name", "tag", "metric", "metric_name", "metricname", "metric.name", "key", "variable")
VALUE_NAMES = ("value", "values", "metricvalue", "metric_value", "metric.value")
#: A learning rate that is a setting, such as `base_lr` beside `lr`; or a setting of its schedule, such as `lr_decay`.
SETTINGS = re.compile(
    r"(^|[^a-z])(base|initial|init|start|min|max|peak|end|final|target|warmup)[ _-]?(lrs?|learning[ _-]?rates?)$"
    r"|(lrs?|learning[ _-]?rates?)[ _-](decay|schedule|scheduler|warmup|min|max|gamma|factor|mult|step|policy|power)"
)
#: Weights & Biases adds the range of each point, Lightning the other settings of a group.
OTHER_ENDINGS = ("__min", "__max", "momentum", "weight_decay")
#: Columns that tell the rows of several groups or runs apart.
OWNER_NAMES = (
    *("run", "run.hash", "run_hash", "run_id", "experimentkey", "experiment_key"),
    *("optimizer", "group", "param_group"),
)
#: Up to here every integer is a float64.
MOST_EXACT = 2**53
#: Names listed in an error message, at most.
SHOWN = 8

Values = NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Columns by name; an empty cell is NaN in a column of numbers and '' or None in one of objects.

    `load` returns a column; `where` names the place of a row in the file; `trainer` marks a Trainer's state, whose
    `last_step` is its last update; `notes`: remarks on how it was read; `present`: the rows that have a value in a
    column, where NaN is a value; `unfinished`: the file does not end with the end of a line.
    """

    names: Sequence[str]
    load: Callable[[str], Values]
    where: Callable[[int], str]
    trainer: bool = False
    last_step: int | None = None
    notes: tuple[str, ...] = ()
    present: Callable[[str], Steps | None] = lambda name: None
    unfinished: bool = False

    def numbers(self, name: str, rows: Steps | None = None, *, finite: bool = True) -> tuple[Steps, Rates]:
        """The rows (of the given ones) in which a column has a value, and the values.

        Raises ValueError for a value that is not a number or, if `finite`, not a finite one.
        """
        values = self.load(name)
        rows = np.arange(values.size) if rows is None else rows
        present = self.present(name)
        if present is not None and present.size < values.size:
            rows = np.intersect1d(rows, present)
        values = values[rows]
        if present is not None and values.dtype != object:
            full, numbers = np.ones(rows.size, dtype=bool), values.astype(np.float64)
        elif values.dtype != object:
            full = ~np.isnan(values)
            numbers = values[full].astype(np.float64)
        else:
            full = np.array([not (v is None or (isinstance(v, str) and not v.strip())) for v in values], dtype=bool)
            numbers = self._converted(name, values[full], rows[full])
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if wrong.size and finite:
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


def of_values(values: Sequence[Any]) -> tuple[Values, Steps | None]:
    """A column of values and the rows that have one, as `Table.load` and `Table.present` give them.

    Plain numbers become float64, with NaN for None; the rows are None where a value is something else, such as
    an integer that is no float64.

    >>> of_values([1, None, 0.5]), of_values(["0.5"])
    ((array([1. , nan, 0.5]), array([0, 2])), (array(['0.5'], dtype=object), None))
    """
    kinds = {*map(type, values)}
    exact = int not in kinds or all(type(value) is not int or abs(value) <= MOST_EXACT for value in values)
    if exact and kinds <= {int, float, type(None)}:
        column = np.array(values, dtype=np.float64)
        return column, np.flatnonzero([value is not None for value in values])
    objects = np.empty(len(values), dtype=object)
    objects[:] = values
    return objects, None


@functools.lru_cache(maxsize=1024)
def plain(name: str) -> str:
    """The last part of the name of a metric, in one spelling.

    >>> plain("run - train/Global Step"), plain("_step")
    ('global_step', 'step')
    """
    return metric(name).rpartition("/")[2].strip("_ ").replace(" ", "_")


def metric(name: str) -> str:
    """The name of a metric in lower case, without the run name that Weights & Biases prepends.

    >>> metric("warm-run-3 - train/learning_rate")
    'train/learning_rate'
    """
    return name.rpartition(" - ")[2].strip().lower()


@functools.lru_cache(maxsize=1024)
def names_lr(name: str) -> bool:
    """Whether the name of a column is that of a learning rate.

    >>> [names_lr(name) for name in ("lr-AdamW/pg1", "learningRate", "lr-Adam-momentum", "color", "run - lr__MIN")]
    [True, True, False, False, False]
    """
    text = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", name.rpartition(" - ")[2]).strip().lower()
    if text.endswith(OTHER_ENDINGS):
        return False
    return re.search(r"(^|[^a-z])(lrs?|learning[ _-]?rates?)([^a-z]|$)", text) is not None


def lr_columns(table: Table, requested: str | None, steps: str | None) -> list[str]:
    """The columns of learning rates, or the requested one; raises ValueError if there is none."""
    others = [name for name in table.names if name != steps]
    listed = ", ".join(others[:SHOWN]) + (f" and {len(others) - SHOWN} more" if len(others) > SHOWN else "")
    if requested is not None:
        if requested not in table.names:
            raise ValueError(f"column={requested!r} must be one of {listed}")
        return [requested]
    columns = [name for name in others if names_lr(name)]
    columns = [name for name in columns if not SETTINGS.search(metric(name))] or columns
    if not columns:  # the name that TensorBoard uses for every metric
        columns = [name for name in others if metric(name) in VALUE_NAMES]
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


def counts_of_owners(table: Table, groups: Sequence[tuple[str, Steps | None]]) -> dict[str, Counts]:
    """What a recorder counted, for each owner of rows; empty for a log that is not a recording."""
    if not {*COLUMNS, "optimizer"} <= {*table.names}:
        return {}
    optimizers = table.load("optimizer")
    rows = [np.arange(optimizers.size) if own is None else own for _, own in groups]
    counts = read_counts(table.load, [(str(optimizers[own[0]]), own) for own in rows if own.size])
    return dict(zip((owner for owner, _ in groups), counts, strict=True))
