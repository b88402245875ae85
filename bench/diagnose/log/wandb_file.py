"""The history in a run's .wandb file, as Weights & Biases keeps it on disk, without its SDK.

Source of the format: wandb/sdk/internal/datastore.py of wandb 0.19 (a header, then the blocks of a LevelDB log) and
wandb/proto/wandb_internal.proto (the fields below).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from .columns import Table, Values
from .event_file import HINT
from .protobuf import fields
from .source import Source

FILE_HEADER, RECORD_HEADER, BLOCK = 7, 7, 32768
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
#: Fields of a record, of a history and of its items.
HISTORY, ITEM = 2, 1
KEY, NESTED_KEY, VALUE = 1, 2, 16


def read_wandb(source: Source, column: str | None = None) -> Table:
    """The rows of the history that have a learning rate (or `column`); a record cut off by a kill ends the file."""
    rows, end = [], FILE_HEADER
    for record, end in _records(source.data):  # noqa: B007 - where the last whole record ends
        if column is None and not HINT.search(record):
            continue
        for field, content in fields(record):
            if field == HISTORY and isinstance(content, bytes):
                rows.append(_row(content))
    names = list(dict.fromkeys(name for row in rows for name in row))

    def load(name: str) -> Values:
        cells = np.empty(len(rows), dtype=object)
        cells[:] = [row.get(name) for row in rows]
        return cells

    note = "The file ends in an unfinished record, as a killed run leaves it; the records before it are read."
    return Table(names, load, lambda row: f"row {row} of the history", notes=(note,) if end < len(source.data) else ())


def _records(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Each whole record, which may be split over several blocks, and where it ends."""
    at, parts = FILE_HEADER, bytearray()
    while at + RECORD_HEADER <= len(data):
        if BLOCK - at % BLOCK < RECORD_HEADER:  # too little for a header: the rest of the block is empty
            at += BLOCK - at % BLOCK
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        at += RECORD_HEADER
        if at + length > len(data) or kind not in (FULL, FIRST, MIDDLE, LAST):
            return
        if kind in (FULL, FIRST):
            parts.clear()
        parts += data[at : at + length]
        at += length
        if kind in (FULL, LAST):
            yield bytes(parts), at


def _row(history: bytes) -> dict[str, Any]:
    """The numbers of a step by name."""
    row: dict[str, Any] = {}
    for field, item in fields(history):
        if field != ITEM or not isinstance(item, bytes):
            continue
        names, value = [], None
        for number, content in fields(item):
            if number in (KEY, NESTED_KEY) and isinstance(content, bytes):
                names.append(content.decode("utf-8", "replace"))
            elif number == VALUE and isinstance(content, bytes):
                value = _number(content)
        if value is not None:
            row["/".join(name for name in names if name)] = value
    return row


def _number(content: bytes) -> float | None:
    try:
        value = json.loads(content)
    except ValueError:
        return None
    if value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
