"""Scalars of TensorBoard's event files, without TensorBoard.

Source of the format: tensorflow/core/lib/io/record_writer.h (a record: length, its checksum, data, its checksum),
tensorflow/core/util/event.proto and framework/summary.proto (the fields below), tensor.proto.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence

import numpy as np

from .columns import Table, Values, names_lr
from .protobuf import fields

#: Bytes of a record beside its data: length and checksum before it, checksum after it.
HEAD, TAIL = 12, 4
#: Fields of an event, of a summary's value, and of a tensor.
STEP, SUMMARY = 2, 5
TAG, SIMPLE, TENSOR = 1, 2, 8
DTYPE, CONTENT, FLOATS, DOUBLES = 1, 4, 5, 6
#: A tensor's type of number, and how its bytes are unpacked.
DTYPES = {1: "<f", 2: "<d", 3: "<i", 9: "<q"}
#: Tags that can name a learning rate have one of these.
HINT = re.compile(rb"lr|learning", re.IGNORECASE)


def read_events(files: Sequence[bytes], column: str | None = None) -> Table:
    """The learning rates (or the tag `column`) of the event files of one run, in the order of the files.

    A record that a killed run left unfinished ends its file, with a note.
    """
    series: dict[str, list[tuple[int, int, float]]] = {}
    tags: dict[str, None] = {}
    cut, row = False, 0
    for data in files:
        at = 0
        for record, at in _records(data):  # noqa: B007 - where the last whole record ends
            if column is None and tags and not HINT.search(record):
                continue
            for tag, step, value in _scalars(record):
                tags[tag] = None
                if names_lr(tag) or tag == column:
                    series.setdefault(tag, []).append((row, step, value))
                    row += 1
        cut = cut or at < len(data)
    steps = np.empty(row, dtype=np.int64)
    for points in series.values():
        for at, step, _ in points:
            steps[at] = step
    rows = {tag: np.array([point[0] for point in points]) for tag, points in series.items()}

    def load(name: str) -> Values:
        values = np.full(row, np.nan)
        if name in series:
            values[rows[name]] = [point[2] for point in series[name]]
        return steps if name == "step" else values

    names = ["step", *(series or tags)]
    note = "The event file ends in an unfinished record, as a killed run leaves it; the records before it are read."
    return Table(names, load, lambda i: f"event {i}", notes=(note,) if cut else (), present=rows.get)


def _records(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Each whole record and where it ends."""
    at = 0
    while at + HEAD <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        end = at + HEAD + length + TAIL
        if end > len(data):
            return
        yield data[at + HEAD : end - TAIL], end
        at = end


def _scalars(record: bytes) -> Iterator[tuple[str, int, float]]:
    """Tag, step and value of every scalar of an event."""
    step, values = 0, []
    for field, content in fields(record):
        if field == STEP and isinstance(content, int):
            step = content
        elif field == SUMMARY and isinstance(content, bytes):
            values += [value for inner, value in fields(content) if inner == 1 and isinstance(value, bytes)]
    for value in values:
        tag, number = None, None
        for field, content in fields(value):
            if isinstance(content, int):
                continue
            if field == TAG:
                tag = content.decode("utf-8", "replace")
            elif field == SIMPLE and len(content) == 4:
                number = struct.unpack("<f", content)[0]
            elif field == TENSOR:
                number = _of_tensor(content)
        if tag is not None and number is not None:
            yield tag, step, number


def _of_tensor(content: bytes) -> float | None:
    """The number of a tensor with one element, None for other tensors."""
    form = None
    for field, value in fields(content):
        if field == DTYPE and isinstance(value, int):
            form = DTYPES.get(value)
        elif field == CONTENT and isinstance(value, bytes) and form and len(value) == struct.calcsize(form):
            return float(struct.unpack(form, value)[0])
        elif field in (FLOATS, DOUBLES) and isinstance(value, bytes):
            packed = "<f" if field == FLOATS else "<d"
            if len(value) == struct.calcsize(packed):
                return float(struct.unpack(packed, value)[0])
    return None
