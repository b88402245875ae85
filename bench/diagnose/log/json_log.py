"""Read the columns of JSON: a Trainer's state, records, lists, or what a tracking tool exports."""

from __future__ import annotations

import functools
import json
from typing import Any

from .columns import Table, names_lr, of_values
from .source import Source

#: Keys that hold the records of an export: MLflow's REST answer, Keras's History.
RECORDS = ("metrics", "history", "records", "data")

#: Types that are no part of a nested record.
PLAIN = {int, float, str, type(None), bool}


def read_json(source: Source, text: str) -> Table:
    """The table of a JSON text.

    It may be a trainer_state.json, a list of records, of numbers, of [step, lr] or of TensorBoard's
    [wall time, step, value], lists by name, or JSON lines; nested records are joined by a slash.
    Raises ValueError for text that is not JSON, or JSON of another form.
    """
    try:
        content, notes = _parsed(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{source.shown} must be JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"{source.shown} must be nested less deeply") from None
    trainer = isinstance(content, dict) and isinstance(content.get("log_history"), list)
    last = content.get("max_steps") if trainer else None
    columns = _columns(source, _records(content))

    column = functools.cache(lambda name: of_values(columns[name]))
    names = [name for name in columns if any(value is not None for value in columns[name])]
    return Table(
        names,
        lambda name: column(name)[0],
        lambda row: f"entry {row}",
        trainer=trainer,
        last_step=last,
        notes=notes,
        present=lambda name: column(name)[1] if name in columns else None,
    )


def _records(content: Any) -> Any:
    if isinstance(content, dict):
        if isinstance(content.get("log_history"), list):
            return content["log_history"]
        for key in RECORDS:
            if isinstance(content.get(key), list | dict) and content[key]:
                return content[key]
    return content


def _columns(source: Source, records: Any) -> dict[str, list[Any]]:
    if isinstance(records, dict) and records and all(isinstance(value, list) for value in records.values()):
        lengths = {len(value) for value in records.values()}
        if len(lengths) > 1:
            shown = f"{min(lengths)} to {max(lengths)}"
            raise ValueError(f"{source.shown} must have lists of equal length, not of {shown} values")
        return records
    if isinstance(records, list) and records:
        if all(isinstance(record, dict) for record in records):
            flat = [record if {*map(type, record.values())} <= PLAIN else _flat(record) for record in records]
            names = list(dict.fromkeys(name for record in flat for name in record))
            return {name: [record.get(name) for record in flat] for name in names}
        if not any(isinstance(record, dict | list) for record in records):
            return {"lr": records}
        widths = {len(record) if isinstance(record, list) else 0 for record in records}
        for known in (["step", "lr"], ["wall time", "step", "value"]):
            if widths == {len(known)}:
                return {name: [record[i] for record in records] for i, name in enumerate(known)}
    raise ValueError(f"{source.shown} must contain log_history, a list of records or numbers, or lists by name")


def _flat(record: dict[str, Any], before: str = "") -> dict[str, Any]:
    """A nested record with its keys joined; lists are kept for learning rates only."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{before}{key}"
        if isinstance(value, dict):
            flat |= _flat(value, f"{name}/")
        elif not isinstance(value, list) or names_lr(name):
            flat[name] = value
    return flat


def _parsed(text: str) -> tuple[Any, tuple[str, ...]]:
    """The content, and a note if a last line that is cut off was left out."""
    try:
        return json.loads(text), ()
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or (error.msg != "Extra data" and not _is_record(lines[0])):
            raise
    records = _all_at_once(lines)
    if records is not None:
        return records, ()
    records, last = [], len(lines) - 1
    for i, line in enumerate(lines):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            if i < last:
                raise json.JSONDecodeError(f"line {i + 1}: {error.msg}", line, error.pos) from None
            return records, (f"The last line, {line[:40]!r}, is cut off, as in a killed run; it is left out.",)
    return records, ()


def _all_at_once(lines: list[str]) -> list[Any] | None:
    """The records of lines that hold one each, which is faster than line by line; None if a line holds another."""
    if not all(line[0] == "{" and line[-1] == "}" for line in lines):
        return None
    try:
        records = json.loads(f"[{','.join(lines)}]")
    except json.JSONDecodeError:
        return None
    return records if len(records) == len(lines) else None


def _is_record(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except json.JSONDecodeError:
        return False
