"""Finished runs on disk: CSV files that are there whole or not at all, named by what they hold.

A file is called KEY-HASH.csv. KEY stands for all that its results depend on beside the columns of the table
(configuration, steps, number type, device, code and versions), HASH for its content:
files of other settings or of other code are left alone, damaged ones are not believed.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import torch

from suite.shared.files import write_whole

from .spec import Run, Spec
from .train import Result, code_key

COLUMNS = (*Run._fields, *Result._fields)
_KINDS: dict[str, Any] = {**get_type_hints(Run), **get_type_hints(Result)}


def key_of(spec: Spec) -> str:
    """What stands before the dash in the names of the files that belong to a sweep.

    The grid is not in it: a sweep with more LRs or seeds finds the runs of the smaller one.
    A kind of CPU is in it, since kernels of other width round otherwise.
    """
    device = torch.device(spec.device)
    about = {
        **{name: getattr(spec, name) for name in ("steps", "target", "instruments", "dtype", "device", "compiled")},
        "config": dataclasses.asdict(dataclasses.replace(spec.config, norm_first=False)),  # it is a column
        "name": spec.name,
        "code": code_key(),
        "machine": torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu(),
    }
    return _hash(json.dumps(about, sort_keys=True).encode())


def _cpu() -> str:
    return str(torch.backends.cpu.get_cpu_capability())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def packed(rows: Iterable[tuple[Run, Result]]) -> bytes:
    """Rows as CSV; numbers are written so that they read back the same, None as an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((*run, *result) for run, result in rows)
    return text.getvalue().encode()


def unpacked(data: bytes) -> list[tuple[Run, Result]]:
    """The inverse of `packed`."""
    lines = list(csv.reader(io.StringIO(data.decode())))[1:]
    rows = [[_value(name, cell) for name, cell in zip(COLUMNS, line, strict=True)] for line in lines]
    split = len(Run._fields)
    return [(Run(*row[:split]), Result(*row[split:])) for row in rows]


def _value(name: str, cell: str) -> Any:
    kind = _KINDS[name]
    if kind in (str, int, float):
        return kind(cell)
    return int(cell) if cell else None


class Shards:
    """The folder of a sweep's finished shards."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key

    def read(self, wanted: Sequence[Run]) -> dict[Run, Result]:
        """Those of the wanted runs that are finished."""
        found: dict[Run, Result] = {}
        for path in sorted(self.folder.glob(f"{self.key}-*.csv")):
            data = path.read_bytes()
            if path.stem == f"{self.key}-{_hash(data)}":
                found.update(unpacked(data))
        return {run: found[run] for run in wanted if run in found}

    def add(self, rows: Sequence[tuple[Run, Result]]) -> None:
        """Keep the results of a shard; raises OSError where that cannot be."""
        data = packed(rows)
        write_whole(self.folder / f"{self.key}-{_hash(data)}.csv", data)
