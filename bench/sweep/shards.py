"""Finished runs on disk: CSV files, written atomically and named by their content.

A file is called KEY-HASH.csv. KEY identifies everything its results depend on apart from the columns of the table
(configuration, steps, dtype, device, code and versions), HASH its content: files with another key are left alone,
and damaged files are ignored.
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

from bench.toy.native.native import compiler_version
from suite.shared.files import write_whole

from .spec import Run, Spec
from .train import Result, code_key

COLUMNS = (*Run._fields, *Result._fields)
_KINDS: dict[str, Any] = {**get_type_hints(Run), **get_type_hints(Result)}


def key_of(spec: Spec) -> str:
    """The KEY in the file names of a sweep's shards.

    It excludes the grid, so that a sweep with more LRs or seeds reuses the runs of a smaller one.
    It includes the CPU's capability, since kernels of another vector width round differently.
    """
    device = torch.device(spec.device)
    about = {
        **{name: getattr(spec, name) for name in ("steps", "target", "instruments", "dtype", "device", "compiled")},
        **({"native": compiler_version()} if spec.native else {}),
        "config": dataclasses.asdict(dataclasses.replace(spec.config, norm_first=False)),  # a column
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
    """Rows as CSV; numbers are written so that they are read back exactly, None as an empty cell."""
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
    """The finished shards of a sweep in a folder."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key

    def read(self, runs: Sequence[Run]) -> dict[Run, Result]:
        """The results of those runs that are finished."""
        results: dict[Run, Result] = {}
        for path in sorted(self.folder.glob(f"{self.key}-*.csv")):
            data = path.read_bytes()
            if path.stem == f"{self.key}-{_hash(data)}":
                results.update(unpacked(data))
        return {run: results[run] for run in runs if run in results}

    def add(self, rows: Sequence[tuple[Run, Result]]) -> None:
        """Write the results of a shard; raises OSError if that fails."""
        data = packed(rows)
        write_whole(self.folder / f"{self.key}-{_hash(data)}.csv", data)
