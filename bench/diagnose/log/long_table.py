"""Tables with a row for each metric of a step, and cells with a value for each parameter group, as plain columns."""

from __future__ import annotations

import ast
import dataclasses
from typing import Any

import numpy as np

from .columns import METRIC_NAMES, SHOWN, VALUE_NAMES, Table, Values, metric, names_lr


def one_column_each(table: Table, requested: str | None) -> Table:
    """A long table (name, value) as a table with a column for each learning rate, any other table as it is.

    `requested`: the metric to read. Raises ValueError for a long table in which no metric is a learning rate.
    """
    by_name = {metric(name): name for name in table.names}
    key = next((by_name[name] for name in METRIC_NAMES if name in by_name), None)
    value = next((by_name[name] for name in VALUE_NAMES if name in by_name), None)
    if key is None or value is None or requested in (key, value):
        return table
    keys = table.load(key)
    if keys.dtype != object:
        return table
    texts = np.array(["" if cell is None else str(cell).strip() for cell in keys])
    known = list(dict.fromkeys(texts[texts != ""].tolist()))
    chosen = [name for name in known if names_lr(name)] if requested is None else [requested]
    if not chosen or chosen[0] not in known:
        listed = ", ".join(known[:SHOWN]) + (f" and {len(known) - SHOWN} more" if len(known) > SHOWN else "")
        if requested is not None:
            raise ValueError(f"column={requested!r} must be one of {listed}, the values of {key!r}")
        raise ValueError(
            f"{key}={listed or 'none'} must include a learning rate: choose a value of {key} with --column"
        )
    others = [name for name in table.names if name not in (key, value, *chosen)]
    return dataclasses.replace(
        table,
        names=[*others, *chosen],
        load=lambda name: table.load(value if name in chosen else name),
        present=lambda name: np.flatnonzero(texts == name) if name in chosen else None,
    )


def one_column_a_group(table: Table) -> Table:
    """A table in which a cell of several learning rates (a list, or its text) becomes a column for each group."""
    split: dict[str, tuple[str, int]] = {}
    names: list[str] = []
    for name in table.names:
        width = _width(table, name) if names_lr(name) else 0
        parts = [f"{name} group {i}" for i in range(width)] if width != 1 else [name]
        split |= {part: (name, i) for i, part in enumerate(parts)} if width else {}
        names += parts if width else [name]
    if not split:
        return table

    def load(name: str) -> Values:
        if name not in split:
            return table.load(name)
        source, i = split[name]
        return _objects([_part(cell, i) for cell in table.load(source)])

    return dataclasses.replace(table, names=names, load=load)


def _width(table: Table, name: str) -> int:
    """How many values the cells of a column have; 0 for plain numbers."""
    cells = table.load(name)
    if cells.dtype != object:
        return 0
    lists = [_list(cell) for cell in cells]
    return max((len(cell) for cell in lists if cell is not None), default=0)


def _list(cell: Any) -> list[Any] | None:
    if isinstance(cell, list):
        return cell
    if isinstance(cell, str) and cell.strip()[:1] == "[" and cell.strip()[-1:] == "]":
        try:
            return list(ast.literal_eval(cell.strip()))
        except (ValueError, SyntaxError):
            return None
    return None


def _part(cell: Any, i: int) -> Any:
    values = _list(cell)
    if values is None:
        return cell if i == 0 else None
    return values[i] if i < len(values) else None


def _objects(cells: list[Any]) -> Values:
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return column
