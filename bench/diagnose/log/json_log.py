"""Read the columns of a JSON file: a Trainer's state, records, or lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .columns import Table


def read_json(path: Path) -> Table:
    """The table of a JSON file: trainer_state.json, a list of records or of numbers, lists by name, JSON lines.

    Raises ValueError for text that is not JSON, or JSON of another form.
    """
    shown = f"trace={str(path)!r}"
    try:
        content = _parsed(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{shown} must be JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"{shown} must be nested less deeply") from None
    trainer = isinstance(content, dict) and isinstance(content.get("log_history"), list)
    last = content.get("max_steps") if trainer else None
    records = content["log_history"] if trainer else content
    if isinstance(records, dict) and records and all(isinstance(value, list) for value in records.values()):
        lengths = {len(value) for value in records.values()}
        if len(lengths) > 1:
            raise ValueError(f"{shown} must have lists of equal length, not of {min(lengths)} to {max(lengths)} values")
        columns = records
    elif isinstance(records, list) and records and all(isinstance(record, dict) for record in records):
        names = list(dict.fromkeys(name for record in records for name in record))
        columns = {name: [record.get(name) for record in records] for name in names}
    elif isinstance(records, list) and records and not any(isinstance(record, dict | list) for record in records):
        columns = {"lr": records}
    else:
        raise ValueError(f"{shown} must contain log_history, a list of records or numbers, or lists by name")

    def load(name: str) -> np.ndarray[Any, Any]:
        column = np.empty(len(columns[name]), dtype=object)
        column[:] = columns[name]
        return column

    names = [name for name in columns if any(value is not None for value in columns[name])]
    return Table(names, load, lambda row: f"entry {row}", trainer=trainer, last_step=last)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise
    return [json.loads(line) for line in text.splitlines() if line.strip()]
